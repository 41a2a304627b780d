/* See registry.h. */
#include "image/registry.h"

#include <poll.h>

#include "base/vec.h"
#include "doc/base64.h"
#include "doc/json.h"
#include "image/auth.h"
#include "image/digest.h"
#include "os/clock.h"
#include "os/random.h"

enum { PAUSE_MS = 200, LOOK_MS = 100, TOKEN_S = 60, TOKEN_MARGIN_S = 10 };

/* ---- what is known ---- */

struct known {
    struct str key;    /* "ping HOST" or "auth HOST/PATH" */
    struct str value;
    int64_t until_us;  /* monotonic; 0: for good */
};
struct registry_cache {
    pthread_mutex_t mutex;
    VEC(struct known) rows;
};

static void known_fini(struct known *k)
{
    explicit_bzero((char *)k->value.p, k->value.n);
    free((char *)k->key.p);
    free((char *)k->value.p);
}

struct registry_cache *registry_cache_new(void)
{
    struct registry_cache *c = mem_zalloc(sizeof *c);
    pthread_mutex_init(&c->mutex, NULL);
    return c;
}

void registry_cache_free(struct registry_cache *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->rows.n; i++) known_fini(&c->rows.items[i]);
    VEC_FINI(&c->rows);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

static struct str known_get(struct arena *a, struct registry_cache *c, struct str key)
{
    struct str out = STR_NONE;
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; i < c->rows.n && !out.p; i++) {
        struct known *k = &c->rows.items[i];
        if (str_eq(k->key, key) && (!k->until_us || clock_mono_us() < k->until_us)) out = str_dup(a, k->value);
    }
    pthread_mutex_unlock(&c->mutex);
    return out;
}

static struct str heap_copy(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return str_n(p, s.n);
}

static void known_set(struct registry_cache *c, struct str key, struct str value, int64_t until_us)
{
    struct known fresh = {heap_copy(key), heap_copy(value), until_us};
    pthread_mutex_lock(&c->mutex);
    size_t i = 0;
    while (i < c->rows.n && !str_eq(c->rows.items[i].key, key)) i++;
    if (i < c->rows.n) {
        known_fini(&c->rows.items[i]);
        c->rows.items[i] = fresh;
    } else {
        VEC_PUSH(&c->rows, fresh);
    }
    pthread_mutex_unlock(&c->mutex);
}

/* ---- where ---- */

static bool word_next(struct str *rest, struct str *word)
{
    *rest = str_trim(*rest);
    size_t n = 0;
    while (n < rest->n && !strchr(" ,;\t\n", rest->p[n])) n++;
    *word = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n < rest->n ? n + 1 : n);
    return word->n || rest->n;
}

static bool is_local(struct str host)
{
    struct str name = host, port;
    if (host.n && host.p[0] == '[') return str_starts(host, STR("[::1]"));
    str_cut(host, ':', &name, &port);
    for (size_t i = 0; i < name.n; i++)
        if (!char_is_one_of(name.p[i], "0123456789.")) return str_is(name, "localhost");
    return str_starts(name, STR("127."));
}

static bool may_be_plain(const struct image_settings *settings, struct str host)
{
    struct str word, rest = settings->insecure;
    while (word_next(&rest, &word))
        if (str_eq(word, host)) return true;
    return is_local(host);
}

bool registries_of(struct arena *a, struct image_store *s, const struct image_ref *ref, const atomic_bool *cancelled,
                   struct registry **out, size_t *n, struct err *e)
{
    struct str word, rest = s->settings.mirrors, of, mirror, host, prefix;
    VEC(struct registry) found = {0};
    bool ok = true;
    while (ok && word_next(&rest, &word)) {
        if (!word.n) continue;
        ok = str_cut(word, '=', &of, &mirror) && mirror.n && str_find(mirror, STR("://"), 0) < 0;
        if (!ok) err_set(e, ERR_USAGE, "images.mirrors: '%.*s' is not HOST=MIRROR[:PORT][/PREFIX]", STR_ARG(word));
        if (!ok || !str_eq(of, ref->host)) continue;
        str_cut(mirror, '/', &host, &prefix);
        struct str path = prefix.n ? str_fmt(a, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(ref->path)) : ref->path;
        VEC_PUSH(&found, ((struct registry){.s = s, .host = host, .path = path, .cancelled = cancelled}));
    }
    VEC_PUSH(&found, ((struct registry){.s = s, .host = ref->host, .path = ref->path, .cancelled = cancelled}));
    *n = found.n;
    *out = ARENA_ARRAY(a, struct registry, found.n);
    memcpy(*out, found.items, found.n * sizeof **out);
    VEC_FINI(&found);
    return ok;
}

static struct str server_of(struct str host) { return str_is(host, "docker.io") ? STR("registry-1.docker.io") : host; }

/* ---- talking ---- */

static struct str field_of(const struct web_reply *r, const char *name)
{
    for (size_t i = 0; i < r->n_fields; i++)
        if (str_is(r->fields[i].name, name)) return r->fields[i].value;
    return STR_NONE;
}

bool registry_is_passing(const struct web_reply *r) { return r->status == 429 || r->status == 408 || r->status >= 500; }

bool registry_wait(const struct registry *r, unsigned tries, const struct web_reply *reply)
{
    int64_t s = 0, ms = PAUSE_MS << MIN(tries - 1, 6u);
    if (tries >= LIMIT_IMAGE_TRIES) return false;
    ms += (int64_t)(random_u64() % (uint64_t)(ms / 2 + 1));
    if (reply && str_to_i64(field_of(reply, "Retry-After"), &s) && s >= 0) ms = MIN(s, (int64_t)LIMIT_IMAGE_WAIT_MS / 1000) * 1000;
    int64_t until = clock_mono_us() + ms * 1000, left;
    while ((left = until - clock_mono_us()) > 0) {
        if (r->cancelled && atomic_load(r->cancelled)) return false;
        poll(NULL, 0, (int)MIN(left / 1000 + 1, (int64_t)LOOK_MS));
    }
    return !(r->cancelled && atomic_load(r->cancelled));
}

bool registry_says(struct arena *a, const struct registry *r, const struct web_reply *reply, const char *what, struct err *e)
{
    struct val v = val_null;
    struct err ignored;
    json_parse(a, reply->body, NULL, &v, &ignored);
    struct str why = str_sub(val_text(val_path(&v, "errors.0.message")), 0, 150);
    if (!why.n) why = reply->status_text;
    if (reply->status == 401 || reply->status == 403)
        return err_set(e, ERR_AUTH, "registry %.*s refuses %s: %.*s (not there, or to be seen only after `docker login` or `podman login`)",
                       STR_ARG(r->host), what, STR_ARG(why));
    if (reply->status == 404) return err_set(e, ERR_NOT_FOUND, "registry %.*s has no %s: %.*s", STR_ARG(r->host), what, STR_ARG(why));
    return err_set(e, ERR_UNREACHABLE, "registry %.*s, asked for %s, answers %d: %.*s", STR_ARG(r->host), what, reply->status, STR_ARG(why));
}

static bool ping_as(struct arena *a, struct registry *r, const char *scheme, bool insecure, struct err *e)
{
    struct web_reply reply;
    struct str base = str_fmt(a, "%s://%.*s", scheme, STR_ARG(server_of(r->host)));
    struct web_request q = {.url = str_cat(a, base, STR("/v2/")), .insecure = insecure, .timeout_ms = LIMIT_IMAGE_TALK_MS,
                            .max_bytes = LIMIT_IMAGE_DOCUMENT_BYTES, .cancelled = r->cancelled, .same_origin = true};
    if (!web_fetch(a, &q, &reply, e)) return false;
    if (reply.status == 404 || reply.status == 400)
        return err_set(e, ERR_UNREACHABLE, "%.*s is no registry of images (version 2): it answers %d", STR_ARG(r->host), reply.status);
    r->base = base;
    r->insecure = insecure;
    known_set(r->s->registries, str_fmt(a, "ping %.*s", STR_ARG(r->host)), str_cat(a, insecure ? STR("!") : STR(""), base), 0);
    return true;
}

bool registry_ping(struct arena *a, struct registry *r, struct err *e)
{
    struct str known = known_get(a, r->s->registries, str_fmt(a, "ping %.*s", STR_ARG(r->host)));
    struct err why = {0};
    if (known.p) {
        r->insecure = str_starts(known, STR("!"));
        r->base = str_from(known, r->insecure);
        return true;
    }
    bool plain = may_be_plain(&r->s->settings, r->host);
    for (unsigned tries = 1;; tries++) {
        if (ping_as(a, r, "https", plain, &why) || (plain && ping_as(a, r, "http", false, &why))) return true;
        if (why.code != ERR_TIMEOUT || tries > 1 || !registry_wait(r, tries, NULL)) break; /* a time-out is long enough */
    }
    if (r->cancelled && atomic_load(r->cancelled)) return err_set(e, ERR_TIMEOUT, "not wanted any more");
    return err_set(e, why.code, "registry %.*s: %s", STR_ARG(r->host), why.text);
}

/* ---- tokens ---- */

static void query_add(struct buf *b, const char *key, struct str value)
{
    buf_printf(b, "%c%s=", str_find_char(buf_view(b), '?', 0) < 0 ? '?' : '&', key);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("-_.~", c));
        if (plain) buf_char(b, (char)c);
        else buf_printf(b, "%%%02X", c);
    }
}

/* With a refresh token by POST (OAuth 2), else by GET. */
static void token_request(struct arena *a, const struct challenge *c, const struct credential *cred, struct str scope, struct web_request *q)
{
    static const struct web_field form = {{"Content-Type", 12}, {"application/x-www-form-urlencoded", 33}};
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, LIMIT_IMAGE_TOKEN_BYTES);
    if (!cred->identity.n) buf_str(&b, c->realm);
    if (c->service.n) query_add(&b, "service", c->service);
    query_add(&b, "scope", scope);
    if (cred->identity.n) {
        query_add(&b, "grant_type", STR("refresh_token"));
        query_add(&b, "client_id", STR("skiff"));
        query_add(&b, "refresh_token", cred->identity);
        *q = (struct web_request){.method = STR("POST"), .url = c->realm, .fields = &form, .n_fields = 1, .body = str_from(buf_dup(a, &b), 1)};
    } else {
        *q = (struct web_request){.url = buf_dup(a, &b), .user = cred->user, .password = cred->password};
    }
}

static bool token_read(struct arena *a, const struct registry *r, const struct web_reply *reply, struct str *token, int64_t *life_s, struct err *e)
{
    struct val v;
    struct err ignored;
    const struct val *life;
    if (!json_parse(a, reply->body, NULL, &v, &ignored))
        return err_set(e, ERR_AUTH, "the token service of registry %.*s answers no JSON", STR_ARG(r->host));
    *token = val_get_str(&v, "token").n ? val_get_str(&v, "token") : val_get_str(&v, "access_token");
    life = val_get(&v, STR("expires_in"));
    if (!life || !val_i64(life, life_s) || *life_s < 0) *life_s = TOKEN_S;
    *life_s = MIN(*life_s, (int64_t)24 * 3600);
    return token->n || err_set(e, ERR_AUTH, "the token service of registry %.*s gives no token", STR_ARG(r->host));
}

/* The host of an address and, when there is one, its port; absent when it has more to it than that. */
static struct str authority_of(struct str url)
{
    size_t from = str_starts(url, STR("https://")) ? 8 : 7, n = 0;
    struct str rest = str_from(url, from);
    while (n < rest.n && !strchr("/?#", rest.p[n])) n++;
    for (size_t i = 0; i < n; i++)
        if (strchr("@\\%", rest.p[i])) return STR_NONE;
    return str_sub(rest, 0, n);
}

static struct str without_port(struct str host)
{
    size_t n = host.n;
    while (n && host.p[n - 1] >= '0' && host.p[n - 1] <= '9') n--;
    return n && host.p[n - 1] == ':' ? str_sub(host, 0, n - 1) : host;
}

/* May credentials go to `realm` without TLS, or with any certificate? Only to hosts that are known for it, or when the registry
 * itself, under another port, is such a one. */
static bool realm_may_be_plain(const struct registry *r, struct str realm)
{
    struct str host = authority_of(realm);
    bool lax = r->insecure || str_starts(r->base, STR("http://"));
    return host.n && (may_be_plain(&r->s->settings, host) || (lax && str_eq(without_port(host), without_port(r->host))));
}

static bool token_get(struct arena *a, struct registry *r, const struct challenge *c, const struct credential *cred, struct str *header,
                      int64_t *life_s, struct err *e)
{
    struct web_request q;
    struct web_reply reply;
    struct str token = STR_NONE, scope = c->scope.n ? c->scope : str_fmt(a, "repository:%.*s:pull", STR_ARG(r->path));
    bool plain = realm_may_be_plain(r, c->realm);
    if (!str_starts(c->realm, STR("https://")) && !(plain && str_starts(c->realm, STR("http://"))))
        return err_set(e, ERR_AUTH, "registry %.*s wants its token fetched without TLS, or nowhere: '%.*s' (images.insecure lists hosts that may)",
                       STR_ARG(r->host), STR_ARG(str_sub(c->realm, 0, 200)));
    token_request(a, c, cred, scope, &q);
    q.timeout_ms = LIMIT_IMAGE_TALK_MS;
    q.max_bytes = LIMIT_IMAGE_TOKEN_BYTES;
    q.same_origin = true;
    q.insecure = plain;
    q.cancelled = r->cancelled;
    for (unsigned tries = 1;; tries++) {
        bool ok = web_fetch(a, &q, &reply, e);
        if (ok && !registry_is_passing(&reply)) break;
        if (!ok && e->code != ERR_UNREACHABLE && e->code != ERR_TIMEOUT) return err_ctx(e, "a token for registry %.*s", STR_ARG(r->host));
        if (registry_wait(r, tries, ok ? &reply : NULL)) continue;
        return ok ? registry_says(a, r, &reply, "a token", e) : err_ctx(e, "a token for registry %.*s", STR_ARG(r->host));
    }
    if (reply.status != 200) return registry_says(a, r, &reply, "a token", e);
    if (!token_read(a, r, &reply, &token, life_s, e)) return false;
    *header = str_fmt(a, "Bearer %.*s", STR_ARG(token));
    return true;
}

/* A 401 came: what to send instead. *header absent: nothing is known. */
static bool auth_get(struct arena *a, struct registry *r, const struct web_reply *reply, struct str *header, struct err *e)
{
    struct challenge c = {0};
    struct credential cred;
    int64_t life_s = 0;
    *header = STR_NONE;
    for (size_t i = 0; i < reply->n_fields; i++)
        if (str_is(reply->fields[i].name, "Www-Authenticate")) challenge_parse(a, reply->fields[i].value, &c);
    if (!c.bearer && !c.basic) return true;
    if (!credential_find(a, &r->s->settings, r->host, r->path, r->cancelled, &cred, e)) return false;
    if (c.bearer && !token_get(a, r, &c, &cred, header, &life_s, e)) return false;
    if (!c.bearer && cred.user.n) {
        struct str both = str_fmt(a, "%.*s:%.*s", STR_ARG(cred.user), STR_ARG(cred.password));
        *header = str_fmt(a, "Basic %s", base64_encode(a, both).p);
    }
    if (!header->p) return true;
    int64_t until = c.bearer ? clock_mono_us() + MAX(life_s - TOKEN_MARGIN_S, (int64_t)1) * 1000000 : 0;
    known_set(r->s->registries, str_fmt(a, "auth %.*s/%.*s", STR_ARG(r->host), STR_ARG(r->path)), *header, until);
    return true;
}

/* One request with what authentication it needs; `fields` has room for one more. */
static bool ask(struct arena *a, struct registry *r, struct web_request *q, struct web_field *fields, size_t n, struct web_reply *reply,
                struct err *e)
{
    struct str auth = known_get(a, r->s->registries, str_fmt(a, "auth %.*s/%.*s", STR_ARG(r->host), STR_ARG(r->path)));
    q->same_origin = true;
    q->insecure = r->insecure;
    q->cancelled = r->cancelled;
    for (int again = 0; again < 2; again++) {
        fields[n] = (struct web_field){STR("Authorization"), auth};
        q->fields = fields;
        q->n_fields = n + (auth.p ? 1 : 0);
        if (!web_fetch(a, q, reply, e)) return false;
        if (reply->status != 401 || again || reply->led_away) return true; /* others' challenges are not answered */
        if (!auth_get(a, r, reply, &auth, e)) return false;
        if (!auth.p) return true;
    }
    return true;
}

bool registry_manifest(struct arena *a, struct registry *r, struct str reference, struct str *bytes, struct str *type, struct str *digest,
                       struct err *e)
{
    struct web_field fields[3] = {{STR("Accept"), str_of(image_document_types)}, {STR("Accept-Encoding"), STR("identity")}};
    struct web_reply reply;
    struct web_request q = {.url = str_fmt(a, "%.*s/v2/%.*s/manifests/%.*s", STR_ARG(r->base), STR_ARG(r->path), STR_ARG(reference)),
                            .timeout_ms = LIMIT_IMAGE_TALK_MS, .max_bytes = LIMIT_IMAGE_DOCUMENT_BYTES};
    const char *what = str_fmt(a, "manifest %.*s of %.*s", STR_ARG(reference), STR_ARG(r->path)).p;
    for (unsigned tries = 1;; tries++) {
        bool ok = ask(a, r, &q, fields, 2, &reply, e);
        if (ok && !registry_is_passing(&reply)) break;
        if (!ok && e->code != ERR_UNREACHABLE && e->code != ERR_TIMEOUT) return err_ctx(e, "registry %.*s", STR_ARG(r->host));
        if (registry_wait(r, tries, ok ? &reply : NULL)) continue;
        return ok ? registry_says(a, r, &reply, what, e) : err_ctx(e, "registry %.*s", STR_ARG(r->host));
    }
    if (reply.status != 200) return registry_says(a, r, &reply, what, e);
    struct str said = field_of(&reply, "Docker-Content-Digest");
    *bytes = reply.body;
    *type = field_of(&reply, "Content-Type");
    *digest = digest_of(a, reply.body);
    if (digest_check(reference, NULL)) {
        *digest = reference;
        return digest_verify(reference, reply.body, what, e);
    }
    return !str_starts(said, STR("sha256:")) || str_eq(said, *digest) ||
           err_set(e, ERR_SPEC, "registry %.*s says that %s has the digest %.*s, but it has %.*s", STR_ARG(r->host), what,
                   STR_ARG(str_sub(said, 0, 150)), STR_ARG(*digest));
}

bool registry_blob(struct arena *a, struct registry *r, struct str digest, uint64_t offset, uint64_t size,
                   bool (*on_piece)(void *user, const struct web_reply *head, struct str piece, struct err *e), void *user,
                   struct web_reply *reply, struct err *e)
{
    struct web_field fields[3] = {{STR("Accept-Encoding"), STR("identity")}};
    size_t n = 1;
    struct web_request q = {.url = str_fmt(a, "%.*s/v2/%.*s/blobs/%.*s", STR_ARG(r->base), STR_ARG(r->path), STR_ARG(digest)),
                            .max_bytes = size, .on_piece = on_piece, .piece_user = user, .stall_s = LIMIT_IMAGE_STALL_S};
    if (offset) fields[n++] = (struct web_field){STR("Range"), str_fmt(a, "bytes=%llu-", (unsigned long long)offset)};
    return ask(a, r, &q, fields, n, reply, e);
}
