/* What a token allows. See token.h. */
#include "auth/token.h"

static const char *const texts[] = {[AUTH_OPEN] = "open", [AUTH_VIEW] = "view", [AUTH_RUN] = "run", [AUTH_ADMIN] = "admin"};

const char *auth_role_text(enum auth_role role) { return texts[role]; }

bool auth_role_parse(struct str text, enum auth_role *out, struct err *e)
{
    for (int i = AUTH_VIEW; i <= AUTH_ADMIN; i++)
        if (str_is(text, texts[i])) return *out = (enum auth_role)i, true;
    return err_set(e, ERR_SPEC, "a role is view, run or admin, not '%.*s'", STR_ARG(text));
}

bool auth_token_covers(const struct auth_token *t, struct str ns)
{
    bool found = t->n == 0;
    for (size_t i = 0; !found && ns.n && i < t->n; i++) found = str_eq(t->namespaces[i], ns);
    return found;
}

bool auth_token_expired(const struct auth_token *t, int64_t now_us) { return t->expires_us && now_us >= t->expires_us; }
