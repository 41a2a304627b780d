/* Locks and caches: `synchronization` of workflows and templates, `memoize`. See lint_p.h. What Argo finds
 * only at run time (workflow/sync/syncitems.go, lock_name.go; controller/cache/cache.go) is found here,
 * where the texts hold no tags. */
#include "base/limits.h"
#include "spec/lint_p.h"

static void text_needed(struct lint *l, const struct val *src, struct str text, const char *what)
{
    if (text.n == 0) LINT(l, DIAG_ERROR, "E0311", src, "%s", what);
}

/* A slash would make another lock of it, one that Argo cannot read back. */
static void no_slash(struct lint *l, const struct val *src, struct str text)
{
    if (str_find_char(text, '/', 0) >= 0 && !has_tag(text))
        LINT(l, DIAG_ERROR, "E0311", src, "`%.*s` holds a slash", STR_ARG(text));
}

static void check_semaphore(struct lint *l, const struct argo_semaphore_ref *x)
{
    if ((x->config_map_key_ref != NULL) == (x->database != NULL)) {
        LINT(l, DIAG_ERROR, "E0311", x->src, "a semaphore needs either configMapKeyRef or database");
        return;
    }
    if (x->database) {
        text_needed(l, x->database->src, x->database->key, "a database semaphore needs a key");
        return;
    }
    const struct argo_config_map_key_selector *ref = x->config_map_key_ref;
    text_needed(l, ref->src, ref->name, "a semaphore needs the name of its ConfigMap");
    text_needed(l, ref->src, ref->key, "a semaphore needs a key of its ConfigMap");
    no_slash(l, lint_at(ref->src, "name"), ref->name);
    no_slash(l, lint_at(ref->src, "key"), ref->key);
}

static void check_twice(struct lint *l, const struct val *src, const struct val *before)
{
    if (!val_eq(src, before)) return;
    struct diag *g = LINT(l, DIAG_ERROR, "E0311", src, "this lock is asked for twice");
    diag_help(l->d, g, "take one of them away");
}

/* So many, and no more, may be compared with each other. */
static bool too_many(struct lint *l, const struct argo_synchronization *s)
{
    if (!s || s->semaphores.n + s->mutexes.n <= LIMIT_LOCKS) return false;
    LINT(l, DIAG_ERROR, "E0311", s->src, "more than %d locks are asked for in one place (LIMIT_LOCKS)", LIMIT_LOCKS);
    return true;
}

static void check_locks(struct lint *l, const struct argo_synchronization *s)
{
    if (too_many(l, s)) return;
    for (size_t i = 0; s && i < s->semaphores.n; i++) {
        check_semaphore(l, &s->semaphores.items[i]);
        for (size_t j = 0; j < i; j++) check_twice(l, s->semaphores.items[i].src, s->semaphores.items[j].src);
    }
    for (size_t i = 0; s && i < s->mutexes.n; i++) {
        text_needed(l, s->mutexes.items[i].src, s->mutexes.items[i].name, "a mutex needs a name");
        for (size_t j = 0; j < i; j++) check_twice(l, s->mutexes.items[i].src, s->mutexes.items[j].src);
    }
}

static bool same_mutex(const struct argo_mutex *a, const struct argo_mutex *b)
{
    return a->name.n && !has_tag(a->name) && str_eq(a->name, b->name) && str_eq(a->namespace, b->namespace) &&
           (a->database.set && a->database.v) == (b->database.set && b->database.v);
}

/* The workflow would hold it until the step ends, which waits for it. */
static void check_held(struct lint_doc *ld, const struct argo_synchronization *s)
{
    const struct argo_synchronization *own = ld->spec->synchronization;
    if (own && own->mutexes.n > LIMIT_LOCKS) return;
    for (size_t i = 0; own && s && i < s->mutexes.n; i++)
        for (size_t j = 0; j < own->mutexes.n; j++)
            if (same_mutex(&s->mutexes.items[i], &own->mutexes.items[j]))
                LINT(ld->l, DIAG_WARNING, "W0311", s->mutexes.items[i].src,
                     "the workflow holds mutex `%.*s` itself: this template waits for it for ever",
                     STR_ARG(own->mutexes.items[j].name));
}

void lint_call_locks(struct lint *l, const struct argo_template *t, const struct call *c)
{
    const struct argo_synchronization *own = t->synchronization, *asked = c->callee ? c->callee->synchronization : NULL;
    if (own && own->mutexes.n > LIMIT_LOCKS) return;
    for (size_t i = 0; own && asked && i < asked->mutexes.n; i++)
        for (size_t j = 0; j < own->mutexes.n; j++)
            if (same_mutex(&asked->mutexes.items[i], &own->mutexes.items[j]))
                LINT(l, DIAG_WARNING, "W0311", c->src,
                     "`%.*s` asks for mutex `%.*s`, which this template holds until it is over: it waits for it for ever",
                     STR_ARG(c->name), STR_ARG(own->mutexes.items[j].name));
}

static void check_memoize(struct lint *l, const struct argo_memoize *m)
{
    if (!m) return;
    if (!has_tag(m->max_age)) lint_duration(l, m->src, "maxAge", m->max_age, true);
    if (!has_tag(m->key) && !lint_well_formed(m->key, NAME_FIELD))
        LINT(l, DIAG_WARNING, "W0312", lint_at(m->src, "key"), "`key` consists of letters, digits and -, but this is \"%.*s\"",
             STR_ARG(m->key));
    if (m->cache && m->cache->config_map && m->cache->config_map->name.n == 0)
        LINT(l, DIAG_ERROR, "E0312", m->cache->config_map->src, "a memoization cache needs the name of a ConfigMap");
}

void lint_gates(struct lint_doc *ld, const struct argo_template *t)
{
    check_locks(ld->l, t->synchronization);
    check_held(ld, t->synchronization);
    check_memoize(ld->l, t->memoize);
}

void lint_workflow_locks(struct lint *l, const struct argo_workflow_spec *spec)
{
    check_locks(l, spec->synchronization);
}
