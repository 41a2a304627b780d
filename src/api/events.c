/* Argo's routes of events: those that start workflows, and the sources and sensors of Argo Events, which this is not. */
#include "api/api_p.h"

#include "doc/json.h"
#include "service/streams.h"

/* The headers that the sender chose, each with the list of its values. */
static struct val metadata_of(struct http_req *r)
{
    struct arena *a = http_req_arena(r);
    struct val all = {.kind = VAL_MAP};
    struct str name, value;
    for (size_t i = 0; http_req_header_at(r, i, &name, &value); i++) {
        char *low = arena_alloc_bytes(a, name.n + 1);
        for (size_t k = 0; k < name.n; k++) low[k] = (char)(name.p[k] >= 'A' && name.p[k] <= 'Z' ? name.p[k] | 32 : name.p[k]);
        struct str key = str_n(low, name.n);
        if (!str_starts(key, STR("x-"))) continue;
        const struct val *had = val_get(&all, key);
        struct val_builder list, b;
        list_begin(&list, a);
        for (uint32_t k = 0; had && k < had->n; k++) list_add(&list, had->items[k]);
        list_add(&list, val_of_str(value));
        map_begin(&b, a);
        for (uint32_t k = 0; k < all.n; k++) map_add(&b, all.map[k].key, all.map[k].v);
        map_set(&b, key, list_done(&list));
        all = map_done(&b);
    }
    return all;
}

static struct val sender_of(struct http_req *r)
{
    size_t n;
    const struct param *who = api_creator(r, &n);
    struct val_builder b;
    map_begin(&b, http_req_arena(r));
    for (size_t i = 0; i < n; i++) map_add_str(&b, who[i].name.p, who[i].value);
    return map_done(&b);
}

static void on_taken(void *user, const struct err *e) { api_answer_empty(user, !e, e); }

void receive_event(struct http_req *r, void *user)
{
    struct str body = http_req_body(r);
    struct val payload = val_null, metadata = metadata_of(r), sender = sender_of(r);
    struct given_event g = {.ns = http_req_param(r, "namespace"), .discriminator = http_req_param(r, "discriminator"),
                            .payload = &payload, .metadata = &metadata, .sender = sender.n ? &sender : NULL};
    struct err e;
    if ((body.n && !json_parse(http_req_arena(r), body, NULL, &payload, &e)) ||
        !service_event_take(api_service(user), &g, on_taken, r, &e))
        http_reply_err(r, &e);
}

/* The web interface counts what its users do; nobody is told here. */
void track_event(struct http_req *r, void *user)
{
    struct val body;
    struct err e;
    bool ok = api_body(r, &body, &e);
    (void)user;
    api_answer_empty(r, ok, &e);
}

/* ---- Argo Events ---- */

void list_event_sources(struct http_req *r, void *user)
{
    (void)user;
    http_reply(r, 200, "application/json", STR("{\"metadata\":{},\"items\":[]}"));
}

static void refuse(struct http_req *r, enum err_code code, const char *text)
{
    struct err e;
    err_set(&e, code, "%s", text);
    http_reply_err(r, &e);
}

void get_event_source(struct http_req *r, void *user)
{
    (void)user;
    refuse(r, ERR_NOT_FOUND, "there is no such object: event sources and sensors of Argo Events are not kept here");
}

void change_event_source(struct http_req *r, void *user)
{
    (void)user;
    refuse(r, ERR_UNSUPPORTED, "event sources and sensors of Argo Events are not supported: POST /api/v1/events/{namespace}/{discriminator} "
                               "and a WorkflowEventBinding start workflows");
}
