/* Tokens, and who the caller is (Argo: server/info). */
#include "api/api_p.h"
#include "api/guard.h"
#include "service/tokens.h"

void list_tokens(struct http_req *r, void *user)
{
    struct val items;
    struct err e;
    bool ok = service_token_list(http_req_arena(r), api_service(user), &items, &e);
    api_answer_items(r, ok, items, &e);
}

void create_token(struct http_req *r, void *user)
{
    struct val body, made;
    struct err e;
    if (api_body(r, &body, &e) && service_token_create(http_req_arena(r), api_service(user), &body, &made, &e)) api_answer(r, &made);
    else http_reply_err(r, &e);
}

void delete_token(struct http_req *r, void *user)
{
    struct err e;
    bool ok = service_token_delete(api_service(user), http_req_param(r, "token"), &e);
    api_answer_empty(r, ok, &e);
}

static void person_put(struct arena *a, struct val_builder *b, const struct auth_person *p)
{
    struct val_builder groups;
    list_begin(&groups, a);
    for (size_t i = 0; i < p->n; i++) list_add(&groups, val_of_str(p->groups[i]));
    map_add_str(b, "issuer", p->issuer);
    map_add_str(b, "subject", p->subject);
    map_add_str(b, "name", p->name);
    map_add_str(b, "email", p->email);
    map_add(b, STR("emailVerified"), val_of_bool(p->email_verified));
    map_add(b, STR("groups"), list_done(&groups));
}

static void token_put(struct arena *a, struct val_builder *b, const struct auth_token *t)
{
    struct val_builder groups;
    list_begin(&groups, a);
    list_add(&groups, val_of_str(str_of(auth_role_text(t->role))));
    map_add_str(b, "issuer", STR("skiff"));
    map_add_str(b, "subject", t->name);
    map_add_str(b, "name", t->name);
    map_add(b, STR("groups"), list_done(&groups));
}

/* Who needs no token has no name, as with Argo's `--auth-mode server`. */
void get_userinfo(struct http_req *r, void *user)
{
    const struct auth_token *t = guard_caller(r);
    struct val_builder b;
    (void)user;
    map_begin(&b, http_req_arena(r));
    if (t && t->person) person_put(http_req_arena(r), &b, t->person);
    else if (t) token_put(http_req_arena(r), &b, t);
    struct val reply = map_done(&b);
    api_answer(r, &reply);
}

void get_info(struct http_req *r, void *user)
{
    (void)user;
    http_reply(r, 200, "application/json", STR("{\"managedNamespace\":\"\",\"links\":[],\"modals\":{},\"navColor\":\"\",\"columns\":[]}"));
}
