/* Looking at the engine itself: whether it is well, what it measures, what is going on. */
#include "api/api_p.h"
#include "exec/stats.h"

/* The numbers of methods and routes are those of the table: nobody can make series by asking for odd ones. */
void api_done(void *user, const struct http_done *d)
{
    struct stats *s = service_stats(api_service(user));
    char code[16];
    if (!s || !d->status) return;
    snprintf(code, sizeof code, "%u", d->status);
    struct str labels[] = {d->pattern ? d->method : STR("other"), d->pattern ? str_of(d->pattern) : STR("none"), str_of(code)};
    stats_add(s, STAT_HTTP_REQUESTS, labels, 1);
    if (!d->stream) stats_add(s, STAT_HTTP_TIME, labels, (double)d->us / 1e6);
}

void get_healthz(struct http_req *r, void *user)
{
    (void)user;
    http_reply(r, 200, "text/plain", STR("ok\n"));
}

void get_readyz(struct http_req *r, void *user)
{
    struct err e = {0};
    if (service_failed(api_service(user), &e)) {
        e.code = ERR_UNREACHABLE;
        http_reply_err(r, &e);
    } else {
        http_reply(r, 200, "text/plain", STR("ok\n"));
    }
}

void get_metrics(struct http_req *r, void *user)
{
    struct service *s = api_service(user);
    struct str text;
    struct err e;
    stats_add(service_stats(s), STAT_HTTP_CONNECTIONS, NULL, http_server_connections(api_http(user)));
    if (service_metrics(http_req_arena(r), s, &text, &e)) http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", text);
    else http_reply_err(r, &e);
}

void yield_engine(struct http_req *r, void *user)
{
    struct val none = {.kind = VAL_MAP};
    struct err e;
    if (service_yield(api_service(user), &e)) api_answer(r, &none);
    else http_reply_err(r, &e);
}

void get_top(struct http_req *r, void *user)
{
    struct val v;
    struct err e;
    if (service_top(http_req_arena(r), api_service(user), &v, &e)) api_answer(r, &v);
    else http_reply_err(r, &e);
}
