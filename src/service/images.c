/* See images.h. */
#include "service/images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rfc3339.h"
#include "image/image.h"
#include "os/child.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/random.h"

enum { LOOK_US = 100000, SAVE_MS = 3600 * 1000, SAID_MAX = 4096 };

extern char **environ;

struct service_images {
    struct arena a;
    struct image_store *store;
    struct str platform; /* configured; "" : this machine's */
    const char *state_dir;
};

struct service_images *service_images_open(const struct config *c, struct str state_dir, struct err *e)
{
    struct service_images *s = mem_zalloc(sizeof *s);
    struct image_settings set = {.mirrors = config_str(c, CONFIG_IMAGE_MIRRORS), .insecure = config_str(c, CONFIG_IMAGE_INSECURE),
                                 .auth_file = config_str(c, CONFIG_IMAGE_AUTH), .parallel = (int)MIN(config_int(c, CONFIG_IMAGE_PARALLEL), (int64_t)LIMIT_IMAGE_DOWNLOADS)};
    arena_init(&s->a);
    s->platform = str_dup(&s->a, config_str(c, CONFIG_IMAGE_PLATFORM));
    s->state_dir = str_z(&s->a, state_dir);
    s->store = image_store_open(s->state_dir, &set, e);
    if (s->store) return s;
    service_images_close(s);
    return NULL;
}

void service_images_close(struct service_images *s)
{
    if (!s) return;
    image_store_close(s->store);
    arena_fini(&s->a);
    free(s);
}

static bool platform_of(struct arena *a, const struct service_images *s, struct str given, struct image_platform *out, struct err *e)
{
    if (!given.n) given = s->platform;
    if (given.n) return image_platform_parse(a, given, out, e);
    *out = image_platform_host();
    return true;
}

/* ---- what is shown ---- */

static void add_i64(struct val_builder *b, const char *key, int64_t n) { map_add(b, str_of(key), val_of_i64(b->a, n)); }

static void add_words(struct val_builder *b, const char *key, const struct image_words_list *w)
{
    struct val_builder list;
    if (!w->n) return;
    list_begin(&list, b->a);
    for (size_t i = 0; i < w->n; i++) list_add(&list, val_of_str(w->items[i]));
    map_add(b, str_of(key), list_done(&list));
}

static struct val config_val(struct arena *a, const struct image_config *c)
{
    struct val_builder b;
    map_begin(&b, a);
    add_words(&b, "Entrypoint", &c->entrypoint);
    add_words(&b, "Cmd", &c->cmd);
    add_words(&b, "Env", &c->env);
    if (c->user.n) map_add_str(&b, "User", c->user);
    if (c->workdir.n) map_add_str(&b, "WorkingDir", c->workdir);
    if (c->stop_signal.n) map_add_str(&b, "StopSignal", c->stop_signal);
    if (c->labels.kind == VAL_MAP) map_add(&b, STR("Labels"), c->labels);
    return map_done(&b);
}

static struct val layers_val(struct arena *a, const struct image_info *info)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < info->n_layers; i++) {
        const struct image_layer *l = &info->layers[i];
        struct val_builder b;
        map_begin(&b, a);
        map_add_str(&b, "digest", l->digest);
        map_add_str(&b, "diffId", l->diff_id);
        map_add_str(&b, "mediaType", l->media_type);
        add_i64(&b, "sizeBytes", l->size);
        add_i64(&b, "bytes", l->bytes);
        add_i64(&b, "entries", l->entries);
        if (l->devices) add_i64(&b, "devicesLeftOut", l->devices);
        if (l->xattrs) add_i64(&b, "attributesLeftOut", l->xattrs);
        map_add_str(&b, "directory", l->dir);
        list_add(&list, map_done(&b));
    }
    return list_done(&list);
}

static struct val image_val(struct arena *a, const struct image_info *info)
{
    struct val_builder b;
    struct image_ref ref;
    struct err ignored;
    map_begin(&b, a);
    map_add_str(&b, "ref", info->ref);
    if (image_ref_parse(a, info->ref, &ref, &ignored)) {
        map_add_str(&b, "name", image_ref_short(a, &ref));
        map_add_str(&b, "repository", image_ref_repository(a, &ref));
        map_add_str(&b, "tag", ref.tag);
    }
    map_add_str(&b, "digest", info->digest);
    map_add_str(&b, "manifest", info->manifest);
    map_add_str(&b, "id", info->config_digest);
    map_add_str(&b, "platform", image_platform_text(a, &info->config.platform));
    if (info->config.created.n) map_add_str(&b, "created", info->config.created);
    map_add_str(&b, "pulled", rfc3339(a, info->pulled_us));
    add_i64(&b, "sizeBytes", info->size);
    add_i64(&b, "bytes", info->bytes);
    map_add(&b, STR("config"), config_val(a, &info->config));
    map_add(&b, STR("layers"), layers_val(a, info));
    return map_done(&b);
}

static struct val images_val(struct arena *a, const struct image_info *all, size_t n)
{
    struct val_builder list;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) list_add(&list, image_val(a, &all[i]));
    return list_done(&list);
}

/* ---- reading ---- */

bool service_images_list(struct arena *a, struct service_images *s, struct val *out, struct err *e)
{
    struct image_info *all;
    size_t n;
    if (!image_list(a, s->store, &all, &n, e)) return false;
    *out = images_val(a, all, n);
    return true;
}

bool service_images_inspect(struct arena *a, struct service_images *s, struct str ref, struct str platform, struct val *out, struct err *e)
{
    struct image_ref r;
    struct image_platform p;
    struct image_info info;
    if (!image_ref_parse(a, ref, &r, e) || !platform_of(a, s, platform, &p, e) || !image_find(a, s->store, &r, &p, &info, e)) return false;
    *out = image_val(a, &info);
    return true;
}

/* ---- adding ---- */

bool service_images_import(struct arena *a, struct service_images *s, const char *path, struct str name, struct str platform, struct val *out,
                           struct err *e)
{
    struct image_platform p;
    struct image_info *all;
    size_t n;
    if (!platform_of(a, s, platform, &p, e) || !image_import(a, s->store, path, name, &p, NULL, &all, &n, e)) return false;
    *out = images_val(a, all, n);
    return true;
}

static const char *program_find(struct arena *a, const char *name)
{
    struct str dir, rest = str_of(getenv("PATH"));
    while (rest.p) {
        str_cut(rest, ':', &dir, &rest);
        const char *path = str_fmt(a, "%.*s/%s", STR_ARG(dir), name).p;
        if (dir.n && dir.p[0] == '/' && access(path, X_OK) == 0) return path;
    }
    return NULL;
}

/* Their stores have no stable form, their archives have: `podman save`, `docker save`. */
bool service_images_import_from(struct arena *a, struct service_images *s, const char *from, struct str ref, struct str name, struct val *out,
                                struct err *e)
{
    struct image_ref r;
    struct err ignored;
    struct str said, words;
    int status;
    const char *program = program_find(a, from);
    const char *tmp = str_fmt(a, "%s/images/tmp/save-%016llx", s->state_dir, (unsigned long long)random_u64()).p;
    if (!image_ref_parse(a, ref, &r, e)) return false;
    if (!program) return err_set(e, ERR_NOT_FOUND, "the program '%s' is not installed: its images cannot be read", from);
    const char *argv[] = {program, "save", "-o", tmp, str_z(a, ref), NULL};
    struct child c = {.argv = argv, .env = (const char *const *)environ, .dir = "/", .limit_ms = SAVE_MS, .most_bytes = SAID_MAX};
    bool ok = child_run(a, &c, &status, &said, &words, e);
    if (ok && status) {
        while (words.n && words.p[words.n - 1] == '\n') words.n--;
        ok = err_set(e, ERR_NOT_FOUND, "%s save: %.*s", from, STR_ARG(str_sub(words, words.n > 300 ? words.n - 300 : 0, 300)));
    }
    ok = ok && service_images_import(a, s, tmp, name, STR_NONE, out, e);
    dir_remove_tree(tmp, &ignored);
    return ok;
}

/* ---- removing ---- */

bool service_images_remove(struct arena *a, struct service_images *s, struct str ref, struct str platform, struct str *done, struct err *e)
{
    struct image_ref r;
    struct image_platform p;
    if (!image_ref_parse(a, ref, &r, e) || (platform.n && !image_platform_parse(a, platform, &p, e))) return false;
    *done = image_ref_short(a, &r);
    return image_remove(s->store, &r, platform.n ? &p : NULL, e);
}

bool service_images_gc(struct arena *a, struct service_images *s, bool dry_run, bool partials, struct val *out, struct err *e)
{
    static const char *const kinds[] = {"image", "layer", "blob", "partial", "temporary"};
    struct image_waste_row *rows;
    struct val_builder list;
    size_t n;
    if (!image_gc(a, s->store, dry_run, partials, &rows, &n, e)) return false;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) {
        struct val_builder b;
        map_begin(&b, a);
        map_add_str(&b, "kind", str_of(kinds[rows[i].kind]));
        map_add_str(&b, "name", rows[i].name);
        add_i64(&b, "bytes", rows[i].bytes);
        list_add(&list, map_done(&b));
    }
    *out = list_done(&list);
    return true;
}

bool service_images_check(struct arena *a, struct service_images *s, bool mend, struct val *out, struct err *e)
{
    struct str *faults;
    struct val_builder list;
    size_t n;
    if (!image_check(a, s->store, mend, &faults, &n, e)) return false;
    list_begin(&list, a);
    for (size_t i = 0; i < n; i++) list_add(&list, val_of_str(faults[i]));
    *out = list_done(&list);
    return true;
}

/* ---- pulling ---- */

struct pulling {
    struct loop *loop;
    struct image_waiter *waiter;
    struct loop_timer *timer;
    const struct service_pull *p;
    struct arena *a;
    struct val *out;
    struct err *e;
    bool ok;
};

static const char *stage_name(int stage)
{
    static const char *const names[] = {"resolving", "waiting", "downloading", "unpacking", "ready"};
    return names[stage];
}

static void look(struct pulling *x)
{
    struct service_pull_layer layers[LIMIT_IMAGE_LAYERS];
    const struct image_progress *p = image_ensure_progress(x->waiter);
    size_t n = (size_t)atomic_load(&p->n);
    for (size_t i = 0; i < n; i++) {
        const struct image_progress_layer *l = &p->layers[i];
        int stage = atomic_load(&l->stage);
        layers[i] = (struct service_pull_layer){l->digest, stage == IMAGE_RESOLVING ? "" : stage_name(stage), atomic_load(&l->got),
                                                atomic_load(&l->unpacked), l->size};
    }
    if (x->p->look) x->p->look(x->p->user, stage_name(atomic_load(&p->stage)), layers, n);
}

static void on_time(void *user)
{
    struct pulling *x = user;
    look(x);
    loop_timer_arm_us(x->timer, LOOK_US);
}

static void on_done(void *user, const struct image_info *info, int hold, const struct err *e)
{
    struct pulling *x = user;
    look(x);
    x->ok = info != NULL;
    if (info) { /* as it can be read now, in memory of the caller's */
        struct val shown = image_val(x->a, info);
        *x->out = val_copy(x->a, &shown);
    } else if (x->e) {
        *x->e = *e;
    }
    close_fd(&hold);
    loop_timer_disarm(x->timer);
    loop_stop(x->loop);
}

bool service_images_pull(struct arena *a, struct service_images *s, const struct service_pull *p, struct val *out, struct err *e)
{
    struct pulling x = {.p = p, .a = a, .out = out, .e = e};
    struct image_ref ref;
    struct image_platform platform;
    enum image_policy policy = IMAGE_ALWAYS;
    struct image_puller *puller = NULL;
    if (!image_ref_parse(a, p->ref, &ref, e) || !platform_of(a, s, p->platform, &platform, e) ||
        (p->policy.n && !image_policy_parse(p->policy, &ref, &policy, e)))
        return false;
    if (!(x.loop = loop_new(e))) return false;
    x.timer = loop_timer_new(x.loop, on_time, &x);
    if ((puller = image_puller_new(x.loop, s->store, e)) &&
        (x.waiter = image_ensure_new(puller, &ref, &platform, policy, on_done, &x, e))) {
        loop_timer_arm_us(x.timer, LOOK_US);
        loop_run(x.loop);
    }
    image_puller_free(puller); /* after what is new is on the disk */
    loop_timer_free(x.timer);
    loop_free(x.loop);
    return x.ok;
}
