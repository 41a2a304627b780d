/* URLs as Go's net/url takes them apart and puts them together. Pure; any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

/* Texts are decoded, but for opaque and query. A user that is absent is not "". */
struct gourl {
    struct str scheme, opaque, user, password, host, path, query, fragment;
};

/* url.Parse. Error texts are Go's, without the "parse URL:" before them. */
bool gourl_parse(struct arena *a, struct str text, struct gourl *out, struct err *e);
/* URL.String of one that was made from its parts (nothing about how they were written is kept). */
struct str gourl_text(struct arena *a, const struct gourl *u);
struct str gourl_userinfo(struct arena *a, const struct gourl *u); /* Userinfo.String; "" when absent */
struct str gourl_hostname(const struct gourl *u); /* without port and brackets */
