/* Places at which a test lets a process die, stop or fail: fail_points.def lists and explains them.
 *
 * They are in every build, so that what is tested is what is used; one that is not armed costs a load and a branch. The
 * variable SKIFF_FAIL arms one of them:
 *
 *   SKIFF_FAIL=NAME[:N]=kill|stop|enospc|eio|eintr|emfile[@FILE]
 *
 * The Nth passage (the first when N is absent) by any process of this command, its launcher and supervisors included, is the
 * one that counts, and it counts once: whoever was started again goes on. With @FILE passages are counted there, through
 * several commands, where a test can read them (a 32-bit number). Runs on: any thread. */
#pragma once
#include "base/err.h"

enum fail_point {
    FAIL_NONE,
#define FAIL_POINT(name, who, doc) FAIL_##name,
#include "base/fail_points.def"
#undef FAIL_POINT
    FAIL_MAX
};

/* First thing in main: processes that are forked afterwards share the count. False: SKIFF_FAIL is wrong. */
bool fail_init(struct err *e);

extern enum fail_point fail_armed;
bool fail_pass(void);
/* True, with errno set: what comes next is to fail. */
static inline bool fail_point(enum fail_point p) { return __builtin_expect(fail_armed == p, 0) && fail_pass(); }
