/* {{tags}}: what each may refer to, by where it stands. Only tags that begin with item. steps.
 * inputs. outputs. pod. workflow. tasks. are checked, as by Argo; expression tags {{=…}} never are.
 */
#include "doc/closest.h"
#include "spec/lint_p.h"

enum tag_answer { TAG_KNOWN, TAG_UNKNOWN, TAG_TOO_LATE };

struct tag_check {
    const struct tag_scope *scope;
    struct str near[64]; /* names that could have been meant */
    size_t n_near;
    struct str word; /* the part that is not known */
};

/* Takes "prefix" off the front. */
static bool cut_prefix(struct str *s, const char *prefix)
{
    if (!str_starts(*s, str_of(prefix))) return false;
    *s = str_from(*s, strlen(prefix));
    return true;
}

static void candidate(struct tag_check *c, struct str name)
{
    if (c->n_near < ARRAY_LEN(c->near) && name.p) c->near[c->n_near++] = name;
}

static bool known_parameter(struct tag_check *c, const struct argo_parameter_list *list,
                            struct str name)
{
    if (parameter_find(list, name)) return true;
    c->word = name;
    for (size_t i = 0; i < list->n; i++) candidate(c, list->items[i].name);
    return false;
}

static bool known_artifact(struct tag_check *c, const struct argo_artifact_list *list,
                           struct str name)
{
    if (artifact_find(list, name)) return true;
    c->word = name;
    for (size_t i = 0; i < list->n; i++) candidate(c, list->items[i].name);
    return false;
}

static bool input_known(struct tag_check *c, struct str rest)
{
    static const struct argo_inputs none = {0};
    const struct argo_inputs *in = c->scope->tmpl->inputs ? c->scope->tmpl->inputs : &none;
    if (str_is(rest, "parameters")) return true;
    if (cut_prefix(&rest, "parameters.")) return known_parameter(c, &in->parameters, rest);
    if (!cut_prefix(&rest, "artifacts.")) return false;
    if (artifact_find(&in->artifacts, rest)) return true;
    if (str_ends(rest, STR(".path"))) rest = str_sub(rest, 0, rest.n - 5);
    return known_artifact(c, &in->artifacts, rest);
}

static bool item_known(const struct call *self, struct str key)
{
    if (!self) return false;
    if (self->with_param.p) return true;
    if (self->with_sequence) return false;
    for (size_t i = 0; i < self->with_items.n; i++) {
        const struct val *v = &self->with_items.items[i];
        if (v->kind == VAL_MAP && val_get(v, key)) return true;
        if (v->kind == VAL_STR && has_tag(v->s)) return true;
        if (v->kind == VAL_LIST) return true;
    }
    return false;
}

static bool has_label(const struct lint_doc *ld, struct str name, bool labels)
{
    const struct argo_object_meta *m = ld->doc->metadata;
    const struct argo_workflow_metadata *w = ld->spec->workflow_metadata;
    const struct str_map *maps[] = {
        m ? (labels ? &m->labels : &m->annotations) : NULL,
        w ? (labels ? &w->labels : &w->annotations) : NULL,
    };
    for (size_t k = 0; k < ARRAY_LEN(maps); k++)
        for (size_t i = 0; maps[k] && i < maps[k]->n; i++)
            if (str_eq(maps[k]->items[i].key, name)) return true;
    for (size_t i = 0; labels && w && i < w->labels_from.n; i++)
        if (str_eq(w->labels_from.items[i].key, name)) return true;
    return str_starts(name, STR("workflows.argoproj.io/")) || ld->doc->kind == DOC_CRON_WORKFLOW;
}

static bool workflow_known(struct tag_check *c, struct str rest)
{
    static const char *const plain[] = {
        "name",
        "namespace",
        "uid",
        "mainEntrypoint",
        "serviceAccountName",
        "parameters",
        "parameters.json",
        "labels",
        "labels.json",
        "annotations",
        "annotations.json",
        "priority",
        "status",
        "failures",
    };
    static const char *const prefixes[] = {"creationTimestamp", "duration", "scheduledTime"};
    const struct lint_doc *ld = c->scope->ld;
    static const struct argo_arguments none = {0};
    const struct argo_arguments *args = ld->spec->arguments ? ld->spec->arguments : &none;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (str_is(rest, plain[i])) return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(rest, str_of(prefixes[i]))) return true;
    if (ld->is_template || ld->open) return true;
    if (cut_prefix(&rest, "parameters.")) return known_parameter(c, &args->parameters, rest);
    if (cut_prefix(&rest, "labels.")) return has_label(ld, rest, true);
    if (cut_prefix(&rest, "annotations.")) return has_label(ld, rest, false);
    if (cut_prefix(&rest, "outputs."))
        return ld->outputs_open || map_get(&ld->outputs, rest) != NULL;
    c->word = rest;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) candidate(c, str_of(plain[i]));
    return false;
}

static bool gives_result(const struct argo_template *t)
{
    switch (template_type(t)) {
    case TEMPLATE_CONTAINER_SET: return template_container(t) != NULL;
    case TEMPLATE_CONTAINER:
    case TEMPLATE_SCRIPT:
    case TEMPLATE_DATA:
    case TEMPLATE_HTTP:
    case TEMPLATE_PLUGIN: return true;
    default: return false;
    }
}

/* "outputs.parameters.x" and the like of a call that may be seen */
static bool call_field_known(struct tag_check *c, const struct call *call, struct str rest)
{
    static const char *const always[] = {"id", "startedAt", "finishedAt", "hostNodeName", "status"};
    static const struct argo_outputs none = {0};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (str_is(rest, always[i])) return true;
    const struct argo_template *t = call->callee;
    if (!t) return true;
    const struct argo_outputs *out = t->outputs ? t->outputs : &none;
    bool loop = call->with_items.n > 0 || call->with_param.p || call->with_sequence;
    if (str_is(rest, "ip")) return t->daemon.set && t->daemon.v;
    if (str_is(rest, "exitCode") || str_is(rest, "outputs.result")) return gives_result(t);
    if (str_is(rest, "outputs.parameters")) return loop;
    if (cut_prefix(&rest, "outputs.parameters.")) return known_parameter(c, &out->parameters, rest);
    if (cut_prefix(&rest, "outputs.artifacts.")) return known_artifact(c, &out->artifacts, rest);
    return false;
}

static bool visible(const struct tag_scope *s, const struct call *call, size_t index)
{
    const struct call *self = s->self;
    if (!self) return true;
    if (call == self) return self->hooks.n > 0 || self->on_exit.n > 0;
    if (s->dag) return dag_is_ancestor(s->dag, index, (size_t)(self - s->calls));
    return call->group < self->group;
}

static enum tag_answer call_known(struct tag_check *c, struct str rest)
{
    const struct tag_scope *s = c->scope;
    struct str name, field;
    if (str_is(rest, "name") || str_starts(rest, STR("name."))) return TAG_KNOWN;
    if (!s->by_name) return TAG_UNKNOWN;
    str_cut(rest, '.', &name, &field);
    const struct map_slot *slot = map_get(s->by_name, name);
    if (!slot) {
        c->word = name;
        for (size_t i = 0; i < s->n_calls; i++) candidate(c, s->calls[i].name);
        return TAG_UNKNOWN;
    }
    const struct call *call = &s->calls[slot->num];
    if (!visible(s, call, slot->num)) {
        c->word = name;
        return TAG_TOO_LATE;
    }
    return call_field_known(c, call, field) ? TAG_KNOWN : TAG_UNKNOWN;
}

static enum tag_answer tag_known(struct tag_check *c, struct str tag)
{
    struct str rest = tag;
    const char *calls = c->scope->calls_prefix;
    if (cut_prefix(&rest, "workflow.")) return workflow_known(c, rest) ? TAG_KNOWN : TAG_UNKNOWN;
    if (cut_prefix(&rest, "inputs.")) return input_known(c, rest) ? TAG_KNOWN : TAG_UNKNOWN;
    if (cut_prefix(&rest, "item."))
        return item_known(c->scope->self, rest) ? TAG_KNOWN : TAG_UNKNOWN;
    if (cut_prefix(&rest, "pod."))
        return str_is(rest, "name") && template_type_leaf(template_type(c->scope->tmpl))
                   ? TAG_KNOWN
                   : TAG_UNKNOWN;
    if (str_starts(tag, STR("outputs."))) return TAG_KNOWN;
    bool steps = cut_prefix(&rest, "steps.");
    if (!steps && !cut_prefix(&rest, "tasks.")) return TAG_KNOWN;
    if (str_is(rest, "name")) return TAG_KNOWN;
    if (!calls || (strcmp(calls, "steps") == 0) != steps) return TAG_UNKNOWN;
    return call_known(c, rest);
}

/* From the whole text to the very tag: the first place at or behind the value's start where the tag
 * stands as it does in the value. */
static bool point_at(const struct lint *l, struct diag *g, const struct val *v, struct str raw)
{
    if (lint_full(l)) return false;
    const struct source_file *f = l->opts->files ? source_files_get(l->opts->files, v->file) : NULL;
    size_t lines = 2; /* a block begins on the line behind its indicator */
    for (size_t i = 0; i < v->s.n; i++) lines += v->s.p[i] == '\n';
    for (uint32_t i = 0; f && v->line && i < lines; i++) {
        struct str line = source_line(f, v->line + i);
        ptrdiff_t col = line.p ? str_find(line, raw, i == 0 ? v->col - 1 : 0) : -1;
        if (col < 0) continue;
        g->line = v->line + i;
        g->col = (uint32_t)col + 1;
        g->len = (uint32_t)raw.n;
        return true;
    }
    return false;
}

static void report_too_late(struct tag_check *c, const struct val *at, struct str raw,
                            struct str tag)
{
    struct lint *l = c->scope->ld->l;
    struct diag *g = LINT(l, DIAG_ERROR, "E0602", at, "{{%.*s}} is not known yet at this point",
                          STR_ARG(tag));
    point_at(l, g, at, raw);
    if (c->scope->self && str_eq(c->scope->self->name, c->word))
        diag_help(l->d, g, "it is set when this one has ended");
    else if (c->scope->dag)
        diag_help(l->d, g, "add `%.*s` to the dependencies of this task", STR_ARG(c->word));
    else diag_help(l->d, g, "only steps of earlier groups can be referred to");
}

static void report_unknown(struct tag_check *c, const struct val *at, struct str raw,
                           struct str tag)
{
    struct lint *l = c->scope->ld->l;
    struct diag *g = LINT(l, DIAG_ERROR, "E0601", at, "failed to resolve {{%.*s}}", STR_ARG(tag));
    bool exact = point_at(l, g, at, raw);
    if (!c->word.p) return;
    lint_did_you_mean(l, g, NULL, c->word, c->near, c->n_near);
    struct str near = str_closest_only(c->word, c->near, c->n_near);
    ptrdiff_t i = near.p ? str_find(raw, c->word, 0) : -1;
    if (exact && i >= 0) diag_fix(l->d, g, FIX_TEXT, g->line, g->col + (uint32_t)i, near)->len = (uint32_t)c->word.n;
}

static void check_tag(const struct tag_scope *s, const struct val *at, struct str raw)
{
    struct tag_check c = {.scope = s};
    struct str tag = str_trim(str_sub(raw, 2, raw.n - 4));
    enum tag_answer answer = tag_known(&c, tag);
    for (const struct tag_scope *o = s->outer; o && answer != TAG_KNOWN; o = o->outer) {
        struct tag_check up = {.scope = o};
        if (tag_known(&up, tag) == TAG_KNOWN) return;
    }
    if (answer == TAG_TOO_LATE) report_too_late(&c, at, raw, tag);
    if (answer == TAG_UNKNOWN) report_unknown(&c, at, raw, tag);
}

/* Inner tags first: of "{{a.{{b}}}}" only b can be looked at. */
static void check_text(const struct tag_scope *s, const struct val *v)
{
    size_t at = 0;
    if (v->s.n < 5 || !memchr(v->s.p, '{', v->s.n)) return;
    for (;;) {
        ptrdiff_t open = str_find(v->s, STR("{{"), at);
        ptrdiff_t close = open < 0 ? -1 : str_find(v->s, STR("}}"), (size_t)open + 2);
        if (close < 0) return;
        ptrdiff_t inner = str_find(v->s, STR("{{"), (size_t)open + 2);
        if (inner >= 0 && inner < close) {
            at = (size_t)inner;
            continue;
        }
        struct str raw = str_sub(v->s, (size_t)open, (size_t)(close - open) + 2);
        if (raw.n > 4 && raw.p[2] != '=') check_tag(s, v, raw);
        at = (size_t)close + 2;
    }
}

void lint_tags(const struct tag_scope *s, const struct val *v, const char *skip_key)
{
    if (!v) return;
    switch ((enum val_kind)v->kind) {
    case VAL_STR: check_text(s, v); return;
    case VAL_LIST:
        for (uint32_t i = 0; i < v->n; i++) lint_tags(s, &v->items[i], NULL);
        return;
    case VAL_MAP:
        for (uint32_t i = 0; i < v->n; i++)
            if (!skip_key || !str_is(v->map[i].key, skip_key)) lint_tags(s, &v->map[i].v, NULL);
        return;
    default: return;
    }
}
