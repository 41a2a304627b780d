/* What a step's end means: phase and message in Argo's words, outputs into the repository. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/limits.h"
#include "container/container.h"
#include "doc/json.h"
#include "logs/logs.h"
#include "os/clock.h"
#include "os/dir.h"
#include "exec/exec_p.h"

static const char *signal_word(int signo)
{
    const char *name = sigabbrev_np(signo);
    return name ? name : "?";
}

/* As people write it: in the largest unit that leaves no rest. */
static const char *bytes_text(struct arena *a, uint64_t n)
{
    static const struct { const char *name; uint64_t bytes; } units[] = {
        {"Ti", 1ull << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}, {"G", 1000000000}, {"M", 1000000}, {"k", 1000}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (n && n % units[i].bytes == 0) return str_fmt(a, "%llu%s", (unsigned long long)(n / units[i].bytes), units[i].name).p;
    return str_fmt(a, "%llu", (unsigned long long)n).p;
}

/* Argo shows a signal as 128 + n; the signal's name helps, and so does the usual cause of a KILL. */
void outcome_end(struct arena *a, const struct step_result *r, struct step_outcome *out)
{
    int status = step_result_status(r);
    out->exit_code = status < 0 ? STEP_NO_EXIT_CODE : status;
    out->phase = status == 0 ? NODE_SUCCEEDED : status < 0 ? NODE_ERROR : NODE_FAILED;
    if (r->end == STEP_END_EXIT && status)
        out->message = str_fmt(a, "main: Error (exit code %d)", status);
    if (r->end == STEP_END_SIGNAL)
        out->message = str_fmt(a, "main: Error (exit code %d): signal %s%s", status, signal_word(r->signo),
                               r->signo == SIGKILL && !r->killed ? " (perhaps out of memory)" : "");
    if (r->memory_limit && status > 0)
        out->message = str_fmt(a, "main: OOMKilled (exit code %d): it reached its memory limit of %s", status, bytes_text(a, r->memory_limit));
    if (r->end == STEP_END_ERROR) out->message = str_dup(a, r->error);
    if (r->end == STEP_END_LOST)
        out->message = str_fmt(a, "step lost: %.*s", STR_ARG(r->error.n ? r->error : STR("it died with its supervisor")));
}

/* ---- output artifacts ---- */

const struct val *output_declared(const struct val *tmpl, struct str name)
{
    const struct val *list = val_path(tmpl, "outputs.artifacts");
    for (uint32_t i = 0; list && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

/* One content for one output of one step, however often an engine dies while it takes it in. */
static const char *content_digits(struct arena *a, const struct job *j, size_t output)
{
    uint64_t low_first = __builtin_bswap64((uint64_t)j->id); /* contents spread by their first digits */
    return str_fmt(a, "%016llx%016zx", (unsigned long long)low_first, output).p;
}

/* The row of a content, the run's claim on it, and the artifact as the status shows it. */
static bool publish(struct job *j, const struct val *art, struct str key, const struct artifact_content *c, struct val *out,
                    struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct str ns = run_namespace(j->live->run);
    x->saved = true;
    if (fail_point(FAIL_ROW_BEFORE)) return err_sys(e, "artifact");
    struct artifact_row row = {.ns = ns, .key = key, .content = str_of(c->id), .hash = STR(""),
                               .form = str_of(artifact_form_name(c->form)),
                               .size_bytes = (int64_t)c->size_bytes, .created_us = clock_now_us()};
    if (!store_artifact_put(x->store, &row, e) || !store_artifact_ref(x->store, j->live->id, ns, key, e) ||
        !artifact_gc_note(j->live, art, key, e))
        return false;
    fail_point(FAIL_ROW_AFTER);
    struct val_builder b, s3;
    map_begin(&s3, a);
    map_add_str(&s3, "key", key);
    map_begin(&b, a);
    for (uint32_t i = 0; i < art->n; i++)
        if (!str_is(art->map[i].key, "s3")) map_add(&b, art->map[i].key, art->map[i].v);
    map_add(&b, STR("s3"), map_done(&s3));
    *out = map_done(&b);
    return true;
}

static bool keep(struct job *j, const struct val *tmpl, const struct val *art, size_t output, struct val *out, struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct artifact_content c;
    struct str dir = step_work_path(a, x->o.state_dir, (uint64_t)j->id), name = val_get_str(art, "name");
    struct artifact_save save = {.path = str_fmt(a, "%.*s/outputs/%.*s", STR_ARG(dir), STR_ARG(name)).p,
                                 .move = true, .digits = content_digits(a, j, output)};
    struct str key;
    return artifact_save(x->repo, &save, &c, e) && output_key(j, tmpl, art, &key, e) && publish(j, art, key, &c, out, e);
}

/* ---- logs as artifacts ---- */

static bool add_line(void *ctx, const struct logs_line *line, struct err *e)
{
    (void)e;
    logs_line_format(ctx, line, false);
    return true;
}

/* As Argo's `main-logs`: what the container wrote, without times. */
static bool keep_log(struct job *j, const struct val *tmpl, struct val *out, struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct str container = node_container(j->node), key;
    struct logs_source source = {.path = exec_step_log_path(a, x->o.state_dir, j->id).p, .finished = true};
    struct logs_query q = {0};
    struct artifact_content c;
    struct val_builder b;
    struct buf text CLEANUP(buf_fini);
    buf_init(&text, LIMIT_ARCHIVED_LOG_BYTES);
    if (!container.p) container = STR("main");
    if (!logs_read(&source, 1, &q, add_line, &text, e) || !log_key(j, tmpl, container, &key, e)) return false;
    struct str all = buf_view(&text);
    if (!artifact_save_text(x->repo, all.p ? all : STR(""), &c, e)) return false;
    fail_point(FAIL_LOG_ARCHIVED);
    map_begin(&b, a);
    map_add_str(&b, "name", str_fmt(a, "%.*s-logs", STR_ARG(container)));
    struct val art = map_done(&b);
    return publish(j, &art, key, &c, out, e);
}

static bool artifacts(struct job *j, const struct val *tmpl, const struct step_result *r, struct val *out,
                      struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct val_builder list;
    bool ok = true;
    list_begin(&list, a);
    for (size_t i = 0; i < r->artifacts.n; i++) {
        const struct step_artifact_out *o = &r->artifacts.items[i];
        const struct val *art = output_declared(tmpl, o->name), *optional = val_get(art, STR("optional"));
        struct val v;
        if (!art) continue;
        if (o->form != STEP_FORM_MISSING) {
            struct err why;
            bool kept = place_is_remote(art) ? transfer_sent(j, o->name, &why) : keep(j, tmpl, art, i, &v, &why);
            if (place_is_remote(art)) v = *art; /* whoever takes it fetches it from there */
            if (kept) list_add(&list, v);
            else if (ok && e) *e = why, ok = false;
        } else if (!(optional && optional->kind == VAL_BOOL && optional->b) && ok) {
            struct str path = val_get_str(art, "path");
            ok = err_set(e, ERR_NOT_FOUND, "output artifact '%.*s': '%.*s' does not exist%s%.*s", STR_ARG(o->name),
                         STR_ARG(path), o->error.n ? ": " : "", STR_ARG(o->error));
        }
    }
    bool ran = r->end == STEP_END_EXIT || r->end == STEP_END_SIGNAL, collects = node_has_containers(j->node);
    struct val log;
    if (ran && !collects && logs_are_archived(j, tmpl)) {
        if (keep_log(j, tmpl, &log, ok ? e : NULL)) list_add(&list, log);
        else ok = false;
    }
    *out = list_done(&list);
    return ok;
}

/* ---- together ---- */

void outcome_params(struct arena *a, const struct step_result *r, struct step_outcome *out)
{
    struct step_outcome_param *list = ARENA_ARRAY(a, struct step_outcome_param, r->params.n + 1);
    for (size_t i = 0; i < r->params.n; i++) {
        list[i].name = r->params.items[i].name;
        list[i].value = r->params.items[i].found ? r->params.items[i].value : STR_NONE;
        list[i].error = r->params.items[i].error;
        if (r->params.items[i].found && !list[i].value.p) list[i].value = STR("");
    }
    out->params = list;
    out->n_params = r->params.n;
}

/* What one turn leaves behind, in its order: a directory may lie in one that comes later. */
struct rubbish {
    VEC(struct rubbish_path) paths;
};

/* The directory keeps its log; what was private to the step goes, but never between a step and the
 * next one: the first use of the worker pool alone starts its threads. */
static void clean(void *user)
{
    struct rubbish *r = user;
    for (size_t i = 0; i < r->paths.n; i++) {
        const struct rubbish_path *p = &r->paths.items[i];
        struct err e;
        fail_point(FAIL_RUBBISH);
        if (p->of_step && !container_remove(p->path, &e)) continue; /* whoever starts next tries again */
        dir_remove_tree(p->path, &e); /* best effort: `skiff delete` removes the rest */
    }
}

static void cleaned(void *user)
{
    struct rubbish *r = user;
    for (size_t i = 0; i < r->paths.n; i++) free(r->paths.items[i].path);
    VEC_FINI(&r->paths);
    free(r);
}

void rubbish_add(struct exec *x, const char *path, bool of_step)
{
    VEC_PUSH(&x->rubbish, ((struct rubbish_path){mem_strdup(path), of_step}));
}

void step_clean_later(struct exec *x, int64_t step)
{
    const char *path = step_work_path(&x->scratch, x->o.state_dir, (uint64_t)step).p;
    if (rmdir(path) != 0 && errno != ENOENT) rubbish_add(x, path, true);
}

void pod_dir_drop(struct active *l, struct node *n)
{
    if (!(node_has_containers(node_pod(n)) || node_parts(n)) || !phase_fulfilled(node_phase(node_pod(n)))) return;
    const char *path = pod_dir_path(&l->x->scratch, l, n).p;
    if (rmdir(path) == 0 || errno == ENOENT) return;
    rubbish_add(l->x, path, false);
}

void pods_dir_drop(const struct active *l)
{
    struct exec *x = l->x;
    const char *path = str_fmt(&x->scratch, "%.*s/pods/%.*s", STR_ARG(x->o.state_dir), STR_ARG(run_uid(l->run))).p;
    if (rmdir(path) == 0 || errno == ENOENT) return;
    rubbish_add(x, path, false);
}

void rubbish_remove(struct exec *x)
{
    if (!x->rubbish.n) return;
    struct rubbish *r = mem_zalloc(sizeof *r);
    for (size_t i = 0; i < x->rubbish.n; i++) VEC_PUSH(&r->paths, x->rubbish.items[i]);
    x->rubbish.n = 0;
    loop_job(x->o.loop, clean, cleaned, r);
}

/* Its end counts, nothing else: outputs are main's. */
static void part_outcome(struct job *j, const struct step_result *r, struct step_outcome *out)
{
    outcome_end(&j->x->scratch, r, out);
    out->started_us = r->started_us;
    out->finished_us = r->finished_us;
    out->cpu_us = (int64_t)(r->rusage.user_us + r->rusage.system_us);
    out->memory_bytes = (int64_t)r->rusage.max_rss_bytes;
    step_clean_later(j->x, j->id);
}

/* Such a step has ended as it has ended; its status is Argo's, which does not show this. */
static void warn_of_loss(const struct job *j, const struct step_result *r)
{
    for (size_t i = 0; i < r->artifacts.n; i++)
        if (r->artifacts.items[i].left_out)
            say(j->live, j->node, "output artifact '%.*s' is not complete: the step may not read %llu of its files", STR_ARG(r->artifacts.items[i].name),
                (unsigned long long)r->artifacts.items[i].left_out);
    if (r->memory_limit && j->part) /* as in Argo its exit code 137 does not count */
        say(j->live, j->node, "container '%.*s' was killed: it reached its memory limit of %s", STR_ARG(node_part_name(j->node, j->part)),
            bytes_text(&j->x->scratch, r->memory_limit));
    if (r->log_cut)
        say(j->live, j->node, "the log is not complete: it reached log_max_mib, or could not be written");
}

bool job_outcome(struct job *j, const struct step_result *r, struct step_outcome *out, struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct val *arts = ARENA_NEW(a, struct val);
    struct err lost;
    *out = (struct step_outcome){.exit_code = STEP_NO_EXIT_CODE};
    warn_of_loss(j, r);
    if (j->part) {
        part_outcome(j, r, out);
        return true;
    }
    outcome_end(a, r, out);
    out->started_us = r->started_us;
    out->finished_us = r->finished_us;
    out->cpu_us = (int64_t)(r->rusage.user_us + r->rusage.system_us);
    out->memory_bytes = (int64_t)r->rusage.max_rss_bytes;
    if (j->unhealthy && out->phase == NODE_FAILED)
        out->message = str_fmt(a, "%.*s: its %s failed", STR_ARG(out->message), j->unhealthy);
    if (r->has_result) out->result = r->result.p ? r->result : STR("");
    outcome_params(a, r, out);
    const struct val *given = node_template(j->live->run, j->node, e);
    if (!given) return false;
    struct val *tmpl = ARENA_NEW(a, struct val); /* the engine's own lives only until its next event */
    *tmpl = val_copy(a, given);
    if (!artifacts(j, tmpl, r, arts, &lost) && out->phase == NODE_SUCCEEDED) {
        out->phase = NODE_ERROR;
        out->message = str_dup(a, str_of(lost.text));
    }
    out->artifacts = arts;
    step_clean_later(x, j->id);
    return true;
}
