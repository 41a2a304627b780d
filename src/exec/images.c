/* What `image:` of a container means, and getting the image where it is missing.
 *
 * In this order: a row of the user's map; an image of that name in the store; the built-in table; a pull, as
 * imagePullPolicy says; the host, where images.fallback says so. What was found in the store is remembered by name as long
 * as the store's stamp is the same, so that a step costs one stat and two locks that are never waited for. A pull has
 * a thread of its own (image_puller), shared by all steps that want it; the job waits in no list meanwhile.
 * Runs on: the loop thread. */
#include <sys/stat.h>

#include "base/limits.h"
#include "image/image.h"
#include "os/fd.h"
#include "exec/exec_p.h"

/* An image by its full name, as it was when the store had that stamp. */
struct known {
    struct arena arena; /* of what follows */
    int64_t stamp;
    bool here;
    struct str name, manifest;
    struct image image;
};

struct images {
    struct arena arena;
    struct image_store *store; /* NULL: not needed so far */
    struct image_puller *puller;
    struct image_platform platform;
    struct map known; /* name -> struct known */
};

/* ---- the store ---- */

static void known_free(struct images *m)
{
    for (struct map_slot *s = NULL; (s = map_next(&m->known, s));) {
        struct known *k = s->ptr;
        arena_fini(&k->arena);
        free(k);
    }
    map_fini(&m->known);
    m->known = (struct map){0};
}

void images_close(struct exec *x)
{
    struct images *m = x->stored;
    if (!m) return;
    image_puller_free(m->puller);
    known_free(m);
    image_store_close(m->store);
    arena_fini(&m->arena);
    free(m);
    x->stored = NULL;
}

/* Most state directories have no image: then none is made for looking. */
static bool store_ready(struct exec *x, bool make, struct images **out, struct err *e)
{
    const struct config *c = x->o.config;
    struct stat st;
    *out = x->stored;
    if (x->stored) return true;
    if (!make && stat(str_fmt(&x->scratch, "%.*s/images/refs", STR_ARG(x->o.state_dir)).p, &st) != 0) return true;
    struct images *m = x->stored = mem_zalloc(sizeof *m);
    struct image_settings set = {.mirrors = config_str(c, CONFIG_IMAGE_MIRRORS), .insecure = config_str(c, CONFIG_IMAGE_INSECURE),
                                 .auth_file = config_str(c, CONFIG_IMAGE_AUTH),
                                 .parallel = (int)MIN(config_int(c, CONFIG_IMAGE_PARALLEL), (int64_t)LIMIT_IMAGE_DOWNLOADS)};
    struct str platform = config_str(c, CONFIG_IMAGE_PLATFORM);
    arena_init(&m->arena);
    m->platform = image_platform_host();
    if ((!platform.n || image_platform_parse(&m->arena, platform, &m->platform, e)) &&
        (m->store = image_store_open(str_z(&m->arena, x->o.state_dir), &set, e)) && (m->puller = image_puller_new(x->o.loop, m->store, e)))
        return *out = m, true;
    images_close(x);
    return false;
}

static struct image_words words_of(struct arena *a, const struct image_words_list *list)
{
    struct str *items = ARENA_ARRAY(a, struct str, list->n + 1);
    for (size_t i = 0; i < list->n; i++) items[i] = list->items[i];
    return (struct image_words){items, list->n};
}

static struct image image_of(struct arena *a, const struct image_info *info)
{
    const struct image_config *c = &info->config;
    struct image_pair *env = ARENA_ARRAY(a, struct image_pair, c->env.n + 1);
    struct str *layers = ARENA_ARRAY(a, struct str, info->n_layers + 1);
    struct image out = {.kind = IMAGE_STORED, .ref = info->ref, .entrypoint = words_of(a, &c->entrypoint), .cmd = words_of(a, &c->cmd),
                        .env = {env, c->env.n}, .layers = {layers, info->n_layers}, .workdir = c->workdir.n ? c->workdir : STR_NONE,
                        .user = c->user, .volumes = words_of(a, &c->volumes), .passwd = STR_NONE, .group = STR_NONE};
    struct err ignored;
    for (size_t i = 0; i < c->env.n; i++) str_cut(c->env.items[i], '=', &env[i].name, &env[i].value);
    for (size_t i = 0; i < info->n_layers; i++) layers[i] = info->layers[info->n_layers - 1 - i].dir;
    image_read(a, info, "etc/passwd", LIMIT_IMAGE_PASSWD_BYTES, &out.passwd, &ignored);
    image_read(a, info, "etc/group", LIMIT_IMAGE_PASSWD_BYTES, &out.group, &ignored);
    return out;
}

static bool known_look(struct images *m, struct known *k, const struct image_ref *ref, struct err *e)
{
    struct image_info info;
    struct err why;
    arena_reset(&k->arena);
    k->stamp = image_store_stamp(m->store); /* before: what comes meanwhile is seen the next time */
    k->here = image_find(&k->arena, m->store, ref, &m->platform, &info, &why);
    if (!k->here && why.code == ERR_NOT_FOUND) return true;
    if (!k->here) {
        k->stamp = 0;
        *e = why;
        return false;
    }
    k->manifest = info.manifest;
    k->image = image_of(&k->arena, &info);
    return true;
}

static struct known *known_of(struct images *m, const struct image_ref *ref, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    struct str name = image_ref_text(&a, ref);
    struct known *k = map_ptr(&m->known, name);
    if (k && k->stamp && k->stamp == image_store_stamp(m->store)) return k;
    if (!k) {
        if (m->known.n >= LIMIT_IMAGES_KNOWN) known_free(m);
        k = mem_zalloc(sizeof *k + name.n + 1);
        arena_init(&k->arena);
        k->name = str_n(memcpy(k + 1, name.p, name.n), name.n);
        map_set_ptr(&m->known, k->name, k);
    }
    return known_look(m, k, ref, e) ? k : NULL;
}

/* The job's own claim on it, then: is it still what was found? */
static bool known_take(struct images *m, struct job *j, struct known *k, const struct image_ref *ref)
{
    struct arena a CLEANUP(arena_fini);
    struct err ignored;
    arena_init(&a);
    struct str manifest = str_dup(&a, k->manifest);
    close_fd(&j->hold);
    j->hold = image_hold_now(m->store, manifest, &ignored);
    if (j->hold < 0) return false;
    if (k->stamp) return k->stamp == image_store_stamp(m->store);
    return known_look(m, k, ref, &ignored) && k->here && str_eq(k->manifest, manifest);
}

/* ---- pulling ---- */

static void pull_done(void *user, const struct image_info *info, int hold, const struct err *e)
{
    struct job *j = user;
    struct exec *x = j->x;
    close_fd(&hold); /* its name keeps it until the step begins */
    j->pull = NULL;
    j->pulled = true;
    free(j->pull_failed);
    j->pull_failed = info ? NULL : mem_strdup(e->text);
    if (x->failed || x->closing) return;
    job_queue(j);
    loop_again(x->o.loop);
}

/* False in any case: the job waits, and `e` is what its node says meanwhile, or it cannot. */
static bool pull_begin(struct job *j, const struct image_ref *ref, struct str name, enum image_policy policy, struct err *e)
{
    struct images *m;
    if (!store_ready(j->x, true, &m, e)) return false;
    j->pull = image_ensure_new(m->puller, ref, &m->platform, policy, pull_done, j, e);
    return j->pull && err_set(e, ERR_CONFLICT, "Pulling image \"%.*s\"", STR_ARG(name));
}

void job_pull_leave(struct job *j)
{
    image_ensure_cancel(j->pull);
    j->pull = NULL;
}

/* ---- the answer ---- */

struct question {
    struct job *job;
    struct arena *a;
    struct str name;
    struct image row; /* of the user's map: IMAGE_STORED, or IMAGE_ABSENT when there is none */
    struct image_ref ref;
    enum image_policy policy;
    bool asks; /* imagePullPolicy: Always, said by the document: the registry is asked even for an image that is here */
};

/* What a row says of the image's own settings counts more. */
static void answer(const struct question *q, const struct image *found, struct image *out)
{
    const struct image *row = &q->row;
    *out = *found;
    if (row->entrypoint.n || row->cmd.n) out->cmd = row->cmd;
    if (row->entrypoint.n) out->entrypoint = row->entrypoint;
    if (str_set(row->workdir)) out->workdir = row->workdir;
    if (!row->env.n) return;
    struct image_pair *env = ARENA_ARRAY(q->a, struct image_pair, row->env.n + found->env.n);
    memcpy(env, row->env.items, row->env.n * sizeof *env); /* the first of a name counts */
    if (found->env.n) memcpy(env + row->env.n, found->env.items, found->env.n * sizeof *env);
    out->env = (struct image_pairs){env, row->env.n + found->env.n};
}

enum look { LOOK_ERROR, LOOK_FOUND, LOOK_STALE /* it is here, but the registry is to be asked */, LOOK_ABSENT };

static enum look store_look(struct question *q, struct image *out, struct err *e)
{
    struct job *j = q->job;
    struct images *m;
    if (j->x->plain) return LOOK_ABSENT; /* without a sandbox there is no other root */
    if (!store_ready(j->x, false, &m, e)) return LOOK_ERROR;
    for (int tries = 0; m && tries < 3; tries++) {
        struct known *k = known_of(m, &q->ref, e);
        if (!k) return LOOK_ERROR;
        if (!k->here) return LOOK_ABSENT;
        if (q->asks && (!j->pulled || j->pull_failed)) return LOOK_STALE;
        if (!known_take(m, j, k, &q->ref)) continue;
        answer(q, &k->image, out);
        return LOOK_FOUND;
    }
    if (!m) return LOOK_ABSENT;
    pull_begin(j, &q->ref, q->name, IMAGE_IF_NOT_PRESENT, e); /* others add and remove: a thread waits for them */
    return LOOK_ERROR;
}

/* Nothing is left to try. */
static bool missing(const struct question *q, enum look look, const char *reason, struct image *out, struct err *e)
{
    const struct config *c = q->job->x->o.config;
    if (look == LOOK_STALE)
        return err_set(e, ERR_NOT_FOUND, "image '%.*s' is in the image store, but its pull policy is Always, and %s", STR_ARG(q->name), reason);
    if (config_is(c, CONFIG_IMAGE_FALLBACK, "host")) return out->kind = IMAGE_HOST, true;
    return err_set(e, ERR_NOT_FOUND, "image '%.*s' is neither mapped nor available: %s; no row of images.file%s names it, and the image "
                   "store does not have it. `skiff image pull` and `skiff image import` bring images, --images says what names mean "
                   "here, --image-fallback host runs this host's programs", STR_ARG(q->name), reason,
                   config_bool(c, CONFIG_IMAGE_BUILTIN) ? " or the built-in table" : "");
}

static bool pull_or_miss(const struct question *q, enum look look, struct image *out, struct err *e)
{
    struct job *j = q->job;
    if (j->pull_failed) return missing(q, look, str_fmt(q->a, "ErrImagePull: %s", j->pull_failed).p, out, e);
    if (j->x->plain) return missing(q, look, "an image needs a sandbox (--runtime=none has none)", out, e);
    if (q->policy == IMAGE_NEVER) return missing(q, look, "ErrImageNeverPull: its pull policy is Never", out, e);
    if (config_is(j->x->o.config, CONFIG_IMAGE_PULL, "never")) return missing(q, look, "images.pull is never", out, e);
    return pull_begin(j, &q->ref, q->name, q->policy, e);
}

static bool built_in(const struct question *q, struct image *out)
{
    const struct exec *x = q->job->x;
    return q->row.kind == IMAGE_ABSENT && config_bool(x->o.config, CONFIG_IMAGE_BUILTIN) && image_built_in(q->a, x->images, q->name, out);
}

bool job_image(void *ctx, struct arena *a, struct str name, struct str policy, struct image *out, struct err *e)
{
    struct job *j = ctx;
    struct question q = {.job = j, .a = a, .name = name, .row = {.kind = IMAGE_ABSENT}};
    struct err why;
    *out = (struct image){.kind = IMAGE_ABSENT};
    bool mapped = image_mapped(j->x->images, name, &q.row);
    if (mapped && q.row.kind == IMAGE_ABSENT) return missing(&q, LOOK_ABSENT, "its row says absent", out, e);
    if (mapped && q.row.kind != IMAGE_STORED) return *out = q.row, true;
    if (!image_ref_parse(a, mapped ? q.row.ref : name, &q.ref, &why))
        return built_in(&q, out) || missing(&q, LOOK_ABSENT, str_fmt(a, "InvalidImageName: %s", why.text).p, out, e);
    if (!image_policy_parse(policy, &q.ref, &q.policy, e)) return false;
    q.asks = policy.n && q.policy == IMAGE_ALWAYS && !config_is(j->x->o.config, CONFIG_IMAGE_PULL, "never");
    enum look look = store_look(&q, out, e);
    if (look == LOOK_FOUND || look == LOOK_ERROR) return look == LOOK_FOUND;
    return (look == LOOK_ABSENT && built_in(&q, out)) || pull_or_miss(&q, look, out, e);
}
