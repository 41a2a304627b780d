/* What the workflow itself says about the pods of its steps, with tags filled in: `workflow.…` anywhere,
 * and what earlier steps gave, as Argo's substituteParamsInVolumes does. */
#include "engine/engine_p.h"
#include "engine/text_p.h"
#include "spec/pod_patch.h"

static const char *const members[] = {"volumes", "volumeClaimTemplates", "podSpecPatch", "podMetadata", "securityContext", "hostAliases", "dnsConfig",
                                      "archiveLogs", "artifactRepositoryRef", "artifactGC", "podGC"};

bool podspec_has_tags(const struct val *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const struct val *v = val_get(spec, str_of(members[i]));
        if (v && tags_present_val(v)) return true;
    }
    return false;
}

bool node_replace(struct arena *a, struct run *r, struct node *n, struct str text, struct str *out, struct err *e)
{
    struct scope locals CLEANUP(scope_fini) = {0}, inputs CLEANUP(scope_fini) = {0};
    struct node *pod = node_pod(n);
    struct tags_opts opts = {.scope = &inputs, .policy = TAGS_LEAVE, .clock = run_clock(r)};
    scope_init(&locals, globals_for(r, pod->wf_status));
    scope_init(&inputs, &locals);
    locals_scope(r, a, &locals, pod);
    inputs_scope(r, a, &inputs, pod);
    return tags_replace(a, text, &opts, out, e);
}

const struct val *node_pod_template(struct run *r, struct node *n, struct err *e)
{
    const struct val *workflow, *tmpl = node_template(r, n, e);
    struct val *out = ARENA_NEW(&r->scratch, struct val);
    if (!tmpl || !pod_patch_wanted(r->opts.workflow, tmpl)) return tmpl;
    bool ok = (workflow = node_workflow(r, n, e)) && pod_patch_apply(&r->scratch, workflow, tmpl, out, NULL, e);
    return ok ? out : NULL;
}

const struct val *node_workflow(struct run *r, struct node *n, struct err *e)
{
    struct scope refs CLEANUP(scope_fini) = {0}, inputs CLEANUP(scope_fini) = {0};
    struct node *pod = node_pod(n), *b = pod->boundary;
    struct val *out = ARENA_NEW(&r->scratch, struct val);
    struct val spec = *r->spec;
    if (!r->podspec_tags) return r->opts.workflow;
    scope_init(&refs, globals_for(r, pod->wf_status));
    if (b && b->body && b->body->calls) refs_scope(r, &refs, b);
    scope_init(&inputs, &refs);
    inputs_scope(r, &r->scratch, &inputs, pod);
    struct tags_opts opts = {.policy = TAGS_LEAVE, .clock = run_clock(r)};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const struct val *v = val_get(r->spec, str_of(members[i]));
        opts.scope = strcmp(members[i], "podMetadata") == 0 ? &inputs : &refs;
        struct val filled;
        if (!v || !tags_present_val(v)) continue;
        if (!tags_replace_val(&r->scratch, v, &opts, &filled, e)) return err_ctx(e, "spec.%s", members[i]), NULL;
        spec = map_with(&r->scratch, &spec, str_of(members[i]), filled);
    }
    *out = map_with(&r->scratch, r->opts.workflow, STR("spec"), spec);
    return out;
}

/* ---- labels ---- */

static const struct val *labels_of_all(const struct run *r) { return val_path(r->spec, "podMetadata.labels"); }
static const struct val *labels_of_own(const struct node *pod) { return val_path(pod->tmpl->src, "metadata.labels"); }

bool node_labels_are_plain(const struct run *r, struct node *n)
{
    const struct node *pod = node_pod(n);
    const struct val *all = labels_of_all(r), *own = labels_of_own(pod);
    bool tags = (r->podspec_tags && all && tags_present_val(all)) || (pod->tmpl->has_tags && own && tags_present_val(own));
    return !tags && (!own || pod->tmpl->name.n);
}

bool node_pod_labels(struct run *r, struct node *n, struct val *out, struct err *e)
{
    struct node *pod = node_pod(n);
    const struct val *workflow = node_workflow(r, pod, e), *all = workflow ? val_path(workflow, "spec.podMetadata.labels") : NULL;
    const struct val *own = labels_of_own(pod);
    struct val filled = val_null;
    if (!workflow || (own && !pod_template_field(r, pod, own, &filled, e))) return false;
    *out = map_with_all(&r->scratch, all, &filled);
    return true;
}
