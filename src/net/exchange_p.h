/* Private to net: one request and its reply, over as many hops as redirects make; whoever has it moves
 * the bytes (web_call.c on a loop, web_fetch.c waiting).
 *
 *   exchange_begin, then exchange_hop → transfer of x->easy → exchange_hop_done until it is not AGAIN. */
#pragma once
#include "base/arena.h"
#include "base/vec.h"
#include "net/curl_p.h"
#include "net/web.h"

enum hop_end { HOP_DONE, HOP_AGAIN, HOP_FAILED };

struct exchange {
    const struct curl_api *curl;
    struct arena arena; /* of the request's copy and the reply's head */
    struct web_request req;
    CURL *easy;
    struct curl_slist *lines;   /* header lines of this hop */
    char text[CURL_ERROR_SIZE]; /* libcurl's own words about a failure */
    struct str method, url;     /* of this hop */
    struct str first_host;
    const char *referer;
    bool with_body, trusted /* may see credentials */, keeps_host;
    int requests;
    int64_t deadline_us;        /* monotonic; 0: none */
    int status;
    struct str status_text;
    VEC(struct web_field) fields;
    size_t head_bytes;
    struct buf body;
    uint64_t body_bytes;
    struct err err; /* why we stopped it ourselves */
};

bool exchange_begin(struct exchange *x, const struct web_request *r, struct err *e);
void exchange_fini(struct exchange *x);
/* Gets x->easy ready. */
bool exchange_hop(struct exchange *x, struct err *e);
enum hop_end exchange_hop_done(struct exchange *x, CURLcode code, struct err *e);
struct web_reply exchange_reply(const struct exchange *x);
void reply_copy(struct arena *a, const struct web_reply *r, struct web_reply *out);

/* address.c: addresses */
bool address_clean(struct arena *a, struct str url, struct str *out, struct err *e);
/* A part of it, or absent. */
struct str address_part(const struct curl_api *c, struct arena *a, struct str url, CURLUPart part);
struct str address_shown(const struct curl_api *c, struct arena *a, struct str url); /* without a password */
bool address_is_local(struct str host);
bool host_is_within(struct str host, struct str domain);
