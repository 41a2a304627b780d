/* A stand-in for src/service in tests: serves objects and changes from files, remembers calls.
 *
 * SKIFF_FAKE_WORKFLOWS names a JSON list of Workflow objects, SKIFF_FAKE_CHANGES a file of change
 * lines that a follow delivers, SKIFF_FAKE_STEP_US apart. Included by test programs only. */
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include "cli/wf.h"
#include "doc/json.h"
#include "doc/json_write.h"
#include "os/fd.h"
#include "service/sessions.h"
#include "service/tokens.h"

struct service {
    struct arena a;
    struct loop *loop;
    struct loop_timer *timer;
    struct val workflows;
    struct str changes;
    struct follow follow;
    int64_t step_us;
    bool stopped;
    struct workflow_ref submitted;
};

static struct {
    int stops, terminates, aborts, deletes, submits, resumes, retries, resubmits;
    char words[300]; /* of the last suspend, resume, set, retry or resubmit */
    char params[200], sync[200], token[200];
    size_t left; /* by the last service_leave */
} fake_calls;

static const char *fake_env(const char *name, const char *absent)
{
    const char *v = getenv(name);
    return v ? v : absent;
}

struct service *service_open(const struct service_opts *o, struct err *e)
{
    struct service *s = mem_zalloc(sizeof *s);
    struct str text;
    arena_init(&s->a);
    bool ok = file_read(&s->a, fake_env("SKIFF_FAKE_WORKFLOWS", "src/cli/golden/workflows.json"), 64 << 20, &text, e) &&
              json_parse(&s->a, text, NULL, &s->workflows, e) &&
              file_read(&s->a, fake_env("SKIFF_FAKE_CHANGES", "src/cli/golden/changes.jsonl"), 256 << 20, &s->changes, e);
    if (ok && !o->read_only) ok = (s->loop = loop_new(e)) != NULL;
    if (ok) return s;
    service_close(s);
    return NULL;
}

void service_close(struct service *s)
{
    if (!s) return;
    loop_timer_free(s->timer);
    if (s->loop) loop_free(s->loop);
    arena_fini(&s->a);
    free(s);
}

struct loop *service_loop(struct service *s) { return s->loop; }

bool service_token_any(struct service *s, bool *any, struct err *e)
{
    (void)s, (void)e;
    *any = false;
    return true;
}

bool service_token_create(struct arena *a, struct service *s, const struct val *want, struct val *out, struct err *e)
{
    struct val_builder b;
    (void)s, (void)e;
    snprintf(fake_calls.token, sizeof fake_calls.token, "%.*s", STR_ARG(json_text(a, want)));
    map_begin(&b, a);
    map_add_str(&b, "name", val_get_str(want, "name"));
    map_add_str(&b, "token", STR("skt_1_2"));
    *out = map_done(&b);
    return true;
}

bool service_token_list(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    (void)s;
    return json_parse(a, STR("[{\"name\":\"ci\",\"role\":\"run\",\"namespaces\":[\"a\",\"b\"],\"created\":\"2000-01-01T00:00:00Z\"},"
                             "{\"name\":\"me\",\"role\":\"admin\",\"namespaces\":[],\"created\":\"2000-01-01T00:00:00Z\"}]"), NULL, out, e);
}

bool service_session_list(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    (void)s;
    return json_parse(a, STR("[{\"id\":\"01\",\"subject\":\"u-1\",\"email\":\"ann@example.com\",\"created\":\"2020-01-01T00:00:00Z\",\"expires\":\"2099-01-01T00:00:00Z\"}]"),
                      NULL, out, e);
}
bool service_session_delete(struct service *s, struct str whose, struct err *e)
{
    (void)s;
    return str_is(whose, "ann@example.com") || err_set(e, ERR_NOT_FOUND, "nobody called '%.*s' is signed in", STR_ARG(whose));
}
bool service_token_delete(struct service *s, struct str name, struct err *e)
{
    (void)s;
    return str_is(name, "ci") || err_set(e, ERR_NOT_FOUND, "there is no token '%.*s'", STR_ARG(name));
}

bool service_sync_get(struct service *s, const struct sync_limit_ref *ref, int64_t *limit, struct err *e)
{
    (void)s;
    *limit = 2;
    return str_is(ref->key, "gpu") || err_set(e, ERR_NOT_FOUND, "no such limit");
}

bool service_sync_change(struct service *s, enum sync_verb verb, const struct sync_limit_ref *ref, int64_t limit,
                         struct err *e)
{
    (void)s;
    (void)e;
    snprintf(fake_calls.sync, sizeof fake_calls.sync, "%d %.*s %.*s %lld", (int)verb, STR_ARG(ref->key),
             STR_ARG(ref->config_map), (long long)limit);
    return true;
}
struct str service_notice(const struct service *s) { return STR_NONE; }
size_t service_traceparent(struct arena *a, struct str traceparent, const struct param **out) { return (void)a, (void)traceparent, (void)out, 0; }

bool service_leave(struct service *s, const struct workflow_ref *refs, size_t n, struct err *e)
{
    (void)s, (void)refs, (void)e;
    fake_calls.left = n;
    return true;
}

bool service_idle(const struct service *s) { return (void)s, true; }
bool service_yielded(const struct service *s) { return (void)s, false; }

bool service_displace(struct service *s, struct err *e)
{
    (void)s;
    return err_set(e, ERR_CONFLICT, "another one stays");
}

bool service_is_remote(const struct service *s) { return (void)s, false; }
struct pod_filter *service_pod_filter(struct service *s, const struct workflow_ref *ref, struct str selector, struct err *e) { return NULL; }
bool service_pod_passes(struct pod_filter *f, const struct step_log *log, bool *out, struct err *e) { return true; }
void service_pod_filter_free(struct pod_filter *f) {}
bool service_log_lines(struct service *s, const struct log_opts *o, struct err *e) { return (void)s, (void)o, (void)e, true; }
struct log_stream *service_log_stream(struct service *s, const struct log_opts *o) { return (void)s, (void)o, NULL; }
void service_log_stream_free(struct log_stream *x) { (void)x; }
bool service_is_engine(const struct service *s) { return s->loop != NULL; }
bool service_failed(const struct service *s, struct err *e) { return (void)s, (void)e, false; }

static const struct val *fake_find(const struct service *s, struct str name)
{
    if (str_is(name, "@latest") && s->workflows.n) return &s->workflows.items[0];
    for (uint32_t i = 0; i < s->workflows.n; i++)
        if (str_starts(wf_name(&s->workflows.items[i]), name)) return &s->workflows.items[i];
    return NULL;
}

bool service_find(struct arena *a, struct service *s, struct str ns, struct str name, struct workflow_ref *out, struct err *e)
{
    const struct val *wf = fake_find(s, name);
    if (!wf) return err_set(e, ERR_NOT_FOUND, "no workflow '%.*s'", STR_ARG(name));
    *out = (struct workflow_ref){str_dup(a, wf_namespace(wf)), str_dup(a, wf_name(wf))};
    return true;
}

bool service_find_uid(struct arena *a, struct service *s, struct str uid, struct workflow_ref *out, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "there is no workflow with uid \"%.*s\"", STR_ARG(uid));
}

bool service_get(struct arena *a, struct service *s, struct str ns, struct str name, struct val *out, struct err *e)
{
    const struct val *wf = fake_find(s, name);
    if (!wf) return err_set(e, ERR_NOT_FOUND, "no workflow '%.*s'", STR_ARG(name));
    *out = val_copy(a, wf);
    return true;
}

bool service_get_part(struct arena *a, struct service *s, const struct workflow_ref *ref, bool nodes, struct val *out, struct err *e)
{
    return service_get(a, s, ref->ns, ref->name, out, e);
}

bool service_metrics(struct arena *a, struct service *s, struct str *out, struct err *e)
{
    *out = STR("# TYPE argo_workflows_x counter\nargo_workflows_x 1\n");
    return true;
}

bool service_top(struct arena *a, struct service *s, struct val *out, struct err *e)
{
    return json_parse(a, STR("{\"engine\":{\"workflows\":3,\"workflowsWaiting\":1,\"stepsRunning\":2,\"stepsMost\":4,\"stepsWaiting\":7},\"items\":["
                             "{\"namespace\":\"default\",\"name\":\"idle\",\"phase\":\"Pending\",\"running\":0,\"waiting\":7},"
                             "{\"namespace\":\"default\",\"name\":\"busy\",\"phase\":\"Running\",\"progress\":\"1/9\",\"running\":2,\"waiting\":0}]}"), NULL, out, e);
}

bool service_phase(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str *phase, bool *ended,
                   struct err *e)
{
    struct val wf;
    if (!service_get(a, s, ref->ns, ref->name, &wf, e)) return false;
    *phase = wf_phase(&wf);
    *ended = wf_ended(&wf);
    return true;
}

bool service_list(struct arena *a, struct service *s, const struct list_opts *o, struct val *out, struct err *e)
{
    struct val_builder b;
    list_begin(&b, a);
    for (uint32_t i = 0; i < s->workflows.n; i++) {
        const struct val *wf = &s->workflows.items[i];
        bool match = !o->n_phases;
        for (size_t k = 0; k < o->n_phases; k++) match |= str_eq(o->phases[k], wf_phase(wf));
        if (match && (!o->ns.n || str_eq(o->ns, wf_namespace(wf))) && str_starts(wf_name(wf), o->name)) list_add(&b, val_copy(a, wf));
    }
    *out = list_done(&b);
    return true;
}

bool service_logs_previous(struct arena *a, struct service *s, struct str ns, struct str name, struct step_log **out, size_t *n,
                           struct err *e)
{
    *n = 0;
    return true;
}

bool service_logs(struct arena *a, struct service *s, struct str ns, struct str name, struct step_log **out, size_t *n,
                  struct err *e)
{
    static const struct { const char *id, *pod, *display, *path; } rows[] = {
        {"b", "steps-x-work-1", "load", "src/cli/golden/step-b.log"},
        {"a", "steps-x-say-2", "extract", "src/cli/golden/step-a.log"},
    };
    *n = ARRAY_LEN(rows);
    *out = ARENA_ARRAY(a, struct step_log, *n);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (struct step_log){.node_id = str_of(rows[i].id), .pod_name = str_of(rows[i].pod),
                                      .display_name = str_of(rows[i].display), .container = STR("main"),
                                      .path = str_of(rows[i].path), .finished = true};
    return true;
}

bool service_logs_node(struct arena *a, struct service *s, const struct workflow_ref *ref, struct str node_id,
                       struct step_log **out, size_t *n, struct err *e)
{
    size_t all;
    struct step_log *rows;
    *n = 0;
    *out = ARENA_ARRAY(a, struct step_log, 2);
    if (!service_logs(a, s, ref->ns, ref->name, &rows, &all, e)) return false;
    for (size_t i = 0; i < all; i++)
        if (str_eq(rows[i].node_id, node_id)) (*out)[(*n)++] = rows[i];
    return true;
}

bool service_submit(struct service *s, const struct documents *docs, const struct submit_opts *o, struct diags *diags,
                    struct workflow_ref **out, size_t *n, struct err *e)
{
    fake_calls.submits++;
    fake_calls.params[0] = 0;
    for (size_t i = 0; i < o->n_params; i++)
        snprintf(fake_calls.params + strlen(fake_calls.params), sizeof fake_calls.params - strlen(fake_calls.params),
                 "%.*s=%.*s;", STR_ARG(o->params[i].name), STR_ARG(o->params[i].value));
    *n = 1;
    *out = &s->submitted;
    return service_find(&s->a, s, STR(""), STR("@latest"), &s->submitted, e);
}

bool service_dry_run(struct arena *a, struct service *s, const struct documents *docs, const struct submit_opts *o,
                     struct diags *diags, struct val *objects, struct err *e)
{
    *objects = val_copy(a, &s->workflows);
    return true;
}

static void fake_deliver(void *user)
{
    struct service *s = user;
    struct str line;
    struct val v;
    struct err e = {0};
    if (s->changes.n == 0 || s->stopped) {
        s->follow.on_done(s->follow.user, NULL);
        return;
    }
    str_cut(s->changes, '\n', &line, &s->changes);
    if (line.n && json_parse(&s->a, line, NULL, &v, &e)) s->follow.on_change(s->follow.user, &v);
    loop_timer_arm_us(s->timer, s->step_us);
}

bool service_follow(struct service *s, const struct follow *f, struct err *e)
{
    int64_t step;
    s->follow = *f;
    s->step_us = str_to_i64(str_of(fake_env("SKIFF_FAKE_STEP_US", "0")), &step) ? step : 0;
    s->timer = loop_timer_new(s->loop, fake_deliver, s);
    loop_timer_arm_us(s->timer, 0);
    return true;
}

void service_unfollow(struct service *s) { loop_timer_disarm(s->timer); }

bool service_resume_run(struct service *s, struct str ns, struct str name, struct err *e)
{
    fake_calls.resumes++;
    return true;
}

bool service_stop(struct service *s, struct str ns, struct str name, enum service_stop how, struct err *e)
{
    *(how == SERVICE_STOP ? &fake_calls.stops : &fake_calls.terminates) += 1;
    s->stopped = !getenv("SKIFF_FAKE_STUBBORN");
    return true;
}

static void fake_note(const char *what, struct str name, struct str more, const struct param *p, size_t n)
{
    snprintf(fake_calls.words, sizeof fake_calls.words, "%s %.*s %.*s", what, STR_ARG(name), STR_ARG(more));
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(fake_calls.words);
        snprintf(fake_calls.words + used, sizeof fake_calls.words - used, " %.*s=%.*s", STR_ARG(p[i].name), STR_ARG(p[i].value));
    }
}

bool service_suspend(struct service *s, struct str ns, struct str name, struct err *e)
{
    fake_note("suspend", name, STR(""), NULL, 0);
    return true;
}

bool service_resume(struct service *s, struct str ns, struct str name, struct str nodes, struct err *e)
{
    fake_note("resume", name, nodes, NULL, 0);
    return true;
}

bool service_set(struct service *s, struct str ns, struct str name, const struct set_opts *o, struct err *e)
{
    fake_note("set", name, str_fmt(&s->a, "%.*s|%.*s|%.*s", STR_ARG(o->nodes), STR_ARG(o->phase), STR_ARG(o->message)), o->params,
              o->n_params);
    return true;
}

bool service_retry(struct service *s, struct str ns, struct str name, const struct retry_opts *o, struct err *e)
{
    fake_calls.retries++;
    fake_note("retry", name, str_fmt(&s->a, "%d %.*s", o->restart_successful, STR_ARG(o->nodes)), o->params, o->n_params);
    return true;
}

bool service_resubmit(struct arena *a, struct service *s, struct str ns, struct str name, const struct resubmit_opts *o,
                      struct workflow_ref *out, struct err *e)
{
    fake_calls.resubmits++;
    fake_note("resubmit", name, str_fmt(&s->a, "%d %.*s", o->memoized, STR_ARG(o->priority)), o->params, o->n_params);
    *out = (struct workflow_ref){str_dup(a, ns), str_dup(a, name)};
    return true;
}

/* One of each kind is stored; what is put is answered. */
static const char *const fake_kinds[] = {"WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"};
const char *service_kind_text(enum service_kind kind) { return fake_kinds[kind]; }

bool service_object_get(struct arena *a, struct service *s, enum service_kind kind, struct str ns, struct str name,
                        struct val *out, struct err *e)
{
    struct str text = STR("{\"metadata\":{\"name\":\"one\",\"namespace\":\"default\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},"
                          "\"spec\":{\"schedules\":[\"0 1 * * *\",\"@daily\"],\"timezone\":\"Europe/Berlin\",\"suspend\":true,"
                          "\"workflowSpec\":{\"arguments\":{\"parameters\":[{\"name\":\"p\",\"value\":\"v\"}]}}}}");
    if (!str_is(name, "one")) return err_set(e, ERR_NOT_FOUND, "there is none");
    return json_parse(a, text, NULL, out, e);
}

bool service_object_list(struct arena *a, struct service *s, enum service_kind kind, struct str ns, struct str selector,
                         struct val *out, struct err *e)
{
    struct val_builder b;
    struct val v;
    list_begin(&b, a);
    if (!selector.n && service_object_get(a, s, kind, ns, STR("one"), &v, e)) list_add(&b, v);
    *out = list_done(&b);
    return true;
}

bool service_object_lint(struct arena *a, struct service *s, enum service_kind kind, struct str ns,
                         const struct documents *docs, struct diags *diags, struct err *e)
{
    return true;
}

bool service_object_put(struct arena *a, struct service *s, enum service_kind kind, enum service_put how, struct str ns,
                        const struct documents *docs, struct diags *diags, struct val *out, struct err *e)
{
    *out = val_copy(a, docs->items[0].val);
    return true;
}

bool service_object_delete(struct service *s, enum service_kind kind, struct str ns, struct str name, struct err *e)
{
    return str_is(name, "one") || err_set(e, ERR_NOT_FOUND, "there is none");
}

bool service_stored_page(struct arena *a, struct service *s, struct str kind, const struct object_query *o,
                         struct object_page *out, struct err *e)
{
    struct val secret = {.kind = VAL_MAP};
    *out = (struct object_page){.items = {.kind = VAL_LIST}};
    if (!json_parse(a, STR("{\"metadata\":{\"name\":\"one\",\"namespace\":\"default\"},\"keys\":[\"a\",\"b\"]}"), NULL, &secret, e)) return false;
    struct val_builder list;
    list_begin(&list, a);
    list_add(&list, secret);
    out->items = list_done(&list);
    return true;
}

bool service_stored_apply(struct arena *a, struct service *s, struct str ns, const struct documents *one, unsigned how,
                          struct diags *diags, struct stored_result *out, struct err *e)
{
    struct str text = json_text(a, one->items[0].val);
    snprintf(fake_calls.words, sizeof fake_calls.words, "%u %.*s", how, STR_ARG(text));
    *out = (struct stored_result){.doc = *one->items[0].val, .did = STR("created")};
    return true;
}

bool service_stored_delete(struct service *s, const struct stored_ref *ref, struct err *e)
{
    return str_is(ref->name, "one") || err_set(e, ERR_NOT_FOUND, "there is none");
}

bool service_cron_next(const struct val *cron, int64_t now_us, int64_t *out_us) { return false; }
struct val service_cron_override(struct arena *a, const struct val *cron, const struct submit_opts *o, struct str schedule) { return *cron; }

bool service_cron_suspend(struct arena *a, struct service *s, struct str ns, struct str name, bool suspend,
                          struct val *out, struct err *e)
{
    return service_object_get(a, s, SERVICE_CRON, ns, name, out, e);
}

bool service_backfill(struct arena *a, struct service *s, struct str ns, struct str name, const struct backfill_opts *o, struct val *out,
                      size_t *n, struct err *e)
{
    *out = (struct val){.kind = VAL_LIST};
    *n = 0;
    return str_is(name, "one") || err_set(e, ERR_NOT_FOUND, "there is none");
}

/* One text of a step. */
bool service_artifacts(struct arena *a, struct service *s, struct str ns, struct str name, bool inputs,
                       struct run_artifact **out, size_t *n, struct err *e)
{
    *out = ARENA_NEW(a, struct run_artifact);
    **out = (struct run_artifact){.node_id = STR("wf-1"), .node = STR("say"), .template_name = STR("echo"), .name = STR("text"),
                                  .key = STR("wf/wf-1/text.tgz"), .form = STR("file"), .text = STR("hello"), .size_bytes = 5};
    *n = 1;
    return true;
}

struct str artifact_file_name(struct arena *a, const struct run_artifact *art) { return STR("text.tgz"); }
const char *service_state_dir(struct service *s) { return "/nonexistent"; }
bool service_artifact_fetch(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, bool raw, int fd, struct err *e)
{
    return fd_write_all(fd, art->text, e);
}
bool service_version(struct arena *a, struct service *s, struct val *out, struct err *e) { return err_set(e, ERR_UNREACHABLE, "nobody"); }
struct stored_templates *stored_templates_new(struct arena *a, struct service *s) { return NULL; }
const struct document *stored_templates_fetch(void *t, enum doc_kind kind, struct str ns, struct str name) { return NULL; }
bool stored_templates_end(struct stored_templates *t, struct err *e) { return true; }
bool service_artifact_copy(struct service *s, const struct workflow_ref *ref, const struct run_artifact *art, const char *to, struct err *e)
{
    return file_write_atomic(to, art->text, 0644, false, e);
}

bool service_from(struct arena *a, struct service *s, struct str ns, struct str from, struct val *out, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "nothing is stored");
}

void service_abort(struct service *s) { fake_calls.aborts++; }

bool service_delete(struct service *s, struct str ns, struct str name, bool force, struct err *e)
{
    fake_calls.deletes++;
    return true;
}
