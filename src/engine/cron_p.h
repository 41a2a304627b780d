/* Private to cron*.c. */
#pragma once
#include "base/vec.h"
#include "engine/cron.h"
#include "lang/cron.h"

struct tick {
    struct str text; /* with its zone, as Argo writes it */
    struct cron cron;
    const struct zone *zone;
    int64_t next_us; /* INT64_MAX: never */
};
struct schedules {
    struct tick *items;
    size_t n;
    int64_t created_us; /* "@every" counts from here */
};
/* Those that can be read: lint has said what is wrong with others. */
void schedules_read(struct arena *a, cron_zone_fn *zone, void *ctx, const struct val *cron, struct schedules *out);
int64_t schedules_next(const struct schedules *s);
void tick_move(const struct schedules *s, struct tick *t, int64_t after_us);
/* Its last time within (after, until]; 0: none. */
int64_t tick_latest(const struct schedules *s, const struct tick *t, int64_t after_us, int64_t until_us);
/* As Argo notes which schedules were used: "CRON_TZ=ZONE TEXT,…". */
struct str schedules_text(struct arena *a, const struct val *cron);

struct child {
    char *name, *uid;
    bool active, well;
    bool unsure; /* the status says that it is active, nobody else has yet */
    int64_t finished_us;
};

struct cronwf {
    cron_zone_fn *zone;
    void *zone_ctx;
    struct arena arena, scratch; /* of the document; of one event */
    struct val doc;
    const struct val *spec;
    struct schedules schedules;
    VEC(struct child) children; /* in the order of their start */
    char *trouble[CRON_TROUBLES]; /* conditions; NULL: none */
    int64_t succeeded, failed;
    int64_t last_us;    /* lastScheduledTime; 0: none */
    int64_t floor_us;   /* times up to this one are over */
    int64_t refused_us; /* and are not tried again */
    int64_t seen_us;    /* the latest moment so far */
    int64_t sweep_us;   /* when to look for children that are too many; 0: not */
    bool begun, stopped, rested, recheck, dirty;
    bool noted;         /* the annotation is to name the schedules as they are */
};

extern const char *const cron_trouble_text[CRON_TROUBLES];
struct str cronwf_name(const struct cronwf *c);
bool cronwf_rests(const struct cronwf *c); /* suspended or stopped */
struct val cron_without_version(struct arena *a, const struct val *doc);
bool cron_schedule_is_noted(const struct cronwf *c);
void cron_schedule_note(struct cronwf *c);
bool cron_stop_is_due(struct arena *a, const struct cronwf *c, int64_t now_us, bool *out, struct err *e);
bool cron_when_holds(struct arena *a, const struct cronwf *c, int64_t now_us, bool *out, struct err *e);
