/* engine: locks alone. The property test compares every step with a naive list of claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/locks.h"

static int64_t limits[3]; /* of semaphores "0", "1", "2" */

static int64_t limit_fn(void *ctx, const struct lock_name *n)
{
    (void)ctx;
    return n->name.p[0] >= '0' && n->name.p[0] <= '2' ? limits[n->name.p[0] - '0'] : 0;
}

static struct lock_name mutex(const char *name)
{
    return (struct lock_name){.kind = LOCK_MUTEX, .ns = STR("default"), .name = str_of(name)};
}

static struct lock_name sem(const char *name)
{
    return (struct lock_name){.kind = LOCK_CONFIG_MAP, .ns = STR("default"), .name = str_of(name), .key = STR("k")};
}

static struct lock_party *join(struct locks *k, int64_t priority, int64_t created, uint64_t number)
{
    return locks_join(k, &(struct lock_party_opts){.priority = priority, .created_us = created, .number = number});
}

static struct lock_claim *claim(struct lock_party *p, const char *holder, struct lock_name n)
{
    return lock_claim_new(p, str_of(holder), NULL, &n, 1, NULL);
}

static void assert_why(const struct lock_claim *c, const char *message)
{
    struct arena a CLEANUP(arena_fini);
    struct str m, lock;
    arena_init(&a);
    assert_true(lock_claim_why(&a, c, &m, &lock));
    assert_string_equal(m.p, message);
}

static void assert_status(const struct lock_party *p, const char *json)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 1 << 20);
    assert_int_equal(lock_party_write(&b, p), *json != 0);
    assert_true(str_is(buf_view(&b), json));
}

static void test_mutex(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *p = join(k, 0, 1, 1), *q = join(k, 0, 2, 2);
    struct lock_claim *a = claim(p, "default/p", mutex("m")), *b = claim(q, "default/q", mutex("m"));
    assert_ptr_equal(lock_next(p), a);
    assert_null(lock_next(q));
    lock_take(a);
    assert_null(lock_next(q));
    assert_why(b, "Waiting for default/Mutex/m lock. Lock status: 0/1");
    assert_status(p, "{\"mutex\":{\"holding\":[{\"mutex\":\"default/Mutex/m\",\"holder\":\"default/p\"}]}}");
    assert_status(q, "{\"mutex\":{\"waiting\":[{\"mutex\":\"default/Mutex/m\",\"holder\":\"default/p\"}]}}");
    lock_claim_free(a);
    assert_status(p, "");
    assert_ptr_equal(lock_next(q), b);
    lock_take(b);
    assert_true(lock_claim_held(b));
    locks_leave(q);
    locks_leave(p);
    locks_free(k);
}

struct tally {
    size_t taken, gone, held, waits;
};
static void on_taken(void *ctx, const struct lock_name *n) { ((struct tally *)ctx)->taken++; }
static void on_gone(void *ctx, const struct lock_name *n) { ((struct tally *)ctx)->gone++; }
static void on_seen(void *ctx, const struct lock_name *n, size_t held, size_t waits)
{
    ((struct tally *)ctx)->held = held;
    ((struct tally *)ctx)->waits = waits;
}

static void test_is_watched(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct tally t = {0};
    locks_watch(k, &(struct locks_watch){on_taken, on_gone, &t});
    struct lock_party *p = join(k, 0, 1, 1), *q = join(k, 0, 2, 2);
    struct lock_claim *a = claim(p, "default/p", mutex("m")), *b = claim(q, "default/q", mutex("m"));
    lock_take(a);
    locks_visit(k, on_seen, &t);
    assert_true(t.taken == 1 && t.held == 1 && t.waits == 1 && t.gone == 0);
    lock_claim_free(a);
    lock_take(b);
    locks_visit(k, on_seen, &t);
    assert_true(t.taken == 2 && t.held == 1 && t.waits == 0);
    locks_leave(q);
    assert_int_equal(t.gone, 1);
    struct lock_name m = mutex("m");
    lock_claim_again(p, STR("default/p"), NULL, &m, 1, true);
    assert_int_equal(t.taken, 2);
    locks_leave(p);
    locks_free(k);
}

static void test_priority_then_creation_then_number(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *holder = join(k, 0, 0, 0);
    struct lock_claim *c = claim(holder, "h", mutex("m"));
    assert_ptr_equal(lock_next(holder), c);
    lock_take(c);
    struct lock_party *p[] = {join(k, 0, 5, 4), join(k, 0, 5, 3), join(k, 0, 4, 9), join(k, 7, 9, 10)};
    struct lock_claim *w[4];
    for (int i = 0; i < 4; i++) w[i] = claim(p[i], "w", mutex("m"));
    for (int i = 3; i >= 0; i--) {
        lock_claim_free(c);
        for (int j = 0; j < 4; j++) assert_ptr_equal(lock_next(p[j]), j == i ? w[i] : NULL);
        lock_take(c = w[i]);
    }
    lock_claim_free(c);
    for (int i = 0; i < 4; i++) locks_leave(p[i]);
    locks_leave(holder);
    locks_free(k);
}

static void test_all_or_none(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *p = join(k, 0, 1, 1), *q = join(k, 0, 2, 2), *r = join(k, 0, 3, 3);
    struct lock_name both[] = {mutex("a"), mutex("b"), mutex("a")};
    struct lock_claim *b = claim(p, "p", mutex("b"));
    assert_ptr_equal(lock_next(p), b);
    lock_take(b);
    struct lock_claim *ab = lock_claim_new(q, STR("q"), NULL, both, 3, NULL);
    struct lock_claim *a = claim(r, "r", mutex("a"));
    assert_null(lock_next(q));
    assert_null(lock_next(r)); /* q stands before it in the queue of a */
    assert_why(ab, "Waiting for default/Mutex/b lock. Lock status: 0/1");
    assert_why(a, "Waiting for default/Mutex/a lock. Lock status: 1/1");
    assert_status(q, "{\"mutex\":{\"waiting\":[{\"mutex\":\"default/Mutex/b\",\"holder\":\"p\"}]}}");
    lock_claim_free(b);
    assert_ptr_equal(lock_next(q), ab);
    lock_take(ab);
    assert_null(lock_next(r));
    lock_claim_free(ab);
    assert_ptr_equal(lock_next(r), a);
    locks_leave(p);
    locks_leave(q);
    locks_leave(r);
    locks_free(k);
}

/* A later claim of the same party passes one that waits for another lock, as in Argo. */
static void test_same_party_passes(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *p = join(k, 0, 1, 1), *q = join(k, 0, 2, 2);
    struct lock_name both[] = {mutex("a"), mutex("b")};
    struct lock_claim *held = claim(q, "q", mutex("b"));
    lock_take(lock_next(q));
    struct lock_claim *ab = lock_claim_new(p, STR("p1"), NULL, both, 2, NULL), *a = claim(p, "p2", mutex("a"));
    assert_ptr_equal(lock_next(p), a);
    lock_take(a);
    lock_claim_free(held);
    assert_null(lock_next(p));
    lock_claim_free(a);
    assert_ptr_equal(lock_next(p), ab);
    locks_leave(p);
    locks_leave(q);
    locks_free(k);
}

static void test_limits(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *p = join(k, 0, 1, 1);
    struct err e = {0};
    struct lock_name none = sem("9");
    limits[0] = 2;
    assert_null(lock_claim_new(p, STR("x"), NULL, &none, 1, &e));
    assert_string_equal(e.text, "failed to initialize semaphore default/ConfigMap/9/k with limit");
    struct lock_claim *c[4];
    for (int i = 0; i < 4; i++) c[i] = claim(p, "h", sem("0"));
    for (int i = 0; i < 2; i++) lock_take(lock_next(p));
    assert_null(lock_next(p));
    assert_why(c[2], "Waiting for default/ConfigMap/0/k lock. Lock status: 0/2");
    limits[0] = 3;
    assert_null(lock_next(p)); /* nobody has said so */
    locks_refresh(k);
    assert_ptr_equal(lock_next(p), c[2]);
    lock_take(c[2]);
    limits[0] = 1;
    locks_refresh(k);
    assert_why(c[3], "Waiting for default/ConfigMap/0/k lock. Lock status: -2/1");
    lock_claim_free(c[0]);
    lock_claim_free(c[1]);
    assert_null(lock_next(p));
    limits[0] = 0;
    locks_refresh(k);
    assert_why(c[3], "Failed to get semaphore limit for default/ConfigMap/0/k");
    limits[0] = 2;
    locks_refresh(k);
    assert_ptr_equal(lock_next(p), c[3]);
    locks_leave(p);
    locks_free(k);
}

static void test_database(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *p = join(k, 0, 1, 1);
    struct lock_name s = {.kind = LOCK_DB, .ns = STR("ns"), .name = STR("1")};
    struct lock_name m = {.kind = LOCK_DB_MUTEX, .ns = STR("ns"), .name = STR("1")};
    limits[1] = 1;
    struct lock_claim *c[] = {claim(p, "a", s), claim(p, "b", s), claim(p, "c", m), claim(p, "d", m)};
    for (int i = 0; i < 2; i++) lock_take(lock_next(p)); /* a mutex and a semaphore of one name are two locks */
    assert_true(lock_claim_held(c[0]) && lock_claim_held(c[2]));
    assert_null(lock_next(p));
    assert_why(c[1], "Waiting for ns/Database/1 lock (sem/ns/1). Lock status: 1/1");
    assert_why(c[3], "Waiting for ns/Database/1 lock (mtx/ns/1). Lock status: 1/1");
    locks_leave(p);
    locks_free(k);
}

static void test_restart_ignores_limits(void **state)
{
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *p = join(k, 0, 1, 1), *q = join(k, 0, 0, 0);
    struct lock_name s = sem("0");
    limits[0] = 1;
    struct lock_claim *a = lock_claim_again(p, STR("a"), NULL, &s, 1, true);
    struct lock_claim *b = lock_claim_again(p, STR("b"), NULL, &s, 1, true);
    struct lock_claim *c = lock_claim_again(q, STR("c"), NULL, &s, 1, false);
    assert_status(p, "{\"semaphore\":{\"holding\":[{\"semaphore\":\"default/ConfigMap/0/k\",\"holders\":[\"a\",\"b\"]}]}}");
    assert_null(lock_next(q));
    lock_claim_free(a);
    assert_null(lock_next(q));
    lock_claim_free(b);
    assert_ptr_equal(lock_next(q), c);
    locks_leave(p);
    locks_leave(q);
    locks_free(k);
}

static void test_names(void **state)
{
    (void)state;
    struct arena a CLEANUP(arena_fini);
    struct str text;
    struct err e;
    arena_init(&a);
    struct lock_name n = mutex("a/b");
    assert_true(lock_text(&a, &n, &text, &e));
    assert_string_equal(text.p, "default/Mutex/a/b");
    n = sem("a/b");
    assert_false(lock_text(&a, &n, &text, &e));
    n = mutex("");
    assert_false(lock_text(&a, &n, &text, &e));
    assert_string_equal(e.text, "Invalid lock key: ResourceName is missing");
}

/* ---- against a list ---- */

enum { PARTIES = 5, CLAIMS = 12, LOCKS = 5 };

struct model_claim {
    struct lock_claim *c;
    int party, locks[2], n;
    bool held;
    int number;
};

struct model {
    struct locks *k;
    struct lock_party *p[PARTIES];
    int64_t priority[PARTIES], created[PARTIES];
    struct model_claim claims[CLAIMS];
    size_t n;
    int number;
    bool told[PARTIES]; /* locks_next named it since it was last found idle; its element is the owner */
    uint64_t random;
};

static uint64_t draw(struct model *m, uint64_t below)
{
    uint64_t z = (m->random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

static struct lock_name name_of(int lock)
{
    static const char *const texts[] = {"0", "1", "2", "m", "n"};
    return lock < 3 ? sem(texts[lock]) : mutex(texts[lock]);
}

static int64_t model_limit(int lock) { return lock < 3 ? limits[lock] : 1; }

static bool model_before(const struct model *m, int a, int b)
{
    if (m->priority[a] != m->priority[b]) return m->priority[a] > m->priority[b];
    if (m->created[a] != m->created[b]) return m->created[a] < m->created[b];
    return a < b;
}

static bool wants(const struct model_claim *c, int lock)
{
    return c->locks[0] == lock || (c->n > 1 && c->locks[1] == lock);
}

static int64_t used(const struct model *m, int lock)
{
    int64_t n = 0;
    for (size_t i = 0; i < m->n; i++) n += m->claims[i].held && wants(&m->claims[i], lock);
    return n;
}

static int first_party(const struct model *m, int lock)
{
    int best = -1;
    for (size_t i = 0; i < m->n; i++)
        if (!m->claims[i].held && wants(&m->claims[i], lock) &&
            (best < 0 || model_before(m, m->claims[i].party, best)))
            best = m->claims[i].party;
    return best;
}

static bool model_can_go(const struct model *m, const struct model_claim *c)
{
    for (int i = 0; i < c->n; i++)
        if (used(m, c->locks[i]) >= model_limit(c->locks[i]) || first_party(m, c->locks[i]) != c->party) return false;
    return true;
}

static struct model_claim *model_next(struct model *m, int party)
{
    struct model_claim *best = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct model_claim *c = &m->claims[i];
        if (c->party == party && !c->held && model_can_go(m, c) && (!best || c->number < best->number)) best = c;
    }
    return best;
}

static void model_drop(struct model *m, size_t i)
{
    lock_claim_free(m->claims[i].c);
    m->claims[i] = m->claims[--m->n];
}

static void model_add(struct model *m)
{
    struct model_claim *c = &m->claims[m->n];
    struct lock_name names[2];
    *c = (struct model_claim){.party = (int)draw(m, PARTIES), .n = (int)draw(m, 2) + 1, .number = m->number++};
    for (int i = 0; i < c->n; i++) names[i] = name_of(c->locks[i] = (int)draw(m, LOCKS));
    if (c->n > 1 && c->locks[0] == c->locks[1]) c->n = 1;
    c->c = lock_claim_new(m->p[c->party], STR("h"), NULL, names, (size_t)c->n, NULL);
    if (c->c) m->n++;
    else assert_true(model_limit(c->locks[0]) == 0 || (c->n > 1 && model_limit(c->locks[1]) == 0));
}

static void model_step(struct model *m)
{
    switch (draw(m, 8)) {
    case 0: case 1: case 2: if (m->n < CLAIMS) model_add(m); break;
    case 3: case 4: if (m->n) model_drop(m, draw(m, m->n)); break;
    case 5: limits[draw(m, 3)] = (int64_t)draw(m, 4); locks_refresh(m->k); break;
    default: {
        int party = (int)draw(m, PARTIES);
        struct model_claim *c = model_next(m, party);
        if (c) lock_take(lock_next(m->p[party]));
        if (c) c->held = true;
    }
    }
}

/* Nobody who could go on is forgotten, nobody goes who may not, limits hold for who comes new. */
static void model_check(struct model *m)
{
    void *owner;
    while ((owner = locks_next(m->k))) *(bool *)owner = true;
    for (int i = 0; i < PARTIES; i++) {
        struct model_claim *c = model_next(m, i);
        struct lock_claim *got = lock_next(m->p[i]);
        if (got != (c ? c->c : NULL)) fail_msg("party %d: a claim is forgotten or goes too early", i);
        if (c && !m->told[i]) fail_msg("party %d was not told", i);
        if (!c) m->told[i] = false;
    }
    for (size_t i = 0; i < m->n; i++) assert_int_equal(lock_claim_held(m->claims[i].c), m->claims[i].held);
}

static void model_run(uint64_t seed)
{
    struct model m = {.random = seed};
    for (int i = 0; i < 3; i++) limits[i] = (int64_t)draw(&m, 3) + 1;
    m.k = locks_new(limit_fn, NULL);
    for (int i = 0; i < PARTIES; i++) {
        m.priority[i] = (int64_t)draw(&m, 2);
        m.created[i] = (int64_t)draw(&m, 3);
        m.p[i] = locks_join(m.k, &(struct lock_party_opts){.priority = m.priority[i], .created_us = m.created[i],
                                                           .number = (uint64_t)i, .owner = &m.told[i]});
    }
    for (int i = 0; i < 60; i++) {
        model_step(&m);
        model_check(&m);
    }
    for (int i = 0; i < PARTIES; i++) locks_leave(m.p[i]);
    locks_free(m.k);
}

static void test_property(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) model_run(seed);
}

/* Many waiters on one lock: a release looks at none but the first. */
static void test_many(void **state)
{
    enum { N = 50000 };
    (void)state;
    struct locks *k = locks_new(limit_fn, NULL);
    struct lock_party *p = join(k, 0, 1, 1);
    for (int i = 0; i < N; i++) claim(p, "h", mutex("m"));
    size_t n = 0;
    for (struct lock_claim *c; (c = lock_next(p)); n++) {
        lock_take(c);
        lock_claim_free(c);
    }
    assert_int_equal(n, N);
    locks_leave(p);
    locks_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutex), cmocka_unit_test(test_is_watched),
        cmocka_unit_test(test_priority_then_creation_then_number),
        cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_same_party_passes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_database),
        cmocka_unit_test(test_restart_ignores_limits),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_property),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
