/* {{tags}}: what each may refer to, by where it stands. Only tags that begin with item. steps.
 * inputs. outputs. pod. workflow. tasks. are checked, as by Argo; expression tags {{=…}} never are.
 */
#include "doc/closest.h"
#include "lang/depends.h"
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
    if (lint_parameter(c->scope->ld->l, list, name)) return true;
    c->word = name;
    for (size_t i = 0; i < list->n; i++) candidate(c, list->items[i].name);
    return false;
}

static bool known_artifact(struct tag_check *c, const struct argo_artifact_list *list,
                           struct str name)
{
    if (lint_artifact(c->scope->ld->l, list, name)) return true;
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
    if (lint_artifact(c->scope->ld->l, &in->artifacts, rest)) return true;
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
    size_t at = call_find(s->by_name, name);
    if (at == CALL_NONE) {
        c->word = name;
        for (size_t i = 0; i < s->n_calls; i++) candidate(c, s->calls[i].name);
        return TAG_UNKNOWN;
    }
    const struct call *call = &s->calls[at];
    if (!visible(s, call, at)) {
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

/* A tag in a text, and what was found out about it. */
struct tag_place {
    const struct val *v;
    size_t off;     /* of the "{{" in v->s */
    struct str raw; /* with braces */
    struct str tag; /* without, trimmed */
};

/* From the whole text to the very tag. */
static void point_at(const struct lint *l, struct diag *g, const struct tag_place *at)
{
    uint32_t line, col;
    if (!lint_source_place(l, at->v, at->off, at->raw.n, &line, &col)) return;
    g->line = line;
    g->col = col;
    g->len = (uint32_t)at->raw.n;
}

/* `word`, the first time that it stands in the tag at or behind `from`, becomes `to`. */
static void mend_word(struct lint *l, struct diag *g, const struct tag_place *at, size_t from, struct str word,
                      struct str to)
{
    ptrdiff_t i = str_find(at->raw, word, from);
    if (i >= 0 && to.p && !g->fix) lint_fix_text(l, g, at->v, at->off + (size_t)i, word.n, to);
}

/* The task waits for the other one as well, unless that one waits for it. */
static void add_dependency(struct lint *l, struct diag *g, const struct tag_scope *s, struct str name)
{
    const struct depends *read;
    size_t at = call_find(s->by_name, name);
    const struct argo_dag_task *t = &s->tmpl->dag->tasks.items[s->self - s->calls];
    const struct val *list = val_get(t->src, STR("dependencies")), *logic = val_get(t->src, STR("depends"));
    if (at == CALL_NONE || lint_full(l) || s->n_calls > 1000 || dag_is_ancestor(s->dag, (size_t)(s->self - s->calls), at))
        return;
    if (list && list->kind == VAL_LIST) diag_fix_val(l->d, g, FIX_ADD_ITEM, list, name);
    else if (logic && logic->kind == VAL_STR && logic->s.n && depends_parse(l->a, logic->s, &read, NULL))
        diag_fix_val(l->d, g, FIX_VALUE, logic,
                     str_find(logic->s, STR("||"), 0) >= 0
                         ? str_fmt(l->a, "(%.*s) && %.*s", STR_ARG(logic->s), STR_ARG(name))
                         : str_fmt(l->a, "%.*s && %.*s", STR_ARG(logic->s), STR_ARG(name)));
    else if (!list && !logic)
        lint_fix_add_pair(l, g, t->src, NULL,
                          str_fmt(l->a, s->any_depends ? "depends: %.*s" : "dependencies: [%.*s]", STR_ARG(name)));
}

static void report_too_late(struct tag_check *c, const struct tag_place *at)
{
    const struct tag_scope *s = c->scope;
    struct lint *l = s->ld->l;
    struct diag *g = LINT(l, DIAG_ERROR, "E0602", at->v, "{{%.*s}} is not known yet at this point", STR_ARG(at->tag));
    point_at(l, g, at);
    if (s->self && str_eq(s->self->name, c->word)) {
        diag_help(l->d, g, "it is set when this one has ended");
    } else if (s->dag) {
        diag_help(l->d, g, "add `%.*s` to the dependencies of this task", STR_ARG(c->word));
        add_dependency(l, g, s, c->word);
    } else {
        diag_help(l->d, g, "only steps of earlier groups can be referred to");
    }
}

/* An input that every caller gives and only the declaration of which is missing. */
static void declare_input(struct lint *l, struct diag *g, const struct tag_scope *s, struct str tag)
{
    const struct argo_template *t = s->tmpl;
    struct str name = str_from(tag, 18); /* inputs.parameters. */
    if (!str_starts(tag, STR("inputs.parameters.")) || !lint_well_formed(name, NAME_PARAMETER)) return;
    if (lint_full(l) || !flow_all_pass(s->ld, t, name)) return;
    const struct val *inputs = val_get(t->src, STR("inputs")), *list = val_get(inputs, STR("parameters"));
    struct str item = str_fmt(l->a, "{name: %.*s}", STR_ARG(name));
    diag_help(l->d, g, "declare it: inputs.parameters needs %.*s", STR_ARG(item));
    if (list && list->kind == VAL_LIST) diag_fix_val(l->d, g, FIX_ADD_ITEM, list, item);
    else if (inputs && inputs->kind == VAL_MAP && !list)
        diag_fix_val(l->d, g, FIX_ADD_PAIR, inputs, str_fmt(l->a, "parameters: [%.*s]", STR_ARG(item)));
    else if (!inputs)
        lint_fix_add_pair(l, g, t->src, NULL, str_fmt(l->a, "inputs: {parameters: [%.*s]}", STR_ARG(item)));
}

/* steps. in a DAG, tasks. in steps: the other word is meant when the name exists. */
static void swap_prefix(struct lint *l, struct diag *g, const struct tag_scope *s, const struct tag_place *at)
{
    struct str name, rest;
    const char *own = s->calls_prefix;
    bool steps = str_starts(at->tag, STR("steps.")), tasks = str_starts(at->tag, STR("tasks."));
    if (!own || (!steps && !tasks) || (strcmp(own, "steps") == 0) == steps) return;
    str_cut(str_from(at->tag, 6), '.', &name, &rest);
    if (call_find(s->by_name, name) == CALL_NONE) return;
    diag_label(l->d, g, "did you mean `%s.%.*s`?", own, STR_ARG(name));
    mend_word(l, g, at, 2, str_sub(at->tag, 0, 5), str_of(own));
}

/* inputs.parameter.x: one of the fixed words of a tag is nearly right. */
static void mend_fixed_word(struct lint *l, struct diag *g, const struct tag_place *at)
{
    static const char *const words[] = {"parameters", "artifacts", "outputs", "result", "exitCode", "status", "path"};
    struct str names[ARRAY_LEN(words)], word, rest = at->tag;
    bool exact = false;
    size_t from = 2;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) names[i] = str_of(words[i]);
    str_cut(rest, '.', &word, &rest);
    for (from += word.n; rest.p && !g->fix; from += word.n + 1) {
        str_cut(rest, '.', &word, &rest);
        for (size_t i = 0; i < ARRAY_LEN(words); i++) exact |= str_eq(word, names[i]);
        if (exact) {
            exact = false;
            continue;
        }
        struct str near = str_closest_only(word, names, ARRAY_LEN(words));
        if (!near.p || word.n < 4) continue;
        diag_label(l->d, g, "did you mean `%.*s`?", STR_ARG(near));
        mend_word(l, g, at, from, word, near);
    }
}

static void report_unknown(struct tag_check *c, const struct tag_place *at)
{
    struct lint *l = c->scope->ld->l;
    struct diag *g = LINT(l, DIAG_ERROR, "E0601", at->v, "failed to resolve {{%.*s}}", STR_ARG(at->tag));
    point_at(l, g, at);
    if (lint_full(l)) return;
    if (c->word.p) {
        lint_did_you_mean(l, g, NULL, c->word, c->near, c->n_near);
        size_t behind = (size_t)(c->word.p - at->tag.p) + 2; /* the word is a part of the tag */
        mend_word(l, g, at, behind <= at->raw.n ? behind : 2, c->word, str_closest_only(c->word, c->near, c->n_near));
    }
    if (!g->fix) declare_input(l, g, c->scope, at->tag);
    if (!g->fix) swap_prefix(l, g, c->scope, at);
    if (!g->fix && !c->word.p) mend_fixed_word(l, g, at);
}

static const char *const prefixes[] = {"inputs", "outputs", "workflow", "steps", "tasks", "item", "pod", "node",
                                       "retries", "lastRetry", "cronworkflow"};

/* A tag of no kind stays in the text as it is, which may be meant (for another program); one whose first
 * word is nearly right is a slip. */
static void check_strange(const struct tag_scope *s, const struct tag_place *at)
{
    struct lint *l = s->ld->l;
    struct str names[ARRAY_LEN(prefixes)], word, rest;
    if (!str_cut(at->tag, '.', &word, &rest) || lint_full(l)) return;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        names[i] = str_of(prefixes[i]);
        if (str_eq(word, names[i])) return;
    }
    struct str near = str_closest_only(word, names, ARRAY_LEN(prefixes));
    if (!near.p) return;
    struct diag *g = LINT(l, DIAG_WARNING, "W0608", at->v, "{{%.*s}} is no tag, so it stays as it is", STR_ARG(at->tag));
    point_at(l, g, at);
    diag_label(l->d, g, "did you mean `%.*s`?", STR_ARG(near));
    mend_word(l, g, at, 2, word, near);
}

/* What is known, but not here. */
static void check_place(const struct tag_scope *s, const struct tag_place *at)
{
    struct lint *l = s->ld->l;
    struct diag *g = NULL;
    const struct argo_workflow_spec *spec = s->ld->spec;
    bool handled = spec->on_exit.n > 0 || spec->hooks.n > 0;
    bool end = (str_is(at->tag, "workflow.status") && !handled) || str_is(at->tag, "workflow.failures");
    if (end && !s->ld->is_template && flow_reached(s->ld, s->tmpl) == FLOW_MAIN) {
        g = LINT(l, DIAG_WARNING, "W0606", at->v, "{{%.*s}} is known in exit handlers and hooks of the workflow only",
                 STR_ARG(at->tag));
    } else if (str_is(at->tag, "item") && s->self && !s->outer) {
        const struct call *c = s->self;
        if (!c->with_items.items && !c->with_param.p && !c->with_sequence)
            g = LINT(l, DIAG_WARNING, "W0607", at->v, "{{item}} stands where nothing is looped over");
    }
    if (g) point_at(l, g, at);
}

static void check_tag(const struct tag_scope *s, const struct tag_place *at)
{
    struct tag_check c = {.scope = s};
    enum tag_answer answer = tag_known(&c, at->tag);
    for (const struct tag_scope *o = s->outer; o && answer != TAG_KNOWN; o = o->outer) {
        struct tag_check up = {.scope = o};
        if (tag_known(&up, at->tag) == TAG_KNOWN) return;
    }
    if (answer == TAG_TOO_LATE) report_too_late(&c, at);
    if (answer == TAG_UNKNOWN) report_unknown(&c, at);
    if (answer != TAG_KNOWN) return;
    check_strange(s, at);
    check_place(s, at);
}

/* Inner tags first: of "{{a.{{b}}}}" only b can be looked at. */
static void check_text(const struct tag_scope *s, const struct val *v)
{
    size_t at = 0;
    if (v->s.n >= 20) lint_secret_text(s->ld->l, v);
    if (v->s.n < 5 || !memchr(v->s.p, '{', v->s.n)) return;
    for (ptrdiff_t close = -1;;) {
        ptrdiff_t open = str_find(v->s, STR("{{"), at);
        if (open >= 0 && close < open + 2) close = str_find(v->s, STR("}}"), (size_t)open + 2);
        if (open < 0 || close < 0) return;
        ptrdiff_t inner = str_find(v->s, STR("{{"), (size_t)open + 2);
        if (inner >= 0 && inner < close) {
            at = (size_t)inner;
            continue;
        }
        struct tag_place place = {.v = v, .off = (size_t)open};
        place.raw = str_sub(v->s, place.off, (size_t)(close - open) + 2);
        place.tag = str_trim(str_sub(place.raw, 2, place.raw.n - 4));
        if (place.raw.n > 5 && place.raw.p[2] == '=') lint_expression_tag(s->ld->l, v, place.off, place.raw);
        else if (place.raw.n > 4) check_tag(s, &place);
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
