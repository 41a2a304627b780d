/* Tokens, and who the caller is (Argo: server/info). */
#include "api/api_p.h"
#include "api/guard.h"
#include "service/tokens.h"

void list_tokens(struct http_req *r, void *user)
{
    struct val_builder b;
    struct val items;
    struct err e;
    if (!service_token_list(http_req_arena(r), api_service(user), &items, &e)) {
        http_reply_err(r, &e);
        return;
    }
    map_begin(&b, http_req_arena(r));
    map_add(&b, STR("items"), items);
    struct val reply = map_done(&b);
    api_answer(r, &reply);
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

/* Who needs no token has no name, as with Argo's `--auth-mode server`. */
void get_userinfo(struct http_req *r, void *user)
{
    const struct auth_token *t = guard_caller(r);
    struct val_builder b, groups;
    (void)user;
    map_begin(&b, http_req_arena(r));
    if (t) {
        list_begin(&groups, http_req_arena(r));
        list_add(&groups, val_of_str(str_of(auth_role_text(t->role))));
        map_add_str(&b, "issuer", STR("skiff"));
        map_add_str(&b, "subject", t->name);
        map_add_str(&b, "name", t->name);
        map_add(&b, STR("groups"), list_done(&groups));
    }
    struct val reply = map_done(&b);
    api_answer(r, &reply);
}

void get_info(struct http_req *r, void *user)
{
    (void)user;
    http_reply(r, 200, "application/json", STR("{\"managedNamespace\":\"\",\"links\":[],\"modals\":{},\"navColor\":\"\",\"columns\":[]}"));
}
