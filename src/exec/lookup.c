/* What runs and steps ask of the stored objects. */
#include "doc/base64.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "resource/resource.h"
#include "exec/exec_p.h"

/* A template that the run has used once stays what it was, whatever becomes of the document. */
static const struct val *template_once(struct active *l, const struct resource_key *key, struct str at, struct val *out)
{
    struct exec *x = l->x;
    struct str bytes;
    struct err e;
    if (store_value_get(&l->arena, x->store, l->id, at, &bytes, &e) && json_parse(&l->arena, bytes, NULL, out, &e)) return out;
    if (!resource_get(&l->arena, x->store, key, out, &e)) return NULL;
    if (!exec_begin(x, &e) || !store_value_put(x->store, l->id, at, json_text(&l->arena, out), &e)) exec_fail(x, &e);
    return out;
}

/* Kept as long as the run, which may hold on to what it was given. */
const struct val *exec_lookup(void *ctx, struct str kind, struct str ns, struct str name)
{
    struct active *l = ctx;
    struct resource_key key = {.ns = ns, .name = name};
    struct val *v = ARENA_NEW(&l->arena, struct val);
    struct err e;
    if (!resource_kind_find(kind, &key.kind)) return NULL;
    if (key.kind == RESOURCE_WORKFLOW_TEMPLATE || key.kind == RESOURCE_CLUSTER_WORKFLOW_TEMPLATE)
        return template_once(l, &key, str_fmt(&l->arena, EXEC_DOC_KEY "%.*s/%.*s", STR_ARG(kind), STR_ARG(name)), v);
    return resource_get(&l->arena, l->x->store, &key, v, &e) ? v : NULL;
}

static bool lookup_value(void *ctx, bool secret, struct str name, struct str key, struct str *out,
                         struct err *e)
{
    struct active *l = ctx;
    struct value_key k = {.ns = run_namespace(l->run), .name = name, .key = key};
    struct exec *x = l->x;
    return secret ? secret_value(&x->scratch, x->store, &k, out, e)
                  : configmap_value(&x->scratch, x->store, &k, out, e);
}

static bool decode_all(struct arena *a, const struct val *data, struct val_builder *b, struct err *e)
{
    for (uint32_t i = 0; data && i < data->n; i++) {
        struct str bytes;
        if (!base64_decode(a, val_text(&data->map[i].v), &bytes))
            return err_set(e, ERR_SPEC, "key '%.*s' is not base64", STR_ARG(data->map[i].key));
        map_add(b, data->map[i].key, val_of_str(bytes));
    }
    return true;
}

static bool lookup_all(void *ctx, bool secret, struct str name, struct val *map, struct err *e)
{
    struct active *l = ctx;
    struct exec *x = l->x;
    struct resource_key key = {.kind = secret ? RESOURCE_SECRET : RESOURCE_CONFIG_MAP,
                               .ns = run_namespace(l->run), .name = name};
    struct val doc;
    struct val_builder b;
    if (!resource_get(&x->scratch, x->store, &key, &doc, e)) return false;
    const struct val *data = val_get(&doc, STR("data"));
    map_begin(&b, &x->scratch);
    bool ok = true;
    if (secret) ok = decode_all(&x->scratch, data, &b, e);
    for (uint32_t i = 0; !secret && data && i < data->n; i++) map_add(&b, data->map[i].key, data->map[i].v);
    if (!secret && ok) ok = decode_all(&x->scratch, val_get(&doc, STR("binaryData")), &b, e);
    *map = map_done(&b);
    return ok;
}

struct pod_lookup pod_lookup_of(struct active *l)
{
    return (struct pod_lookup){.value = lookup_value, .all = lookup_all, .ctx = l};
}
