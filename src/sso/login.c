/* See login.h. The cookie is RANDOM.EXPIRY.REDIRECT; each value that follows from it is a keyed hash of its purpose and the cookie. */
#include "sso/login.h"

#include "auth/sodium.h"
#include "base/limits.h"
#include "os/random.h"
#include "sso/jwt.h"

enum { RANDOM = 32, NAME = 12 /* characters of the state in the cookie's name */, STATE = 43, MAC = crypto_auth_hmacsha256_BYTES, HASH = crypto_hash_sha256_BYTES, S = 1000000 };
_Static_assert((int)LOGIN_KEY == crypto_auth_hmacsha256_KEYBYTES, "the key's size");

void login_key_make(unsigned char key[LOGIN_KEY]) { random_bytes(key, LOGIN_KEY); }

static struct str derived(struct arena *a, const struct sodium_api *sodium, const unsigned char key[LOGIN_KEY], const char *what, struct str cookie)
{
    unsigned char mac[MAC];
    struct str text = str_fmt(a, "%s\n%.*s", what, STR_ARG(cookie));
    sodium->crypto_auth_hmacsha256(mac, (const unsigned char *)text.p, text.n, key);
    return base64url_encode(a, str_n((const char *)mac, sizeof mac));
}

struct str login_cookie_name(struct arena *a, struct str state)
{
    for (size_t i = 0; i < state.n; i++)
        if (!char_is_one_of(state.p[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")) return STR_NONE;
    return state.n == STATE ? str_fmt(a, "skiff-login-%.*s", NAME, state.p) : STR_NONE;
}

static void follow(struct arena *a, const struct sodium_api *sodium, const unsigned char key[LOGIN_KEY], struct login *l)
{
    unsigned char hash[HASH];
    l->state = derived(a, sodium, key, "state", l->cookie);
    l->nonce = derived(a, sodium, key, "nonce", l->cookie);
    l->verifier = derived(a, sodium, key, "verifier", l->cookie);
    sodium->crypto_hash_sha256(hash, (const unsigned char *)l->verifier.p, l->verifier.n);
    l->challenge = base64url_encode(a, str_n((const char *)hash, sizeof hash));
    l->cookie_name = login_cookie_name(a, l->state);
}

bool login_begin(struct arena *a, const unsigned char key[LOGIN_KEY], struct str redirect, int64_t now_us, struct login *out, struct err *e)
{
    char random[RANDOM];
    const struct sodium_api *sodium = sodium_open(e);
    if (!sodium) return false;
    random_bytes(random, sizeof random);
    *out = (struct login){.redirect = redirect};
    struct str once = base64url_encode(a, str_n(random, sizeof random)), path = base64url_encode(a, redirect);
    out->cookie = str_fmt(a, "%.*s.%lld.%.*s", STR_ARG(once), (long long)(now_us / S + LIMIT_SSO_LOGIN_S), STR_ARG(path));
    follow(a, sodium, key, out);
    return true;
}

bool login_resume(struct arena *a, const unsigned char key[LOGIN_KEY], struct str cookie, struct str state, int64_t now_us, struct login *out,
                  struct err *e)
{
    const struct sodium_api *sodium = sodium_open(e);
    struct str once, rest, until, path;
    int64_t until_s;
    *out = (struct login){.cookie = cookie};
    if (!sodium) return false;
    follow(a, sodium, key, out);
    out->ours = cookie.n && state.n == out->state.n && sodium->sodium_memcmp(state.p, out->state.p, state.n) == 0;
    out->ours = out->ours && str_cut(cookie, '.', &once, &rest) && str_cut(rest, '.', &until, &path) && str_to_i64(until, &until_s) &&
                base64url_decode(a, path, &out->redirect);
    if (!out->ours) return err_set(e, ERR_AUTH, "this browser has not begun that sign-in here (state): begin again");
    return now_us / S < until_s || err_set(e, ERR_AUTH, "the sign-in took too long: begin again");
}

struct str login_error_word(struct str said)
{
    for (size_t i = 0; i < said.n; i++)
        if (!char_is_one_of(said.p[i], "abcdefghijklmnopqrstuvwxyz_")) return STR("");
    return str_sub(said, 0, 64);
}

/* ---- where it leads ---- */

/* "https://host:port" of an address; its length. */
static size_t origin_of(struct str url)
{
    ptrdiff_t at = str_find(url, STR("://"), 0);
    ptrdiff_t slash = at < 0 ? -1 : str_find_char(url, '/', (size_t)at + 3);
    return slash < 0 ? url.n : (size_t)slash;
}

/* Browsers read "//host" and "/\host" as another host, and drop tabs and line ends before they look. */
bool login_redirect_path(struct str wanted, struct str own, struct str *path)
{
    struct str origin = str_sub(own, 0, origin_of(own));
    *path = STR("/");
    if (wanted.n > LIMIT_SSO_REDIRECT_BYTES) return false;
    for (size_t i = 0; i < wanted.n; i++)
        if ((unsigned char)wanted.p[i] <= ' ' || (unsigned char)wanted.p[i] >= 0x7f || wanted.p[i] == '\\') return false;
    if (origin.n && str_starts(wanted, origin)) wanted = str_from(wanted, origin.n);
    if (!wanted.n) return true;
    if (wanted.p[0] != '/' || (wanted.n > 1 && wanted.p[1] == '/')) return false;
    *path = wanted;
    return true;
}
