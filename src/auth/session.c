/* See session.h. */
#include "auth/session.h"

#include "auth/sodium.h"
#include "base/limits.h"
#include "doc/json.h"
#include "doc/json_write.h"

#define KIND STR("Session")
enum { HASH = crypto_hash_sha256_BYTES };
static const char prefix[] = "sks_";

bool session_like(struct str text) { return str_starts(text, str_of(prefix)); }

static struct str hash_of(struct arena *a, const struct sodium_api *sodium, struct str secret)
{
    unsigned char hash[HASH];
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 2 * sizeof hash);
    sodium->crypto_hash_sha256(hash, (const unsigned char *)secret.p, secret.n);
    for (size_t i = 0; i < sizeof hash; i++) buf_printf(&b, "%02x", hash[i]);
    return buf_dup(a, &b);
}

/* ---- rows ---- */

static struct str row_text(struct arena *a, const struct auth_session *x)
{
    struct val_builder b;
    map_begin(&b, a);
    map_add(&b, STR("created"), val_of_i64(a, x->created_us));
    map_add(&b, STR("expires"), val_of_i64(a, x->expires_us));
    map_add_str(&b, "hash", x->hash);
    map_add(&b, STR("claims"), x->claims);
    struct val v = map_done(&b);
    return json_text(a, &v);
}

static bool row_read(struct arena *a, const struct object_row *row, struct auth_session *out, struct err *e)
{
    struct val v;
    *out = (struct auth_session){.id = row->name};
    if (!json_parse(a, row->doc, NULL, &v, e)) return err_ctx(e, "a stored session");
    const struct val *claims = val_get(&v, STR("claims")), *created = val_get(&v, STR("created")), *expires = val_get(&v, STR("expires"));
    if (!claims || claims->kind != VAL_MAP || !created || !val_i64(created, &out->created_us) || !expires || !val_i64(expires, &out->expires_us))
        return err_set(e, ERR_INTERNAL, "a stored session is damaged");
    out->claims = *claims;
    out->hash = val_get_str(&v, "hash");
    return true;
}

static bool rows_list(struct arena *a, struct store *s, struct auth_session **out, size_t *n, struct err *e)
{
    struct object_filter f = {.kind = KIND, .limit = LIMIT_SESSIONS};
    struct object_row *rows;
    if (!store_object_list(a, s, &f, &rows, n, e)) return false;
    *out = ARENA_ARRAY(a, struct auth_session, *n + 1);
    for (size_t i = 0; i < *n; i++)
        if (!row_read(a, &rows[i], &(*out)[i], e)) return false;
    return true;
}

bool auth_session_delete(struct store *s, struct str id, int64_t now_us, struct err *e)
{
    struct object_row key = {.kind = KIND, .ns = STR(""), .name = id};
    struct err why;
    if (store_object_delete(s, &key, OBJECT_RV_ANY, now_us, &why)) return true;
    if (why.code == ERR_NOT_FOUND) return err_set(e, ERR_NOT_FOUND, "there is no such session");
    return e ? (*e = why, false) : false;
}

static int by_age(const void *x, const void *y)
{
    int64_t a = ((const struct auth_session *)x)->created_us, b = ((const struct auth_session *)y)->created_us;
    return (a > b) - (a < b);
}

bool auth_session_list(struct arena *a, struct store *s, int64_t now_us, struct auth_session **out, size_t *n, struct err *e)
{
    size_t all, kept = 0;
    if (!rows_list(a, s, out, &all, e)) return false;
    for (size_t i = 0; i < all; i++)
        if (now_us < (*out)[i].expires_us) (*out)[kept++] = (*out)[i];
    qsort(*out, kept, sizeof **out, by_age);
    *n = kept;
    return true;
}

/* ---- their life ---- */

/* Makes room for one more of this subject. */
static bool room_make(struct arena *a, struct store *s, struct str subject, int64_t now_us, struct err *e)
{
    struct auth_session *all;
    size_t n, own = 0, left = 0;
    if (!rows_list(a, s, &all, &n, e)) return false;
    qsort(all, n, sizeof *all, by_age);
    for (size_t i = 0; i < n; i++) own += now_us < all[i].expires_us && str_eq(val_get_str(&all[i].claims, "sub"), subject);
    for (size_t i = 0; i < n; i++) {
        bool over = now_us >= all[i].expires_us;
        bool spare = !over && own >= LIMIT_SESSIONS_OF_ONE && str_eq(val_get_str(&all[i].claims, "sub"), subject);
        if ((over || spare) && !auth_session_delete(s, all[i].id, now_us, e)) return false;
        own -= spare;
        left += !over && !spare;
    }
    return left < LIMIT_SESSIONS || err_set(e, ERR_LIMIT, "there are LIMIT_SESSIONS (%d) sessions already", LIMIT_SESSIONS);
}

bool auth_session_create(struct arena *a, struct store *s, const struct val *claims, int64_t expires_us, int64_t now_us, struct str *text, struct err *e)
{
    const struct sodium_api *sodium = sodium_open(e);
    struct auth_session x = {.claims = *claims, .created_us = now_us, .expires_us = expires_us};
    struct str secret;
    if (!sodium) return false;
    if (json_text(a, claims).n > LIMIT_SSO_CLAIMS_BYTES)
        return err_set(e, ERR_LIMIT, "the claims are larger than LIMIT_SSO_CLAIMS_BYTES (%d): does the token name all groups there are?", LIMIT_SSO_CLAIMS_BYTES);
    if (!room_make(a, s, val_get_str(claims, "sub"), now_us, e)) return false;
    *text = auth_text_make(a, prefix);
    bool ok = auth_text_parse(prefix, *text, &x.id, &secret);
    ASSERT(ok);
    x.hash = hash_of(a, sodium, secret);
    struct object_row row = {.kind = KIND, .ns = STR(""), .name = x.id, .uid = STR(""), .created_us = now_us, .doc = row_text(a, &x)};
    return store_object_put(s, &row, OBJECT_RV_ANY, e);
}

bool auth_session_check(struct arena *a, struct store *s, struct str text, int64_t now_us, struct auth_session *out, struct err *e)
{
    const struct sodium_api *sodium = sodium_open(e);
    struct object_row key = {.kind = KIND, .ns = STR("")}, row;
    struct str secret;
    struct err why;
    if (!sodium) return false;
    if (!auth_text_parse(prefix, text, &key.name, &secret)) return err_set(e, ERR_AUTH, "this is no session of Skiff");
    bool found = store_object_get(a, s, &key, &row, &why);
    if (!found && why.code != ERR_NOT_FOUND) return e ? (*e = why, false) : false;
    if (found && !row_read(a, &row, out, e)) return false;
    struct str hash = hash_of(a, sodium, secret);
    if (!found || out->hash.n != hash.n || sodium->sodium_memcmp(out->hash.p, hash.p, hash.n) != 0)
        return err_set(e, ERR_AUTH, "the session is over: sign in again");
    return now_us < out->expires_us || err_set(e, ERR_AUTH, "the session has expired: sign in again");
}
