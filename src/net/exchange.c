/* One request over its hops: what libcurl is told, what it hands back, where it leads. See exchange_p.h.
 * Runs on: the thread that drives the exchange. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/version.h"
#include "net/exchange_p.h"

enum { STATUS_TEXT_MAX = 200, KEEP_ALIVE_S = 20 };

/* ---- the request ---- */

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s.p[i])) return false;
    return s.n > 0;
}

static bool request_check(const struct web_request *r, struct err *e)
{
    if (r->method.n && !is_token(r->method))
        return err_set(e, ERR_SPEC, "net/http: invalid method \"%.*s\"", STR_ARG(r->method));
    for (size_t i = 0; i < r->n_fields; i++) {
        const struct web_field *f = &r->fields[i];
        if (!is_token(f->name))
            return err_set(e, ERR_SPEC, "net/http: invalid header field name \"%.*s\"", STR_ARG(f->name));
        for (size_t k = 0; k < f->value.n; k++) /* its value may be a secret: not shown */
            if (((unsigned char)f->value.p[k] < ' ' && f->value.p[k] != '\t') || f->value.p[k] == 0x7f)
                return err_set(e, ERR_SPEC, "net/http: invalid header field value for \"%.*s\"", STR_ARG(f->name));
    }
    return true;
}

static void request_copy(struct exchange *x, const struct web_request *r)
{
    struct arena *a = &x->arena;
    struct web_field *fields = ARENA_ARRAY(a, struct web_field, r->n_fields + 1);
    x->req = *r;
    for (size_t i = 0; i < r->n_fields; i++)
        fields[i] = (struct web_field){str_dup(a, r->fields[i].name), str_dup(a, r->fields[i].value)};
    x->req.fields = fields;
    x->req.body = str_dup(a, r->body);
    x->req.user = str_dup(a, r->user);
    x->req.password = str_dup(a, r->password);
    x->req.cert = str_dup(a, r->cert);
    x->req.key = str_dup(a, r->key);
    x->req.ca_file = str_dup(a, r->ca_file);
    x->req.proxy = str_dup(a, r->proxy);
    if (r->socket) x->req.socket = str_dup(a, str_of(r->socket)).p;
    if (!x->req.max_bytes) x->req.max_bytes = LIMIT_WEB_BODY_BYTES;
    x->method = r->method.n ? str_dup(a, r->method) : STR("GET");
    x->req.method = x->method;
}

/* ---- connections that stay ---- */

struct web_kept {
    const struct curl_api *curl;
    CURL *easy; /* NULL: a request has it, or there was none yet */
};

struct web_kept *web_kept_new(void) { return mem_zalloc(sizeof(struct web_kept)); }

void web_kept_free(struct web_kept *k)
{
    if (k && k->easy) k->curl->easy_cleanup(k->easy);
    free(k);
}

static CURL *kept_take(struct web_kept *k)
{
    CURL *easy = k ? k->easy : NULL;
    if (k) k->easy = NULL;
    return easy;
}

/* False: there is one already, or nobody keeps any. */
static bool kept_give(struct web_kept *k, const struct curl_api *curl, CURL *easy)
{
    if (!k || k->easy) return false;
    *k = (struct web_kept){curl, easy};
    return true;
}

/* In memory: of what goes elsewhere only a refusal. */
static size_t most_kept(const struct web_request *r)
{
    uint64_t most = r->on_piece || r->to_file ? LIMIT_WEB_BODY_BYTES : LIMIT_WEB_ANSWER_BYTES;
    return (size_t)MIN(MAX(r->max_bytes, (uint64_t)LIMIT_WEB_REFUSAL_BYTES), most);
}

bool exchange_begin(struct exchange *x, const struct web_request *r, struct err *e)
{
    *x = (struct exchange){.trusted = true, .keeps_host = true, .with_body = r->body.n || r->from_file};
    arena_init(&x->arena);
    if (!request_check(r, e)) return false;
    request_copy(x, r);
    buf_init(&x->body, most_kept(&x->req));
    if (!address_clean(&x->arena, r->url, &x->url, e)) return false;
    if (!(x->curl = curl_open(e))) return false;
    x->easy = kept_take(r->kept);
    if (!x->easy && !(x->easy = x->curl->easy_init())) return err_set(e, ERR_INTERNAL, "no room for a request");
    x->first_host = address_part(x->curl, &x->arena, x->url, CURLUPART_HOST);
    if (r->timeout_ms > 0) x->deadline_us = loop_now_us() + r->timeout_ms * 1000;
    return true;
}

void exchange_fini(struct exchange *x)
{
    if (x->easy && !kept_give(x->req.kept, x->curl, x->easy)) x->curl->easy_cleanup(x->easy);
    if (x->lines) x->curl->slist_free_all(x->lines);
    VEC_FINI(&x->fields);
    buf_fini(&x->body);
    arena_fini(&x->arena);
}

/* ---- the reply ---- */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

static bool same_name(struct str a, const char *b)
{
    size_t i = 0;
    for (; i < a.n && b[i]; i++)
        if (lower(a.p[i]) != lower(b[i])) return false;
    return i == a.n && !b[i];
}

struct str web_field_name(struct arena *a, struct str name)
{
    bool upper = true;
    char *p = arena_alloc_bytes(a, name.n + 1);
    for (size_t i = 0; i < name.n; i++) {
        char c = lower(name.p[i]);
        p[i] = upper && c >= 'a' && c <= 'z' ? (char)(c & ~32) : c;
        upper = c == '-';
    }
    p[name.n] = 0;
    return is_token(name) ? str_n(p, name.n) : str_dup(a, name);
}

/* A status line: of this hop, or of an interim or a proxy's reply before it, which counts no more. */
static void head_begin(struct exchange *x, struct str line)
{
    struct str version, rest, code, text;
    int64_t status = 0;
    x->fields.n = 0;
    str_cut(line, ' ', &version, &rest);
    str_cut(str_trim(rest), ' ', &code, &text);
    str_to_i64(code, &status);
    x->status = (int)status;
    x->status_text = str_fmt(&x->arena, "%d %.*s", x->status, STR_ARG(str_sub(str_trim(text), 0, STATUS_TEXT_MAX)));
    x->status_text = str_trim(x->status_text);
}

static bool is_success(const struct exchange *x) { return x->status >= 200 && x->status < 300; }

static size_t on_head(char *p, size_t size, size_t n, void *user)
{
    struct exchange *x = user;
    struct str line = str_n(p, size * n), name, value;
    x->head_bytes += line.n;
    if (x->head_bytes > LIMIT_HTTP_HEAD_BYTES || x->fields.n >= LIMIT_HTTP_HEADERS) {
        err_set(&x->err, ERR_LIMIT, "net/http: the reply's header exceeds %d bytes or %d fields", LIMIT_HTTP_HEAD_BYTES,
                LIMIT_HTTP_HEADERS);
        return 0;
    }
    if (str_starts(line, STR("HTTP/"))) {
        head_begin(x, line);
    } else if (!str_trim(line).n && x->req.tell_head && is_success(x)) {
        struct web_reply head = exchange_reply(x);
        if (!x->req.on_piece(x->req.piece_user, &head, STR(""), &x->err)) return 0;
    } else if (str_cut(line, ':', &name, &value) && x->status) {
        struct web_field f = {web_field_name(&x->arena, str_trim(name)), str_dup(&x->arena, str_trim(value))};
        VEC_PUSH(&x->fields, f);
    }
    return size * n;
}

static bool to_sink(const struct exchange *x) { return x->req.to_file && is_success(x); }

static bool sink_write(struct exchange *x, struct str piece)
{
    while (piece.n) {
        ssize_t n = write(x->req.sink_fd, piece.p, piece.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(&x->err, "cannot write what was received");
        piece = str_from(piece, (size_t)n);
    }
    return true;
}

/* Of a reply's body. What is asked for in pieces or into a file may be small; how it is refused has room for words all the same. */
static uint64_t most_bytes(const struct exchange *x)
{
    bool refused = (x->req.on_piece || x->req.to_file) && (x->status < 200 || x->status >= 300);
    return refused ? MAX(x->req.max_bytes, (uint64_t)LIMIT_WEB_REFUSAL_BYTES) : x->req.max_bytes;
}

/* What says that it is too large need not come first. */
static bool says_too_large(const struct exchange *x)
{
    int64_t n = 0;
    for (size_t i = 0; i < x->fields.n; i++)
        if (same_name(x->fields.items[i].name, "Content-Length") && str_to_i64(x->fields.items[i].value, &n) && n > 0 && (uint64_t)n > most_bytes(x)) return true;
    return false;
}

static size_t on_body(char *p, size_t size, size_t n, void *user)
{
    struct exchange *x = user;
    struct str piece = str_n(p, size * n);
    bool first = !x->body_bytes;
    x->body_bytes += piece.n;
    if (x->body_bytes > most_bytes(x) || (first && says_too_large(x))) {
        err_set(&x->err, ERR_LIMIT, "the reply is larger than %llu bytes", (unsigned long long)most_bytes(x));
        return 0;
    }
    if (x->req.on_piece && is_success(x)) {
        struct web_reply head = exchange_reply(x);
        head.body = STR_NONE;
        return x->req.on_piece(x->req.piece_user, &head, piece, &x->err) ? piece.n : 0;
    }
    if (to_sink(x)) return sink_write(x, piece) ? piece.n : 0;
    buf_str(&x->body, piece); /* with a sink: of an error, which is small or cut */
    return piece.n;
}

static size_t on_source(char *p, size_t size, size_t n, void *user)
{
    struct exchange *x = user;
    ssize_t got;
    do got = read(x->req.source_fd, p, size * n);
    while (got < 0 && errno == EINTR);
    if (got >= 0) return (size_t)got;
    err_sys(&x->err, "cannot read what is to be sent");
    return CURL_READFUNC_ABORT;
}

static int on_rewind(void *user, curl_off_t at, int whence)
{
    struct exchange *x = user;
    return lseek(x->req.source_fd, (off_t)at, whence) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct exchange *x = user;
    (void)a, (void)b, (void)c, (void)d;
    return x->req.cancelled && atomic_load(x->req.cancelled);
}

/* ---- one hop ---- */

static bool is_among(struct str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same_name(name, names[i])) return true;
    return false;
}

/* Go's list; with same_origin whatever may be one, such as an X-Api-Key. */
static bool is_credential(const struct exchange *x, struct str name)
{
    static const char *const secret[] = {"authorization", "www-authenticate", "cookie", "cookie2"};
    static const char *const plain[] = {"accept", "accept-encoding", "content-type", "range", "user-agent"};
    return x->req.same_origin ? !is_among(name, plain, ARRAY_LEN(plain)) : is_among(name, secret, ARRAY_LEN(secret));
}

static void line_add(struct exchange *x, const char *line)
{
    struct curl_slist *more = x->curl->slist_append(x->lines, line);
    if (more) x->lines = more;
}

static bool has_field(const struct exchange *x, const char *name)
{
    for (size_t i = 0; i < x->req.n_fields; i++)
        if (same_name(x->req.fields[i].name, name)) return true;
    return false;
}

/* Those of the request; and what libcurl would add by itself and Go does not is taken out. */
static void lines_make(struct exchange *x)
{
    static const char *const unasked[] = {"Accept", "Content-Type", "Expect"};
    if (x->lines) x->curl->slist_free_all(x->lines);
    x->lines = NULL;
    for (size_t i = 0; i < ARRAY_LEN(unasked); i++)
        if (!has_field(x, unasked[i])) line_add(x, str_fmt(&x->arena, "%s:", unasked[i]).p);
    if (!has_field(x, "User-Agent")) line_add(x, "User-Agent: skiff/" SKIFF_VERSION);
    for (size_t i = 0; i < x->req.n_fields; i++) {
        const struct web_field *f = &x->req.fields[i];
        struct str value = str_trim(f->value);
        if ((!x->trusted && is_credential(x, f->name)) || same_name(f->name, "content-length")) continue;
        if (same_name(f->name, "host") && !x->keeps_host) continue;
        line_add(x, value.n ? str_fmt(&x->arena, "%.*s: %.*s", STR_ARG(f->name), STR_ARG(value)).p
                            : str_fmt(&x->arena, "%.*s;", STR_ARG(f->name)).p); /* libcurl's way to send an empty one */
    }
}

static void set_body(struct exchange *x)
{
    const struct curl_api *c = x->curl;
    struct stat st;
    bool always = str_is(x->method, "POST") || str_is(x->method, "PUT") || str_is(x->method, "PATCH");
    c->easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, x->method.p);
    if (str_is(x->method, "HEAD")) {
        c->easy_setopt(x->easy, CURLOPT_NOBODY, 1L);
    } else if (x->with_body && x->req.from_file) {
        off_t size = fstat(x->req.source_fd, &st) == 0 ? st.st_size : -1;
        lseek(x->req.source_fd, 0, SEEK_SET);
        c->easy_setopt(x->easy, CURLOPT_UPLOAD, 1L);
        c->easy_setopt(x->easy, CURLOPT_READFUNCTION, on_source);
        c->easy_setopt(x->easy, CURLOPT_READDATA, x);
        c->easy_setopt(x->easy, CURLOPT_SEEKFUNCTION, on_rewind);
        c->easy_setopt(x->easy, CURLOPT_SEEKDATA, x);
        c->easy_setopt(x->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
    } else if (x->with_body || always) {
        c->easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, x->with_body ? (curl_off_t)x->req.body.n : 0);
        c->easy_setopt(x->easy, CURLOPT_POSTFIELDS, x->with_body ? x->req.body.p : "");
    }
}

static void set_security(struct exchange *x)
{
    const struct curl_api *c = x->curl;
    struct str host = address_part(c, &x->arena, x->url, CURLUPART_HOST);
    c->easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    c->easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, x->req.insecure ? 0L : 1L);
    c->easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, x->req.insecure ? 0L : 2L);
    const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
    if (file && *file) c->easy_setopt(x->easy, CURLOPT_CAINFO, file); /* as Go */
    if (dir && *dir) c->easy_setopt(x->easy, CURLOPT_CAPATH, dir);
    if (x->req.ca_file.n) c->easy_setopt(x->easy, CURLOPT_CAINFO, x->req.ca_file.p);
    if (x->req.proxy.n) c->easy_setopt(x->easy, CURLOPT_PROXY, x->req.proxy.p);
    if (x->req.proxy.n || address_is_local(host)) c->easy_setopt(x->easy, CURLOPT_NOPROXY, x->req.proxy.n ? "" : "*");
    if (x->trusted && (x->req.user.n || x->req.password.n)) {
        c->easy_setopt(x->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        c->easy_setopt(x->easy, CURLOPT_USERNAME, x->req.user.p ? x->req.user.p : "");
        c->easy_setopt(x->easy, CURLOPT_PASSWORD, x->req.password.p ? x->req.password.p : "");
    }
    if (!x->req.cert.n || !x->req.key.n) return;
    struct curl_blob cert = {(void *)x->req.cert.p, x->req.cert.n, CURL_BLOB_COPY};
    struct curl_blob key = {(void *)x->req.key.p, x->req.key.n, CURL_BLOB_COPY};
    c->easy_setopt(x->easy, CURLOPT_SSLCERTTYPE, "PEM");
    c->easy_setopt(x->easy, CURLOPT_SSLCERT_BLOB, &cert);
    c->easy_setopt(x->easy, CURLOPT_SSLKEYTYPE, "PEM");
    c->easy_setopt(x->easy, CURLOPT_SSLKEY_BLOB, &key);
}

static void set_receiver(struct exchange *x)
{
    const struct curl_api *c = x->curl;
    c->easy_setopt(x->easy, CURLOPT_PRIVATE, x);
    c->easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->text);
    c->easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_head);
    c->easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
    c->easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
    c->easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    if (!has_field(x, "Accept-Encoding")) c->easy_setopt(x->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (!x->req.cancelled) return;
    c->easy_setopt(x->easy, CURLOPT_NOPROGRESS, 0L);
    c->easy_setopt(x->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    c->easy_setopt(x->easy, CURLOPT_XFERINFODATA, x);
}

static bool out_of_time(struct err *e) { return err_set(e, ERR_TIMEOUT, "context deadline exceeded"); }

bool exchange_hop(struct exchange *x, struct err *e)
{
    const struct curl_api *c = x->curl;
    int64_t left_ms = x->deadline_us ? (x->deadline_us - loop_now_us() + 999) / 1000 : 0;
    if (x->deadline_us && left_ms <= 0) return out_of_time(e);
    x->requests++;
    x->status = 0;
    x->fields.n = x->head_bytes = 0;
    x->body_bytes = 0;
    x->text[0] = 0;
    buf_reset(&x->body);
    c->easy_reset(x->easy);
    lines_make(x);
    c->easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
    c->easy_setopt(x->easy, CURLOPT_QUICK_EXIT, 1L); /* whoever cancels does not wait for a look-up of a name */
    c->easy_setopt(x->easy, CURLOPT_URL, x->url.p);
    c->easy_setopt(x->easy, CURLOPT_PATH_AS_IS, 1L); /* as Go: a name `..` in it is a name, and leads to no other route */
    if (x->req.socket) c->easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, x->req.socket);
    c->easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->lines);
    if (x->req.http2) {
        c->easy_setopt(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
        c->easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 1L); /* libcurl 7.88 sends nothing on such a connection a second time */
        c->easy_setopt(x->easy, CURLOPT_FORBID_REUSE, 1L);
    }
    if (x->referer) c->easy_setopt(x->easy, CURLOPT_REFERER, x->referer);
    c->easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    c->easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS,
                   (long)(x->req.connect_timeout_ms ? x->req.connect_timeout_ms : LIMIT_WEB_CONNECT_MS));
    if (x->req.stall_s < 0) {
        c->easy_setopt(x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
        c->easy_setopt(x->easy, CURLOPT_TCP_KEEPIDLE, (long)KEEP_ALIVE_S);
        c->easy_setopt(x->easy, CURLOPT_TCP_KEEPINTVL, (long)KEEP_ALIVE_S);
    } else if (x->req.to_file || x->req.from_file || x->req.on_piece) { /* as long as it moves it may take */
        c->easy_setopt(x->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        c->easy_setopt(x->easy, CURLOPT_LOW_SPEED_TIME, (long)(x->req.stall_s ? x->req.stall_s : LIMIT_WEB_STALL_S));
    }
    set_body(x);
    set_security(x);
    set_receiver(x);
    return true;
}

struct web_reply exchange_reply(const struct exchange *x)
{
    return (struct web_reply){x->status, x->status_text, x->fields.items, x->fields.n, buf_view(&x->body), !x->trusted};
}

void reply_copy(struct arena *a, const struct web_reply *r, struct web_reply *out)
{
    struct web_field *fields = ARENA_ARRAY(a, struct web_field, r->n_fields + 1);
    for (size_t i = 0; i < r->n_fields; i++) fields[i] = (struct web_field){str_dup(a, r->fields[i].name), str_dup(a, r->fields[i].value)};
    *out = *r;
    out->fields = fields;
    out->status_text = str_dup(a, r->status_text);
    out->body = str_dup(a, r->body);
}
