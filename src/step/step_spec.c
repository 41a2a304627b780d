/* The step description: defaults, checks, wire form. */
#include "step/step_spec.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "step/codec_p.h"

static const uint32_t wire_magic = 0x50534b53; /* "SKSP" */

static const char *const tier_names[STEP_TIER_MAX] = {"none", "ro", "overlay", "image"};

const char *step_tier_name(enum step_tier t)
{
    ASSERT(t >= 0 && t < STEP_TIER_MAX);
    return tier_names[t];
}

bool step_tier_parse(struct str s, enum step_tier *out)
{
    for (int i = 0; i < STEP_TIER_MAX; i++)
        if (str_is(s, tier_names[i])) {
            *out = i;
            return true;
        }
    return false;
}

struct str step_dir_path(struct arena *a, struct str state_dir, uint64_t id)
{
    return str_fmt(a, "%.*s/steps/%" PRIu64, STR_ARG(state_dir), id);
}

struct str step_work_path(struct arena *a, struct str state_dir, uint64_t id)
{
    return str_fmt(a, "%.*s/work/%" PRIu64, STR_ARG(state_dir), id);
}

void step_spec_init(struct step_spec *s)
{
    *s = (struct step_spec){
        .uid = STEP_UID_DEFAULT, .gid = STEP_UID_DEFAULT, .grace_ms = 30000, .fsync_result = true};
}

static bool bad(struct err *e, const char *what, struct str s)
{
    return err_set(e, ERR_SPEC, "step: %s \"%.*s\"", what, STR_ARG(str_sub(s, 0, 200)));
}

static bool path_ok(struct str p) { return p.n > 0 && p.n < 4096 && p.p[0] == '/'; }

/* Of a path in the step. It may become a part of another path, from whose beginning nothing must lead back. */
static bool inner_ok(struct str p)
{
    struct str part, rest = p;
    if (!path_ok(p)) return false;
    while (str_cut(rest, '/', &part, &rest))
        if (str_is(part, "..")) return false;
    return !str_is(part, "..");
}

static bool name_ok(struct str n)
{
    return n.n > 0 && n.n < 250 && str_find_char(n, '/', 0) < 0 && !str_is(n, ".") && !str_is(n, "..");
}

static bool outputs_check(const struct step_output *o, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!name_ok(o[i].name)) return bad(e, "bad output name", o[i].name);
        if (!inner_ok(o[i].path)) return bad(e, "output path is not absolute or has \"..\":", o[i].path);
    }
    return true;
}

static bool strings_check(const struct step_strs *l, bool env, struct err *e)
{
    for (size_t i = 0; i < l->n; i++) {
        struct str s = l->items[i];
        if (!str_set(s)) return bad(e, "absent text in argv or env", s);
        if (s.n >= LIMIT_ARG_BYTES)
            return err_set(e, ERR_LIMIT, "step: \"%.*s...\" is longer than %d bytes, the kernel's limit of one "
                           "argument or environment variable", STR_ARG(str_sub(s, 0, 60)), LIMIT_ARG_BYTES);
        if (env && str_find_char(s, '=', 0) < 1) return bad(e, "environment entry without name:", s);
    }
    return true;
}

static bool mounts_check(const struct step_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->binds.n; i++) {
        if (!path_ok(s->binds.items[i].source)) return bad(e, "bind source is not absolute:", s->binds.items[i].source);
        if (!inner_ok(s->binds.items[i].target)) return bad(e, "bind target is not absolute or has \"..\":", s->binds.items[i].target);
        if (s->binds.items[i].sub_path.n >= 4096) return bad(e, "sub-path is too long:", s->binds.items[i].sub_path);
    }
    for (size_t i = 0; i < s->inputs.n; i++) {
        const struct step_input *in = &s->inputs.items[i];
        if (str_set(in->source) ? !path_ok(in->source) : !str_set(in->content)) return bad(e, "input source is not absolute:", in->source);
        if (!inner_ok(in->target)) return bad(e, "input target is not absolute or has \"..\":", in->target);
        if (str_set(in->shared) && !path_ok(in->shared)) return bad(e, "shared input is not absolute:", in->shared);
        if (in->mode < -1 || in->mode > 07777) return err_set(e, ERR_SPEC, "step: mode %lld of an input", (long long)in->mode);
    }
    for (size_t i = 0; i < s->tmpfs.n; i++)
        if (!inner_ok(s->tmpfs.items[i].path)) return bad(e, "tmpfs path is not absolute or has \"..\":", s->tmpfs.items[i].path);
    for (size_t i = 0; i < s->files.n; i++)
        if (!inner_ok(s->files.items[i].path)) return bad(e, "file path is not absolute or has \"..\":", s->files.items[i].path);
    for (size_t i = 0; i < s->writable.n; i++)
        if (!inner_ok(s->writable.items[i])) return bad(e, "writable path is not absolute or has \"..\":", s->writable.items[i]);
    for (size_t i = 0; i < s->layers.n; i++)
        if (!path_ok(s->layers.items[i])) return bad(e, "layer is not absolute:", s->layers.items[i]);
    return true;
}

static bool limits_check(const struct step_limits *l, struct err *e)
{
    for (size_t i = 0; i < STEP_GROUPS; i++) {
        struct str dir = l->groups[i].dir;
        if (str_set(dir) && !(inner_ok(dir) && str_starts(dir, STR(STEP_GROUPS_TOP "/"))))
            return bad(e, "control group is not below " STEP_GROUPS_TOP ":", dir);
    }
    return true;
}

bool step_spec_check(const struct step_spec *s, struct err *e)
{
    if (s->argv.n == 0) return err_set(e, ERR_SPEC, "step: no command");
    if (str_set(s->cwd) && !inner_ok(s->cwd)) return bad(e, "working directory is not absolute or has \"..\":", s->cwd);
    if (str_set(s->progress) && !(s->tier == STEP_TIER_NONE ? path_ok : inner_ok)(s->progress))
        return bad(e, "progress file is not absolute or has \"..\":", s->progress);
    if (s->hostname.n > 63) return bad(e, "hostname is longer than 63 bytes:", s->hostname);
    if (s->tier == STEP_TIER_IMAGE && (s->layers.n == 0 || s->layers.n > LIMIT_STEP_LAYERS))
        return err_set(e, ERR_SPEC, "step: an image has 1 to %d layers, not %zu", LIMIT_STEP_LAYERS, s->layers.n);
    for (size_t i = 0; i < s->rlimits.n; i++)
        if (s->rlimits.items[i].resource >= RLIM_NLIMITS)
            return err_set(e, ERR_SPEC, "step: no resource limit %u", s->rlimits.items[i].resource);
    if (s->uid < STEP_UID_DEFAULT || s->uid >= UINT32_MAX || s->gid < STEP_UID_DEFAULT || s->gid >= UINT32_MAX)
        return err_set(e, ERR_SPEC, "step: user or group id out of range");
    for (size_t i = 0; i < s->groups.n; i++)
        if (s->groups.items[i] < 0 || s->groups.items[i] >= UINT32_MAX) return err_set(e, ERR_SPEC, "step: group id out of range");
    if (s->groups.n > LIMIT_STEP_GROUPS) return err_set(e, ERR_LIMIT, "step: more than LIMIT_STEP_GROUPS (%d) groups", LIMIT_STEP_GROUPS);
    return strings_check(&s->argv, false, e) && strings_check(&s->env, true, e) && mounts_check(s, e) &&
           limits_check(&s->limits, e) && outputs_check(s->params.items, s->params.n, e) && outputs_check(s->artifacts.items, s->artifacts.n, e);
}

static void visit_strs(struct codec *c, struct step_strs *l)
{
    CODEC_LIST(c, l, 4);
    for (size_t i = 0; i < l->n && !c->failed; i++) codec_text(c, &l->items[i]);
}

static void visit_output(struct codec *c, struct step_output *o)
{
    codec_text(c, &o->name);
    codec_text(c, &o->path);
    codec_bool(c, &o->optional);
}

static void visit_input(struct codec *c, struct step_input *in)
{
    codec_text(c, &in->source);
    codec_bytes(c, &in->content);
    codec_text(c, &in->target);
    codec_text(c, &in->shared);
    codec_u64(c, &in->bytes);
    codec_i64(c, &in->mode);
    codec_bool(c, &in->recurse);
}

static void visit_mounts(struct codec *c, struct step_spec *s)
{
    visit_strs(c, &s->layers);
    visit_strs(c, &s->writable);
    CODEC_LIST(c, &s->binds, 14);
    for (size_t i = 0; i < s->binds.n && !c->failed; i++) {
        codec_text(c, &s->binds.items[i].source);
        codec_text(c, &s->binds.items[i].target);
        codec_text(c, &s->binds.items[i].sub_path);
        codec_bool(c, &s->binds.items[i].read_only);
        codec_bool(c, &s->binds.items[i].optional);
    }
    CODEC_LIST(c, &s->inputs, 33);
    for (size_t i = 0; i < s->inputs.n && !c->failed; i++) visit_input(c, &s->inputs.items[i]);
    CODEC_LIST(c, &s->tmpfs, 13);
    for (size_t i = 0; i < s->tmpfs.n && !c->failed; i++) {
        codec_text(c, &s->tmpfs.items[i].path);
        codec_u64(c, &s->tmpfs.items[i].size);
        codec_bool(c, &s->tmpfs.items[i].read_only);
    }
    CODEC_LIST(c, &s->files, 14);
    for (size_t i = 0; i < s->files.n && !c->failed; i++) {
        codec_text(c, &s->files.items[i].path);
        codec_bytes(c, &s->files.items[i].content);
        codec_u32(c, &s->files.items[i].mode);
        codec_bool(c, &s->files.items[i].over);
        codec_bool(c, &s->files.items[i].apart);
    }
}

static void visit_limits(struct codec *c, struct step_limits *l)
{
    codec_u64(c, &l->memory_bytes);
    codec_u64(c, &l->cpu_milli);
    codec_u64(c, &l->share_milli);
    codec_u64(c, &l->pids);
    for (size_t i = 0; i < STEP_GROUPS; i++) {
        codec_text(c, &l->groups[i].dir);
        codec_bool(c, &l->groups[i].unified);
    }
}

static void visit_rest(struct codec *c, struct step_spec *s)
{
    CODEC_LIST(c, &s->params, 9);
    for (size_t i = 0; i < s->params.n && !c->failed; i++) visit_output(c, &s->params.items[i]);
    CODEC_LIST(c, &s->artifacts, 9);
    for (size_t i = 0; i < s->artifacts.n && !c->failed; i++) visit_output(c, &s->artifacts.items[i]);
    CODEC_LIST(c, &s->rlimits, 20);
    for (size_t i = 0; i < s->rlimits.n && !c->failed; i++) {
        codec_u32(c, &s->rlimits.items[i].resource);
        codec_u64(c, &s->rlimits.items[i].soft);
        codec_u64(c, &s->rlimits.items[i].hard);
    }
    visit_limits(c, &s->limits);
    codec_text(c, &s->progress);
    visit_strs(c, &s->masks);
    codec_i64(c, &s->uid);
    codec_i64(c, &s->gid);
    CODEC_LIST(c, &s->groups, 8);
    for (size_t i = 0; i < s->groups.n && !c->failed; i++) codec_i64(c, &s->groups.items[i]);
    codec_bool(c, &s->root_read_only);
    codec_u32(c, &s->capabilities);
    codec_u32(c, &s->grace_ms);
    codec_u64(c, &s->log_max_bytes);
    codec_u64(c, &s->scratch_bytes);
    codec_bool(c, &s->capture_result);
    codec_bool(c, &s->private_net);
    codec_bool(c, &s->probed);
    codec_bool(c, &s->fsync_result);
}

static void visit_spec(struct codec *c, struct step_spec *s)
{
    uint32_t magic = wire_magic, version = STEP_WIRE_VERSION;
    codec_u32(c, &magic);
    codec_u32(c, &version);
    if (magic != wire_magic || version != STEP_WIRE_VERSION) c->failed = true;
    codec_u64(c, &s->id);
    CODEC_ENUM(c, s->tier, STEP_TIER_MAX);
    visit_strs(c, &s->argv);
    visit_strs(c, &s->env);
    codec_text(c, &s->cwd);
    codec_text(c, &s->hostname);
    codec_text(c, &s->address);
    visit_mounts(c, s);
    visit_rest(c, s);
}

bool step_spec_encode(const struct step_spec *s, struct buf *out, struct err *e)
{
    if (!step_spec_check(s, e)) return false;
    struct step_spec copy = *s; /* the visitor writes nothing while encoding */
    struct codec c = {.out = out};
    visit_spec(&c, &copy);
    if (out->overflow) return err_set(e, ERR_LIMIT, "step: the description is larger than %zu bytes", out->max);
    if (c.failed) return err_set(e, ERR_SPEC, "step: a text holds a NUL byte or a list is too long");
    return true;
}

bool step_spec_decode(struct arena *a, struct str bytes, struct step_spec *out, struct err *e)
{
    struct codec c = {.p = bytes.p, .end = bytes.p + bytes.n, .arena = a};
    *out = (struct step_spec){0};
    if (bytes.n > LIMIT_STEP_SPEC_BYTES)
        return err_set(e, ERR_LIMIT, "step: the description is larger than %d bytes", LIMIT_STEP_SPEC_BYTES);
    visit_spec(&c, out);
    if (c.failed || c.p != c.end)
        return err_set(e, ERR_SPEC, "step: the description is damaged or of another version (this is %d)",
                       STEP_WIRE_VERSION);
    return step_spec_check(out, e);
}

bool step_words_encode(const struct step_strs *words, struct buf *out, struct err *e)
{
    struct step_strs copy = *words;
    struct codec c = {.out = out};
    if (!words->n) return err_set(e, ERR_SPEC, "step: no command");
    if (!strings_check(words, false, e)) return false;
    visit_strs(&c, &copy);
    return (!c.failed && !out->overflow) || err_set(e, ERR_LIMIT, "step: the command is too long");
}

bool step_words_decode(struct arena *a, struct str bytes, struct step_strs *out, struct err *e)
{
    struct codec c = {.p = bytes.p, .end = bytes.p + bytes.n, .arena = a};
    *out = (struct step_strs){0};
    visit_strs(&c, out);
    if (c.failed || c.p != c.end || !out->n) return err_set(e, ERR_SPEC, "step: the command is damaged");
    return strings_check(out, false, e);
}
