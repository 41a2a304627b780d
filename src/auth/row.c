/* Rows of tokens: an object each, named by the token's id; its text is JSON. See token.h. */
#include "auth/token.h"
#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"

#define KIND STR("Token")

void auth_token_begin(struct arena *a, const struct auth_token *t, struct val_builder *b)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < t->n; i++) list_add(&list, val_of_str(t->namespaces[i]));
    map_begin(b, a);
    map_add_str(b, "name", t->name);
    map_add_str(b, "role", str_of(auth_role_text(t->role)));
    map_add(b, STR("namespaces"), list_done(&list));
}

static struct str row_text(struct arena *a, const struct auth_token *t)
{
    struct val_builder b;
    auth_token_begin(a, t, &b);
    map_add(&b, STR("created"), val_of_i64(a, t->created_us));
    map_add(&b, STR("expires"), val_of_i64(a, t->expires_us));
    map_add(&b, STR("used"), val_of_i64(a, t->used_us));
    map_add_str(&b, "hash", t->hash);
    struct val v = map_done(&b);
    return json_text(a, &v);
}

/* What cannot be read in full allows nothing. */
static bool row_read(struct arena *a, const struct object_row *row, struct auth_token *out, struct err *e)
{
    struct val v;
    *out = (struct auth_token){.id = row->name};
    if (!json_parse(a, row->doc, NULL, &v, e)) return err_ctx(e, "a stored token");
    const struct val *list = val_get(&v, STR("namespaces")), *created = val_get(&v, STR("created"));
    const struct val *expires = val_get(&v, STR("expires")), *used = val_get(&v, STR("used"));
    bool ok = list && list->kind == VAL_LIST && created && val_i64(created, &out->created_us) && expires &&
              val_i64(expires, &out->expires_us) && used && val_i64(used, &out->used_us) &&
              auth_role_parse(val_get_str(&v, "role"), &out->role, e);
    if (!ok) return err_set(e, ERR_INTERNAL, "a stored token is damaged");
    struct str *names = ARENA_ARRAY(a, struct str, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++) names[i] = val_text(&list->items[i]);
    out->namespaces = names;
    out->n = list->n;
    out->name = val_get_str(&v, "name");
    out->hash = val_get_str(&v, "hash");
    return true;
}

bool auth_token_put(struct store *s, const struct auth_token *t, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct object_row row = {.kind = KIND, .ns = STR(""), .name = t->id, .uid = STR(""), .created_us = t->created_us, .doc = row_text(&a, t)};
    return store_object_put(s, &row, OBJECT_RV_ANY, e);
}

bool auth_token_get(struct arena *a, struct store *s, struct str id, struct auth_token *out, struct err *e)
{
    struct object_row key = {.kind = KIND, .ns = STR(""), .name = id}, row;
    return store_object_get(a, s, &key, &row, e) && row_read(a, &row, out, e);
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct auth_token *)x)->name, ((const struct auth_token *)y)->name);
}

bool auth_token_list(struct arena *a, struct store *s, struct auth_token **out, size_t *n, struct err *e)
{
    struct object_filter f = {.kind = KIND, .limit = LIMIT_TOKENS};
    struct object_row *rows;
    if (!store_object_list(a, s, &f, &rows, n, e)) return false;
    *out = ARENA_ARRAY(a, struct auth_token, *n + 1);
    for (size_t i = 0; i < *n; i++)
        if (!row_read(a, &rows[i], &(*out)[i], e)) return false;
    qsort(*out, *n, sizeof **out, by_name);
    return true;
}

bool auth_token_any(struct store *s, bool *any, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct object_filter f = {.kind = KIND, .limit = 1};
    struct object_row *rows;
    size_t n = 0;
    arena_init(&a);
    bool ok = store_object_list(&a, s, &f, &rows, &n, e);
    *any = n > 0;
    return ok;
}

bool auth_token_delete(struct store *s, struct str name, int64_t now_us, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct auth_token *all;
    size_t n;
    arena_init(&a);
    if (!auth_token_list(&a, s, &all, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        struct object_row key = {.kind = KIND, .ns = STR(""), .name = all[i].id};
        if (str_eq(all[i].name, name)) return store_object_delete(s, &key, OBJECT_RV_ANY, now_us, e);
    }
    return err_set(e, ERR_NOT_FOUND, "there is no token '%.*s'", STR_ARG(name));
}
