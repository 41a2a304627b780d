/* What a step's end means: phase and message in Argo's words, outputs into the repository. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "doc/json.h"
#include "os/clock.h"
#include "os/dir.h"
#include "exec/exec_p.h"

static const char *signal_word(int signo)
{
    const char *name = sigabbrev_np(signo);
    return name ? name : "?";
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
    if (r->end == STEP_END_ERROR) out->message = str_dup(a, r->error);
    if (r->end == STEP_END_LOST)
        out->message = str_fmt(a, "step lost: %.*s", STR_ARG(r->error.n ? r->error : STR("it died with its supervisor")));
}

/* ---- output artifacts ---- */

static const struct val *declared(const struct val *tmpl, struct str name)
{
    const struct val *list = val_path(tmpl, "outputs.artifacts");
    for (uint32_t i = 0; list && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

/* Argo's default key format, and the file's name by its archive strategy. */
static struct str key_of(struct job *j, const struct val *art)
{
    struct arena *a = &j->live->x->scratch;
    struct str key = val_text(val_path(art, "s3.key"));
    const struct val *archive = val_get(art, STR("archive"));
    const char *suffix = val_get(archive, STR("none")) ? "" : val_get(archive, STR("zip")) ? ".zip" : ".tgz";
    if (key.n) return key;
    struct str pod = node_pod_name(a, j->live->run, j->node), wf = run_name(j->live->run);
    return str_fmt(a, "%.*s/%.*s/%.*s%s", STR_ARG(wf), STR_ARG(pod), STR_ARG(val_get_str(art, "name")), suffix);
}

/* One content for one output of one step, however often an engine dies while it takes it in. */
static const char *content_digits(struct arena *a, const struct job *j, size_t output)
{
    uint64_t low_first = __builtin_bswap64((uint64_t)j->id); /* contents spread by their first digits */
    return str_fmt(a, "%016llx%016zx", (unsigned long long)low_first, output).p;
}

static bool keep(struct job *j, const struct val *art, size_t output, struct val *out, struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct artifact_content c;
    struct str dir = step_work_path(a, x->o.state_dir, (uint64_t)j->id), name = val_get_str(art, "name");
    struct artifact_save save = {.path = str_fmt(a, "%.*s/outputs/%.*s", STR_ARG(dir), STR_ARG(name)).p,
                                 .move = true, .digits = content_digits(a, j, output)};
    struct str key = key_of(j, art), ns = run_namespace(j->live->run);
    if (!artifact_save(x->repo, &save, &c, e)) return false;
    x->saved = true;
    struct artifact_row row = {.ns = ns, .key = key, .content = str_of(c.id), .hash = STR(""),
                               .form = str_of(artifact_form_name(c.form)),
                               .size_bytes = (int64_t)c.size_bytes, .created_us = clock_now_us()};
    if (!store_artifact_put(x->store, &row, e) || !store_artifact_ref(x->store, j->live->id, ns, key, e))
        return false;
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
        const struct val *art = declared(tmpl, o->name), *optional = val_get(art, STR("optional"));
        struct val v;
        if (!art) continue;
        if (o->form != STEP_FORM_MISSING) {
            if (keep(j, art, i, &v, e)) list_add(&list, v);
            else ok = false;
        } else if (!(optional && optional->kind == VAL_BOOL && optional->b) && ok) {
            struct str path = val_get_str(art, "path");
            ok = err_set(e, ERR_NOT_FOUND, "output artifact '%.*s': '%.*s' does not exist%s%.*s", STR_ARG(o->name),
                         STR_ARG(path), o->error.n ? ": " : "", STR_ARG(o->error));
        }
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
        if (r->params.items[i].found && !list[i].value.p) list[i].value = STR("");
    }
    out->params = list;
    out->n_params = r->params.n;
}

/* The directory keeps its log; what was private to the step goes, but never between a step and the
 * next one: the first use of the worker pool alone starts its threads. */
static void clean(void *user)
{
    struct err e;
    dir_remove_tree(user, &e); /* best effort: `skiff delete` removes the rest */
}

void step_clean_later(struct exec *x, int64_t step)
{
    const char *path = step_work_path(&x->scratch, x->o.state_dir, (uint64_t)step).p;
    if (rmdir(path) != 0 && errno != ENOENT) VEC_PUSH(&x->rubbish, mem_strdup(path));
}

void rubbish_remove(struct exec *x)
{
    for (size_t i = 0; i < x->rubbish.n; i++) loop_job(x->o.loop, clean, free, x->rubbish.items[i]);
    x->rubbish.n = 0;
}

bool job_outcome(struct job *j, const struct step_result *r, struct step_outcome *out, struct err *e)
{
    struct exec *x = j->live->x;
    struct arena *a = &x->scratch;
    struct val *arts = ARENA_NEW(a, struct val);
    struct err lost;
    *out = (struct step_outcome){.exit_code = STEP_NO_EXIT_CODE};
    outcome_end(a, r, out);
    out->cpu_us = (int64_t)(r->rusage.user_us + r->rusage.system_us);
    out->memory_bytes = (int64_t)r->rusage.max_rss_bytes;
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
    bool has_files = val_path(tmpl, "outputs.artifacts") || val_path(tmpl, "volumes") ||
                     val_path(&j->live->workflow, "spec.volumes") || (x->plain && val_get(tmpl, STR("script")));
    if (has_files) step_clean_later(x, j->id);
    return true;
}
