/* Http templates: a request in place of a pod (operator.go executeHTTPTemplate, executor/agent.go).
 *
 * As in Argo the node is Pending until it ends, counts in no parallelism, and only `timeout` limits it
 * from here (activeDeadlineSeconds is a pod's); timeoutSeconds is part of the request. */
#include "doc/base64.h"
#include "doc/json_write.h"
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "lang/expr.h"

void http_begin(struct run *r, struct node *n)
{
    const struct val *tmpl = leaf_begin(r, n);
    if (!tmpl) return;
    struct action a = {.kind = ACTION_REQUEST, .node = n, .tmpl = tmpl};
    VEC_PUSH(&r->actions, a);
}

void http_end(struct run *r, struct node *n, struct str why)
{
    struct action a = {.kind = ACTION_CANCEL, .node = n};
    if (phase_fulfilled(n->phase)) return;
    node_finish(r, n, NODE_FAILED, why);
    VEC_PUSH(&r->actions, a);
}

/* The body is the result, whether or not anybody reads it; nothing else is an output. */
struct str http_outputs(struct run *r, const struct step_outcome *how)
{
    struct val_builder b;
    if (!how->result.p) return STR_NONE;
    map_begin(&b, &r->scratch);
    map_add_str(&b, "result", how->result);
    struct val outputs = map_done(&b);
    return json_text(&r->arena, &outputs);
}

/* ---- judging ---- */

/* Only those whose value stands in the template; a secret is not shown. The last of a name wins. */
static struct val request_headers(struct arena *a, const struct val *http)
{
    const struct val *list = val_get(http, STR("headers"));
    struct val_builder b;
    map_begin(&b, a);
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct val *h = &list->items[i];
        struct str value = val_get_str(h, "value");
        struct val_builder one;
        if (val_get(h, STR("valueFrom"))) continue;
        list_begin(&one, a);
        list_add(&one, val_of_str(value.p ? value : STR("")));
        map_set(&b, val_get_str(h, "name"), list_done(&one));
    }
    return map_done(&b);
}

/* []byte of Go, a list of numbers here. */
static struct val body_bytes(struct arena *a, const struct val *http)
{
    struct str bytes = STR(""), text = val_text(val_path(http, "bodyFrom.bytes"));
    struct val_builder b;
    if (text.p) base64_decode(a, text, &bytes);
    list_begin(&b, a);
    for (size_t i = 0; i < bytes.n; i++) list_add(&b, val_of_i64(a, (unsigned char)bytes.p[i]));
    return list_done(&b);
}

static struct str text_at(const struct val *http, const char *key)
{
    struct str s = val_text(val_get(http, str_of(key)));
    return s.p ? s : STR("");
}

static struct val judge_names(struct arena *a, const struct val *http, const struct http_answer *answer, struct str condition)
{
    struct val_builder request, response, all;
    map_begin(&request, a);
    map_add(&request, STR("method"), val_of_str(text_at(http, "method")));
    map_add(&request, STR("url"), val_of_str(text_at(http, "url")));
    map_add(&request, STR("body"), val_of_str(text_at(http, "body")));
    map_add(&request, STR("headers"), request_headers(a, http));
    if (str_find(condition, STR("bodyBytes"), 0) >= 0) map_add(&request, STR("bodyBytes"), body_bytes(a, http));
    map_begin(&response, a);
    map_add(&response, STR("statusCode"), val_of_i64(a, answer->status));
    map_add(&response, STR("body"), val_of_str(answer->body));
    map_add(&response, STR("headers"), answer->headers ? *answer->headers : val_null);
    map_begin(&all, a);
    map_add(&all, STR("request"), map_done(&request));
    map_add(&all, STR("response"), map_done(&response));
    return map_done(&all);
}

/* A condition that cannot be evaluated fails the node without any output, as in the agent. */
void http_judge(struct arena *a, const struct val *tmpl, const struct http_answer *answer, int64_t now_us,
                struct step_outcome *out)
{
    const struct val *http = val_get(tmpl, STR("http"));
    struct str condition = val_get_str(http, "successCondition");
    struct err e;
    bool good = answer->status >= 200 && answer->status < 300;
    *out = (struct step_outcome){.phase = NODE_FAILED, .exit_code = STEP_NO_EXIT_CODE};
    if (condition.n) {
        struct val names = judge_names(a, http, answer, condition);
        struct expr_env env = {.extra = &names, .clock = {.now_us = now_us}};
        if (!expr_eval_bool(a, condition, &env, &good, &e)) {
            out->message = str_dup(a, str_of(e.text));
            return;
        }
    }
    out->result = answer->body.p ? answer->body : STR("");
    if (good) out->phase = NODE_SUCCEEDED;
    else if (condition.n) out->message = str_fmt(a, "successCondition '%.*s' evaluated false", STR_ARG(condition));
    else out->message = str_fmt(a, "received non-2xx response code: %d", answer->status);
}
