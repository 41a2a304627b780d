/* A stand-in for src/service in tests: serves objects and changes from files, remembers calls.
 *
 * SKIFF_FAKE_WORKFLOWS names a JSON list of Workflow objects, SKIFF_FAKE_CHANGES a file of change
 * lines that a follow delivers, SKIFF_FAKE_STEP_US apart. Included by test programs only. */
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include "cli/wf.h"
#include "doc/json.h"
#include "os/fd.h"
#include "service/service.h"

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
    int stops, terminates, aborts, deletes, submits, resumes;
    char params[200], sync[200];
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
bool service_is_engine(const struct service *s) { return s->loop != NULL; }

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

bool service_get(struct arena *a, struct service *s, struct str ns, struct str name, struct val *out, struct err *e)
{
    const struct val *wf = fake_find(s, name);
    if (!wf) return err_set(e, ERR_NOT_FOUND, "no workflow '%.*s'", STR_ARG(name));
    *out = val_copy(a, wf);
    return true;
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
        if (match && (!o->ns.n || str_eq(o->ns, wf_namespace(wf))) && str_starts(wf_name(wf), o->prefix)) list_add(&b, val_copy(a, wf));
    }
    *out = list_done(&b);
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

void service_abort(struct service *s) { fake_calls.aborts++; }

bool service_delete(struct service *s, struct str ns, struct str name, bool force, struct err *e)
{
    fake_calls.deletes++;
    return true;
}
