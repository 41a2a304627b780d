/* Tokens: who may call a server, and what for.
 *
 * A token is a text that its owner shows, skt_ID_SECRET: ID (16 hex digits) is no secret and finds the row, SECRET (64 hex
 * digits, 256 random bits) is shown once and kept as an argon2id hash alone. A row is an object of a kind that no
 * document has. Runs on: the loop thread. */
#pragma once
#include "doc/val.h"
#include "store/store.h"

/* In order: each may do what those before may. The names are those of src/api/routes.def. */
enum auth_role { AUTH_OPEN, AUTH_VIEW, AUTH_RUN, AUTH_ADMIN };
const char *auth_role_text(enum auth_role role); /* "view" */
bool auth_role_parse(struct str text, enum auth_role *out, struct err *e); /* view, run, admin */

/* Who signed in elsewhere, in the words of whoever vouches for it. */
struct auth_person {
    struct str issuer, subject;
    struct str email, name, username; /* absent: not said */
    bool email_verified;
    const struct str *groups;
    size_t n;
};

struct auth_token {
    const struct auth_person *person; /* what is shown is theirs; NULL: a token of ours, as all of the following but role and namespaces */
    struct str id, name; /* of a person: of their session, if it is one; whom to call them */
    enum auth_role role;
    const struct str *namespaces; /* n of them; n == 0: all */
    size_t n;
    int64_t created_us, expires_us, used_us; /* 0: never */
    struct str hash;
};
/* Is `ns` among its namespaces? Absent or "": all of them are meant. */
bool auth_token_covers(const struct auth_token *t, struct str ns);
bool auth_token_expired(const struct auth_token *t, int64_t now_us);

/* token.c: the text */

enum { TOKEN_ID = 16, TOKEN_SECRET = 64, TOKEN_TEXT = 4 + TOKEN_ID + 1 + TOKEN_SECRET, TOKEN_HASH = 128 /* libsodium's form of an argon2id hash */ };
bool token_text_parse(struct str text, struct str *id, struct str *secret);
/* Any text of this form, by its first four characters: "skt_" of tokens, "sks_" of sessions. */
struct str auth_text_make(struct arena *a, const char *prefix);
bool auth_text_parse(const char *prefix, struct str text, struct str *id, struct str *secret);
/* name, role, namespaces and expires_us of `want` as a new row: CONFLICT when the name is taken, SPEC when something is
 * not valid. Within a write transaction. *text is the only place where the secret is. */
bool auth_token_create(struct arena *a, struct store *s, const struct auth_token *want, int64_t now_us, struct str *text,
                       struct auth_token *made, struct err *e);

/* row.c: what is stored */

/* Begins a map in `b` with a token's name and what it allows: role and namespaces. */
void auth_token_begin(struct arena *a, const struct auth_token *t, struct val_builder *b);
bool auth_token_put(struct store *s, const struct auth_token *t, struct err *e);
bool auth_token_get(struct arena *a, struct store *s, struct str id, struct auth_token *out, struct err *e); /* NOT_FOUND */
bool auth_token_list(struct arena *a, struct store *s, struct auth_token **out, size_t *n, struct err *e);   /* by name */
bool auth_token_any(struct store *s, bool *any, struct err *e);
bool auth_token_delete(struct store *s, struct str name, int64_t now_us, struct err *e); /* NOT_FOUND */
