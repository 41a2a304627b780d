/* Private to src/exec: probes of one container, and single tries. */
#pragma once
#include "exec/exec_p.h"

/* The hooks are tried once. The last one is only of containers of an engine: that they have begun. */
enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS, PROBE_POST_START, PROBE_PRE_STOP, PROBE_BEGUN, PROBE_MAX };

struct probe {
    struct probes *of;
    enum probe_kind kind;
    const struct val *spec; /* NULL: there is none */
    struct loop_timer *timer; /* until the next try, or until the one under way is too late; NULL: not begun */
    struct web_call *call;
    struct loop_fd *watch;
    bool asked; /* an exec that its supervisor runs */
    bool sleeps; /* until the timer says so */
    int fd;
    int64_t delay_us, period_us, timeout_us, needed, allowed, good, bad; /* good, bad: in a row */
};

struct probes {
    struct job *job;
    struct arena arena;
    const struct val *container; /* a copy */
    bool started;
    bool ending; /* its preStop hook has begun; it is told to end after that */
    int64_t end_us; /* of its grace period; monotonic */
    char address[16]; /* of the pod */
    struct str name;  /* of what an engine runs it in; a job that is ending may have left its workflow */
    struct probe items[PROBE_MAX];
};

/* try.c: begins one; probe_tried is called later, unless false is returned. */
bool try_begin(struct probe *p);
void try_stop(struct probe *p);
bool try_is_under_way(const struct probe *p);
/* probe.c */
void probe_tried(struct probe *p, bool good);
