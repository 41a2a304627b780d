/* The OpenAPI document of the table of routes. Form: OpenAPI 3.1, whose schemas are JSON Schema 2020-12. Pure. */
#include "api/routes.h"

#include "base/version.h"
#include "spec/argo_gen.h"

struct doc {
    struct arena *a;
    struct field_schemas *schemas;
};

/* {key: v} */
static struct val one(struct doc *d, const char *key, struct val v)
{
    struct val_builder b;
    map_begin(&b, d->a);
    map_add(&b, str_of(key), v);
    return map_done(&b);
}

static struct val text(const char *s) { return val_of_str(str_of(s)); }

static struct val list_of(struct doc *d, struct val v)
{
    struct val_builder b;
    list_begin(&b, d->a);
    list_add(&b, v);
    return list_done(&b);
}

static struct val empty_map(struct doc *d)
{
    struct val_builder b;
    map_begin(&b, d->a);
    return map_done(&b);
}

static struct val string_schema(struct doc *d, const char *format)
{
    struct val_builder b;
    map_begin(&b, d->a);
    map_add_str(&b, "type", STR("string"));
    if (format) map_add_str(&b, "format", str_of(format));
    return map_done(&b);
}

/* ---- parameters ---- */

static struct val parameter(struct doc *d, const char *in, struct str name, const struct field_row *row)
{
    struct val_builder b, s;
    struct val schema = field_schemas_of_row(d->schemas, row);
    map_begin(&s, d->a);
    for (uint32_t i = 0; i < schema.n; i++)
        if (!str_is(schema.map[i].key, "description")) map_add(&s, schema.map[i].key, schema.map[i].v);
    if (row->kind == FIELD_INT || row->kind == FIELD_INT64) map_add(&s, STR("minimum"), val_of_i64(d->a, 0));
    if (row->kind == FIELD_TIME) map_add_str(&s, "format", STR("date-time"));
    map_begin(&b, d->a);
    map_add_str(&b, "name", name);
    map_add_str(&b, "in", str_of(in));
    if (strcmp(in, "path") == 0) map_add(&b, STR("required"), val_of_bool(true));
    map_add_str(&b, "description", row->flags & FIELD_IGNORED ? str_fmt(d->a, "Has no effect: %s", row->doc) :
                                   row->support == FIELD_REFUSED ? str_fmt(d->a, "Refused by %s. %s", row->support_text, row->doc) : str_of(row->doc));
    map_add(&b, STR("schema"), map_done(&s));
    return map_done(&b);
}

static void path_parameters(struct doc *d, const char *pattern, struct val_builder *list)
{
    for (struct str part, rest = str_of(pattern); str_set(rest);) {
        str_cut(rest, '/', &part, &rest);
        if (!str_starts(part, STR("{"))) continue;
        bool all = str_ends(part, STR("...}"));
        struct str name = str_sub(part, 1, part.n - (all ? 5 : 2));
        const struct field_row *row = field_find(&argo_path_parameters_type, name);
        ASSERT(row); /* gen/api.schema has all that stand in routes.def */
        list_add(list, parameter(d, "path", name, row));
    }
}

static void query_parameters(struct doc *d, const struct field_type *t, const char *prefix, struct val_builder *list)
{
    for (uint16_t i = 0; i < t->n; i++) {
        const struct field_row *row = &t->rows[i];
        struct str name = str_fmt(d->a, "%s%s", prefix, row->name);
        if (row->kind == FIELD_STRUCT) query_parameters(d, row->type, str_fmt(d->a, "%.*s.", STR_ARG(name)).p, list);
        else list_add(list, parameter(d, "query", name, row));
    }
}

/* ---- bodies and answers ---- */

static void media_add(struct val_builder *b, struct doc *d, const char *type, struct val schema)
{
    map_add(b, str_of(type), one(d, "schema", schema));
}

static struct val form_schema(struct doc *d)
{
    struct val_builder b;
    map_begin(&b, d->a);
    map_add_str(&b, "type", STR("object"));
    map_add(&b, STR("properties"), one(d, "file", string_schema(d, "binary")));
    map_add(&b, STR("required"), list_of(d, text("file")));
    return map_done(&b);
}

/* Of an event: its data is a document. */
static struct val event_schema(struct doc *d, struct val document)
{
    struct val_builder b, data;
    map_begin(&data, d->a);
    map_add_str(&data, "type", STR("string"));
    map_add_str(&data, "contentMediaType", STR("application/json"));
    map_add(&data, STR("contentSchema"), document);
    map_begin(&b, d->a);
    map_add_str(&b, "type", STR("object"));
    map_add(&b, STR("properties"), one(d, "data", map_done(&data)));
    return map_done(&b);
}

static struct val stream_schema(struct doc *d, const struct field_type *t)
{
    struct val_builder b, members;
    map_begin(&members, d->a);
    map_add(&members, STR("result"), field_schemas_ref(d->schemas, t));
    map_add(&members, STR("error"), field_schemas_ref(d->schemas, &argo_stream_error_type));
    map_begin(&b, d->a);
    map_add_str(&b, "type", STR("object"));
    map_add_str(&b, "description", STR("One of many: a line each"));
    map_add(&b, STR("properties"), map_done(&members));
    return map_done(&b);
}

static struct val content(struct doc *d, const struct api_content *c)
{
    struct val_builder b;
    map_begin(&b, d->a);
    switch (c->kind) {
    case CONTENT_JSON: media_add(&b, d, "application/json", field_schemas_ref(d->schemas, c->type)); break;
    case CONTENT_ANYTHING: media_add(&b, d, "application/json", empty_map(d)); break;
    case CONTENT_FORM: media_add(&b, d, "multipart/form-data", form_schema(d)); break;
    case CONTENT_STREAM:
        media_add(&b, d, "application/json", stream_schema(d, c->type));
        media_add(&b, d, "text/event-stream", event_schema(d, stream_schema(d, c->type)));
        break;
    case CONTENT_LINES:
        media_add(&b, d, "application/x-ndjson", field_schemas_ref(d->schemas, c->type));
        media_add(&b, d, "text/event-stream", event_schema(d, field_schemas_ref(d->schemas, c->type)));
        break;
    case CONTENT_BYTES: media_add(&b, d, "*/*", empty_map(d)); break;
    case CONTENT_TEXT: media_add(&b, d, "text/plain", string_schema(d, NULL)); break;
    default: break;
    }
    return map_done(&b);
}

static struct val request_body(struct doc *d, const struct api_content *c)
{
    struct val_builder b;
    bool needed = c->kind == CONTENT_FORM || (c->type && (c->type->required[0] || c->type->required[1]));
    map_begin(&b, d->a);
    map_add(&b, STR("required"), val_of_bool(needed));
    map_add(&b, STR("content"), content(d, c));
    return map_done(&b);
}

static struct val error_ref(struct doc *d) { return one(d, "$ref", text("#/components/responses/Error")); }

static struct val responses(struct doc *d, const struct api_content *c)
{
    struct val_builder b, good;
    bool never = c->kind == CONTENT_ABSENT || c->kind == CONTENT_REFUSED;
    map_begin(&b, d->a);
    if (never) {
        map_add(&b, c->kind == CONTENT_ABSENT ? STR("404") : STR("501"), error_ref(d));
    } else if (c->kind == CONTENT_REDIRECT) {
        map_add(&b, STR("302"), one(d, "description", text("To where Location says")));
    } else {
        map_begin(&good, d->a);
        map_add_str(&good, "description", c->kind == CONTENT_STREAM || c->kind == CONTENT_LINES ? STR("A stream") : STR("It was done"));
        map_add(&good, STR("content"), content(d, c));
        map_add(&b, STR("200"), map_done(&good));
    }
    if (c->kind == CONTENT_BYTES) map_add(&b, STR("206"), one(d, "description", text("The part that Range asks for")));
    if (c->kind == CONTENT_BYTES) map_add(&b, STR("307"), one(d, "description", text("It is a directory: its page")));
    map_add(&b, STR("default"), error_ref(d));
    return map_done(&b);
}

/* ---- operations ---- */

static struct str service_of(const struct api_route *r)
{
    struct str service, name;
    str_cut(str_of(r->operation), '_', &service, &name);
    return service;
}

static struct val security(struct doc *d, enum auth_role role)
{
    struct val_builder b;
    if (role != AUTH_OPEN) return list_of(d, one(d, "bearer", list_of(d, text(auth_role_text(role)))));
    list_begin(&b, d->a);
    return list_done(&b);
}

static struct val operation(struct doc *d, const struct api_route *r)
{
    struct val_builder b, list;
    map_begin(&b, d->a);
    map_add_str(&b, "operationId", str_of(r->operation));
    map_add(&b, STR("tags"), list_of(d, val_of_str(service_of(r))));
    map_add_str(&b, "description", str_of(r->doc));
    map_add(&b, STR("security"), security(d, r->role));
    list_begin(&list, d->a);
    path_parameters(d, r->pattern, &list);
    query_parameters(d, r->query, "", &list);
    struct val parameters = list_done(&list);
    if (parameters.n) map_add(&b, STR("parameters"), parameters);
    if (r->body.kind != CONTENT_NOTHING) map_add(&b, STR("requestBody"), request_body(d, &r->body));
    map_add(&b, STR("responses"), responses(d, &r->answer));
    return map_done(&b);
}

/* "{file...}" is "{file}": there is no form for a parameter with slashes. */
static struct str path_of(struct doc *d, const char *pattern)
{
    struct str s = str_of(pattern);
    return str_ends(s, STR("...}")) ? str_fmt(d->a, "%.*s}", (int)s.n - 4, s.p) : s;
}

static struct str method_of(struct doc *d, const char *method)
{
    struct str low = str_dup(d->a, str_of(method));
    for (size_t i = 0; i < low.n; i++) ((char *)(uintptr_t)low.p)[i] |= 32;
    return low;
}

static bool stood_before(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(api_routes[k].pattern, api_routes[i].pattern) == 0) return true;
    return false;
}

static struct val paths(struct doc *d)
{
    struct val_builder all, path;
    map_begin(&all, d->a);
    for (size_t i = 0; i < api_route_count; i++) {
        if (stood_before(i)) continue;
        map_begin(&path, d->a);
        for (size_t k = i; k < api_route_count; k++)
            if (strcmp(api_routes[k].pattern, api_routes[i].pattern) == 0)
                map_add(&path, method_of(d, api_routes[k].method), operation(d, &api_routes[k]));
        map_add(&all, path_of(d, api_routes[i].pattern), map_done(&path));
    }
    return map_done(&all);
}

/* ---- the whole ---- */

static struct val components(struct doc *d)
{
    struct val_builder b, error, bearer;
    map_begin(&error, d->a);
    map_add_str(&error, "description", STR("It was not done: the status and the message say why"));
    map_add(&error, STR("content"), content(d, &(struct api_content){CONTENT_JSON, &argo_error_type}));
    map_begin(&bearer, d->a);
    map_add_str(&bearer, "type", STR("http"));
    map_add_str(&bearer, "scheme", STR("bearer"));
    map_add_str(&bearer, "description", STR("A token of `skiff token create` whose role is enough, each for what those before may do, too: view, run, "
                                            "admin. A server that takes anybody asks for none."));
    map_begin(&b, d->a);
    map_add(&b, STR("securitySchemes"), one(d, "bearer", map_done(&bearer)));
    map_add(&b, STR("responses"), one(d, "Error", map_done(&error)));
    map_add(&b, STR("schemas"), field_schemas_done(d->schemas));
    return map_done(&b);
}

static struct val info(struct doc *d)
{
    struct val_builder b;
    map_begin(&b, d->a);
    map_add_str(&b, "title", STR("Skiff"));
    map_add_str(&b, "version", STR(SKIFF_VERSION));
    map_add_str(&b, "description", STR("Argo's server, and below /api/v1/skiff/ Skiff's own."));
    return map_done(&b);
}

struct val openapi_document(struct arena *a)
{
    struct doc d = {a, field_schemas_new(a, "#/components/schemas/")};
    struct val_builder b;
    map_begin(&b, a);
    map_add_str(&b, "openapi", STR("3.1.0"));
    map_add(&b, STR("info"), info(&d));
    map_add(&b, STR("paths"), paths(&d));
    map_add(&b, STR("components"), components(&d)); /* last: it ends the schemas */
    return map_done(&b);
}
