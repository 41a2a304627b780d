/* multipart/form-data (RFC 7578): one field of a body that lies in memory, or in a mapped file. Pure. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct multipart_part {
    struct str file_name; /* as the client says; absent: no file */
    struct str bytes;     /* within the body */
};
/* The first part of that name. SPEC: there is none, or the body is no such form. */
bool multipart_find(struct str content_type, struct str body, const char *name, struct multipart_part *out, struct err *e);
