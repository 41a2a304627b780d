/* See cron.h. */
#include "engine/cron.h"

#include "base/rfc3339.h"
#include "engine/cron_p.h"

enum { KEEP_WELL = 3, KEEP_FAILED = 1 };
#define SECOND_US ((int64_t)1000000)
/* Children that are too many go so long after one has ended, so that whoever waits for it sees that. */
#define SWEEP_US (10 * SECOND_US)
/* A clock that is set back by no more goes on where it was; by more, it had been wrong. */
#define BACK_MAX_US (86400 * SECOND_US)

static char *text_new(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

/* ---- children ---- */

static struct child *child_find(struct cronwf *c, struct str uid)
{
    for (size_t i = 0; i < c->children.n; i++)
        if (str_is(uid, c->children.items[i].uid)) return &c->children.items[i];
    return NULL;
}

static void child_drop(struct cronwf *c, struct child *k)
{
    free(k->name);
    free(k->uid);
    size_t at = (size_t)(k - c->children.items);
    memmove(k, k + 1, (c->children.n - at - 1) * sizeof *k);
    c->children.n--;
}

static struct child *child_add(struct cronwf *c, struct str name, struct str uid)
{
    struct child k = {.name = text_new(name), .uid = text_new(uid)};
    VEC_PUSH(&c->children, k);
    return &c->children.items[c->children.n - 1];
}

static size_t active_count(const struct cronwf *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->children.n; i++) n += c->children.items[i].active;
    return n;
}

/* ---- the document comes in ---- */

static void trouble_set(struct cronwf *c, enum cron_trouble which, struct str why)
{
    struct str was = c->trouble[which] ? str_of(c->trouble[which]) : STR_NONE;
    if (was.p == why.p || (was.p && why.p && str_eq(was, why))) return;
    free(c->trouble[which]);
    c->trouble[which] = why.p ? text_new(why) : NULL;
    c->dirty = true;
}

static void status_read(struct cronwf *c)
{
    const struct val *status = val_get(&c->doc, STR("status")), *active = val_get(status, STR("active"));
    const struct val *conditions = val_get(status, STR("conditions"));
    const struct val *failed = val_get(status, STR("failed")), *succeeded = val_get(status, STR("succeeded"));
    if (failed) val_i64(failed, &c->failed);
    if (succeeded) val_i64(succeeded, &c->succeeded);
    rfc3339_parse(val_get_str(status, "lastScheduledTime"), &c->last_us);
    c->stopped = str_is(val_get_str(status, "phase"), "Stopped");
    c->begun = val_get_str(status, "phase").n > 0;
    for (uint32_t i = 0; active && active->kind == VAL_LIST && i < active->n; i++) {
        struct child *k = child_add(c, val_get_str(&active->items[i], "name"), val_get_str(&active->items[i], "uid"));
        k->active = k->unsure = true;
    }
    for (uint32_t i = 0; conditions && conditions->kind == VAL_LIST && i < conditions->n; i++)
        for (int t = 0; t < CRON_TROUBLES; t++)
            if (str_is(val_get_str(&conditions->items[i], "type"), cron_trouble_text[t]))
                trouble_set(c, (enum cron_trouble)t, val_get_str(&conditions->items[i], "message"));
    c->dirty = false;
}

/* Schedules that are as they were go on where they are, if they were not at rest. */
static void ticks_read(struct cronwf *c, struct schedules *old, int64_t now_us)
{
    schedules_read(&c->arena, c->zone, c->zone_ctx, &c->doc, &c->schedules);
    for (size_t i = 0; i < c->schedules.n; i++) {
        struct tick *t = &c->schedules.items[i];
        bool same = i < old->n && !c->rested && str_eq(t->text, old->items[i].text);
        if (same) t->next_us = old->items[i].next_us;
        else tick_move(&c->schedules, t, MAX(now_us, c->floor_us));
    }
}

static void document_take(struct cronwf *c, const struct val *doc, int64_t now_us)
{
    struct arena before = c->arena;
    struct schedules old = c->schedules;
    arena_init(&c->arena);
    c->doc = cron_without_version(&c->arena, doc);
    c->spec = val_get(&c->doc, STR("spec"));
    c->noted = false; /* the annotation, too, is what the document says */
    if (!before.head) {
        status_read(c);
        c->floor_us = c->last_us > now_us + BACK_MAX_US ? now_us : c->last_us;
    }
    ticks_read(c, &old, now_us);
    c->rested = cronwf_rests(c);
    c->recheck = true;
    arena_fini(&before);
}

struct cronwf *cronwf_new(cron_zone_fn *zone, void *ctx, const struct val *first, int64_t now_us)
{
    struct cronwf *c = mem_zalloc(sizeof *c);
    *c = (struct cronwf){.zone = zone, .zone_ctx = ctx, .seen_us = now_us, .sweep_us = now_us};
    arena_init(&c->scratch);
    document_take(c, first, now_us);
    return c;
}

void cronwf_free(struct cronwf *c)
{
    if (!c) return;
    while (c->children.n) child_drop(c, &c->children.items[c->children.n - 1]);
    for (int t = 0; t < CRON_TROUBLES; t++) free(c->trouble[t]);
    VEC_FINI(&c->children);
    arena_fini(&c->arena);
    arena_fini(&c->scratch);
    free(c);
}

void cronwf_changed(struct cronwf *c, const struct val *doc, int64_t now_us)
{
    document_take(c, doc, now_us);
    c->dirty = true; /* the status that it has may be an old one */
}

/* ---- children begin and end ---- */

/* A stopStrategy that cannot be evaluated is said when the next time comes. */
static void stop_check(struct cronwf *c, int64_t now_us)
{
    struct err said_later;
    bool over;
    if (c->stopped || !cron_stop_is_due(&c->scratch, c, now_us, &over, &said_later) || !over) return;
    c->stopped = c->rested = c->dirty = true;
}

static void child_ended(struct cronwf *c, struct child *k, const struct cron_child *how, int64_t now_us)
{
    k->active = false;
    if (how->well) c->succeeded++;
    else c->failed++;
    c->dirty = c->recheck = true;
    if (!c->sweep_us) c->sweep_us = now_us + SWEEP_US;
    stop_check(c, now_us);
}

void cronwf_child(struct cronwf *c, const struct cron_child *child, int64_t now_us)
{
    struct child *k = child_find(c, child->uid);
    if (!k) {
        k = child_add(c, child->name, child->uid);
        c->dirty = c->dirty || child->active;
    }
    else if (child->active && !k->active) c->dirty = true;
    k->unsure = false;
    k->well = child->well;
    k->finished_us = child->finished_us;
    if (k->active && !child->active) child_ended(c, k, child, now_us);
    k->active = child->active;
    arena_reset(&c->scratch);
}

void cronwf_child_gone(struct cronwf *c, struct str uid)
{
    struct child *k = child_find(c, uid);
    if (!k) return;
    if (k->active) c->dirty = c->recheck = true;
    child_drop(c, k);
}

void cronwf_children_told(struct cronwf *c)
{
    for (size_t i = c->children.n; i-- > 0;)
        if (c->children.items[i].unsure) {
            c->dirty = true;
            child_drop(c, &c->children.items[i]);
        }
}

void cronwf_started(struct cronwf *c, const struct cron_child *child, int64_t at_us, int64_t now_us)
{
    cronwf_child(c, child, now_us);
    c->last_us = at_us;
    c->begun = true;
    for (int t = 0; t < CRON_TROUBLES; t++) trouble_set(c, (enum cron_trouble)t, STR_NONE);
    c->dirty = c->recheck = true;
}

void cronwf_refused(struct cronwf *c, enum cron_trouble which, struct str why, int64_t at_us)
{
    if (which == CRON_SUBMISSION_ERROR) c->failed++, c->dirty = true;
    trouble_set(c, which, why);
    c->refused_us = MAX(c->refused_us, at_us);
}

/* ---- times come ---- */

/* It asks for the workflow of this time, if nothing speaks against that. */
static void run_at(struct cronwf *c, int64_t at_us, int64_t now_us, struct cron_out *out)
{
    struct err e = {0};
    bool over, may = true;
    size_t active = active_count(c);
    struct str policy = val_get_str(c->spec, "concurrencyPolicy");
    c->floor_us = MAX(c->floor_us, at_us);
    cron_schedule_note(c);
    if (!cron_stop_is_due(&c->scratch, c, now_us, &over, &e)) {
        struct str why = str_fmt(&c->scratch, "failed to check CronWorkflow '%.*s' stopping condition: %s", STR_ARG(cronwf_name(c)), e.text);
        cronwf_refused(c, CRON_SPEC_ERROR, why, at_us);
        return;
    }
    if (over && !c->stopped) c->stopped = c->rested = c->dirty = true;
    if (cronwf_rests(c)) return;
    if (!cron_when_holds(&c->scratch, c, now_us, &may, &e)) {
        cronwf_refused(c, CRON_SUBMISSION_ERROR, str_fmt(&c->scratch, "run policy error: %s", e.text), at_us);
        return;
    }
    if (!may) return;
    if (active && str_is(policy, "Replace")) out->policy = "Replace";
    if (active && str_is(policy, "Forbid")) {
        out->policy = "Forbid";
        return;
    }
    struct str *uids = ARENA_ARRAY(&c->scratch, struct str, active + 1);
    for (size_t i = 0; str_is(policy, "Replace") && i < c->children.n; i++)
        if (c->children.items[i].active) uids[out->n_terminate++] = str_dup(&c->scratch, str_of(c->children.items[i].uid));
    out->terminate = uids;
    out->start = true;
    out->at_us = at_us;
    out->name = str_fmt(&c->scratch, "%.*s-%lld", STR_ARG(cronwf_name(c)), (long long)(at_us / SECOND_US));
}

/* The earliest schedule whose time has come; those that share the time with it are over, too. What it has slept through is
 * passed: missed_time looks at that. */
static bool schedule_tick(struct cronwf *c, int64_t now_us, struct cron_out *out)
{
    int64_t at = schedules_next(&c->schedules);
    if (c->rested || at > now_us) return false;
    for (size_t i = 0; i < c->schedules.n; i++)
        if (c->schedules.items[i].next_us == at) tick_move(&c->schedules, &c->schedules.items[i], now_us);
    if (at > c->floor_us) run_at(c, at, now_us, out);
    return true;
}

/* After a time in which nobody looked only the latest one counts, and only as long as the document allows. */
static int64_t missed_time(struct cronwf *c, int64_t now_us)
{
    const struct val *v = val_get(c->spec, STR("startingDeadlineSeconds"));
    int64_t deadline_s, from = MAX(c->last_us, c->refused_us);
    if (c->rested || !c->last_us || !v || !val_i64(v, &deadline_s) || deadline_s <= 0 || !cron_schedule_is_noted(c)) return 0;
    if (deadline_s < now_us / SECOND_US) from = MAX(from, now_us - deadline_s * SECOND_US);
    for (size_t i = 0; i < c->schedules.n; i++) {
        int64_t at = tick_latest(&c->schedules, &c->schedules.items[i], from, now_us);
        if (at) return at;
    }
    return 0;
}

static int keep_of(const struct cronwf *c, bool well)
{
    const struct val *v = val_get(c->spec, well ? STR("successfulJobsHistoryLimit") : STR("failedJobsHistoryLimit"));
    int64_t n;
    return v && val_i64(v, &n) && n >= 0 && n <= INT32_MAX ? (int)n : well ? KEEP_WELL : KEEP_FAILED;
}

/* How many of those that ended as this one did have ended after it. */
static int newer_count(const struct cronwf *c, size_t of)
{
    const struct child *k = &c->children.items[of];
    int n = 0;
    for (size_t i = 0; i < c->children.n; i++) {
        const struct child *o = &c->children.items[i];
        if (o->active || o->well != k->well) continue;
        n += o->finished_us > k->finished_us || (o->finished_us == k->finished_us && i > of);
    }
    return n;
}

static void sweep(struct cronwf *c, struct cron_out *out)
{
    struct str *uids = ARENA_ARRAY(&c->scratch, struct str, c->children.n + 1);
    for (size_t i = 0; i < c->children.n; i++) {
        const struct child *k = &c->children.items[i];
        if (!k->active && newer_count(c, i) >= keep_of(c, k->well)) uids[out->n_remove++] = str_dup(&c->scratch, str_of(k->uid));
    }
    out->remove = uids;
    for (size_t i = 0; i < out->n_remove; i++) cronwf_child_gone(c, uids[i]);
}

/* Times up to the floor are over. A clock that had been wrong for long does not stop the schedule until it is there again. */
void cronwf_clock_back(struct cronwf *c, int64_t now_us)
{
    if (now_us >= c->seen_us - BACK_MAX_US) return;
    c->seen_us = now_us;
    c->floor_us = MIN(c->floor_us, now_us);
    for (size_t i = 0; i < c->schedules.n; i++) tick_move(&c->schedules, &c->schedules.items[i], now_us);
    if (c->sweep_us) c->sweep_us = now_us;
}

int64_t cronwf_next_us(const struct cronwf *c)
{
    if (c->recheck) return 0;
    int64_t at = c->rested ? INT64_MAX : schedules_next(&c->schedules);
    return c->sweep_us ? MIN(at, c->sweep_us) : at;
}

void cronwf_tick(struct cronwf *c, int64_t now_us, struct cron_out *out)
{
    *out = (struct cron_out){0};
    arena_reset(&c->scratch);
    c->seen_us = MAX(c->seen_us, now_us);
    if (schedule_tick(c, now_us, out)) return;
    if (c->recheck) {
        c->recheck = false;
        int64_t at = missed_time(c, now_us);
        if (at) run_at(c, at, now_us, out);
    } else if (c->sweep_us && c->sweep_us <= now_us) {
        c->sweep_us = 0;
        sweep(c, out);
    }
}
