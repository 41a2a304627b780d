/* Resource templates that act on what Skiff does not keep: such a step can only fail. See lint_p.h.
 * Runs on: one thread per lint. */
#include <strings.h>

#include "doc/yaml.h"
#include "spec/lint_p.h"

/* The text with x in the place of its tags, so that what surrounds them can be read. */
static struct str without_tags(struct arena *a, struct str text)
{
    char *p = arena_alloc_bytes(a, text.n + 1);
    size_t open = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool begins = str_starts(str_from(text, i), STR("{{")), ends = i >= 2 && str_is(str_sub(text, i - 2, 2), "}}");
        if (ends && open) open--;
        if (begins && !(i && text.p[i - 1] == '{')) open++;
        p[i] = open && text.p[i] != '\n' ? 'x' : text.p[i];
    }
    p[text.n] = '\0';
    return str_n(p, text.n);
}

static bool same(struct str word, const char *name, const char *ending)
{
    size_t n = strlen(name), more = strlen(ending);
    return word.n == n + more && strncasecmp(word.p, name, n) == 0 && strncasecmp(word.p + n, ending, more) == 0;
}

/* As kubectl takes it: any case, singular, plural or short, with or without a group. */
static bool word_known(struct str word)
{
    static const char *const shorts[] = {"wf", "wftmpl", "clusterwftmpl", "cwft", "cwf", "cronwf", "wfeb", "cm", "pvc"};
    str_cut(word, '.', &word, &(struct str){0});
    for (int k = DOC_NONE + 1; k < DOC_KIND_MAX; k++)
        if (same(word, doc_kind_text((enum doc_kind)k), "") || same(word, doc_kind_text((enum doc_kind)k), "s")) return true;
    for (size_t i = 0; i < ARRAY_LEN(shorts); i++)
        if (same(word, shorts[i], "")) return true;
    return false;
}

static void foreign(struct lint *l, const struct val *at, struct str kind)
{
    struct diag *g = LINT(l, DIAG_WARNING, "W0314", at, "Skiff keeps no objects of kind `%.*s`: this step can only fail",
                          STR_ARG(kind));
    diag_help(l->d, g, "it keeps workflows, their templates, cron workflows, event bindings, ConfigMaps, Secrets and "
              "PersistentVolumeClaims");
}

static void flags_check(struct lint *l, const struct argo_resource_template *r)
{
    if (r->flags.n == 0 || r->flags.items[0].n == 0 || r->flags.items[0].p[0] == '-' || has_tag(r->flags.items[0])) return;
    struct str word = r->flags.items[0];
    str_cut(word, '/', &word, &(struct str){0});
    if (!word_known(word)) foreign(l, lint_at(r->src, "flags"), word);
}

void lint_resource_kind(struct lint *l, const struct argo_resource_template *r)
{
    struct val *docs;
    size_t n;
    flags_check(l, r);
    if (!r->manifest.n || !yaml_parse_all(l->a, without_tags(l->a, r->manifest), NULL, &docs, &n, NULL)) return;
    for (size_t i = 0; i < n; i++) {
        struct str kind = val_get_str(&docs[i], "kind");
        if (!kind.n || doc_kind_of(kind) != DOC_NONE || str_is(kind, "List") || str_starts(kind, STR("xx"))) continue;
        foreign(l, lint_at(r->src, "manifest"), kind);
        return;
    }
}
