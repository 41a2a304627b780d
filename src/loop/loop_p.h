/* What the files of this folder share. Runs on: the loop thread. */
#pragma once
#include <sys/queue.h>
#include <uv.h>
#undef MIN /* of sys/param.h, which uv.h brings in; base.h has the same */
#undef MAX

#include "base/map.h"
#include "base/vec.h"
#include "loop/loop.h"

struct loop_hook {
    struct loop *loop;
    enum loop_hook_phase phase;
    loop_fn *fn; /* NULL: freed, to be removed after the round */
    void *user;
};

/* path.c */
LIST_HEAD(path_list, loop_path);

struct paths {
    size_t n;
    int fd;                /* inotify; valid with `watch` */
    struct loop_fd *watch; /* NULL: none was armed yet */
    struct map places;     /* watch descriptor -> struct place */
    struct path_list told; /* their callbacks are due */
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* runs the hooks */
    uv_idle_t idle;       /* active = the next sleep takes no time */
    bool again;
    bool in_hooks;
    VEC(struct loop_hook *) hooks;
    struct paths paths;
};

void loop_hooks_run(struct loop *l);
void loop_handle_free(uv_handle_t *h); /* uv_close, then free(h->data) */
