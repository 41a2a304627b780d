/* What a supervisor is asked to run: one step, complete and self-contained, and its wire form.
 *
 * All texts are byte strings without NUL (content excepted). Paths are absolute. The wire form is
 * little-endian, versioned and bounded (LIMIT_STEP_*); decoding trusts no length and yields either
 * a whole checked step_spec or an error. Pure. Runs on: any thread. */
#pragma once
#include <linux/capability.h>

#include "base/err.h"
#include "base/str.h"

enum { STEP_WIRE_VERSION = 5 };

#define STEP_TOOLS_DIR "/argo/bin" /* where a slot's tools directory is in its steps */

enum step_tier {
    STEP_TIER_NONE,    /* a plain process; only in a slot opened with `plain` */
    STEP_TIER_RO,      /* the host's root read-only; /tmp and declared paths private */
    STEP_TIER_OVERLAY, /* private writable view of the host's root */
    STEP_TIER_IMAGE,   /* private writable view of `layers` */
    STEP_TIER_MAX
};

struct step_strs {
    struct str *items;
    size_t n;
};

/* A host file or directory shown in the step at `target` (recursive): `source`, or what is at `sub_path` in
 * it. Steps may have written to the source, so that no link there leads out of it. */
struct step_bind {
    struct str source, target;
    struct str sub_path; /* relative; a directory is made where it is missing; absent: the source itself */
    bool read_only;
    bool optional; /* a missing source is skipped */
};

/* An input artifact: what is at `source`, or `content` as a file, stays as it is, and the step gets a copy of
 * its own at `target`, or what looks like one. In a bind (a volume) it is put into what is bound, where others
 * see it too. In a slot without a sandbox the target is a new path of the host, or `shared`/copy. */
struct step_input {
    struct str source; /* host file or directory; absent: `content` */
    struct str content;
    struct str target;
    struct str shared; /* host directory for the one copy of all containers of a pod; absent: the step's alone */
    uint64_t bytes;    /* a change of all that is in it takes so much room; 0: unknown */
    int64_t mode;      /* permission bits, or -1: those of the source */
    bool recurse;      /* `mode` is for all that is in a directory, too */
};

/* A private memory file system (emptyDir with medium Memory). */
struct step_tmpfs {
    struct str path;
    uint64_t size; /* bytes, 0 = the slot's default */
    bool read_only;
};

/* A file with content: script source, secret, configMap key. Parents are made. */
struct step_file {
    struct str path, content;
    uint32_t mode; /* permission bits; the owner is the step's user */
    bool over;     /* shown at `path`, whatever is there, which stays as it is */
    bool apart;    /* shown at `path`, but not written into a bind that this lies in */
};

/* An output parameter (file content, at most LIMIT_STEP_PARAM_BYTES, one trailing newline dropped)
 * or artifact (file or directory, moved to <work>/outputs/<name>). `name` is a file name. */
struct step_output {
    struct str name, path;
    bool optional; /* a missing artifact is no error; the result says what was found anyway */
};

struct step_rlimit {
    uint32_t resource; /* RLIMIT_* */
    uint64_t soft, hard;
};

enum step_group { STEP_GROUP_CPU, STEP_GROUP_MEMORY, STEP_GROUP_PIDS, STEP_GROUPS };

/* What the control groups of a step let it have; 0: not limited. What has no group is not applied. */
struct step_limits {
    uint64_t memory_bytes;
    uint64_t cpu_milli;   /* thousandths of a processor, at most */
    uint64_t share_milli; /* and in proportion to others, when processors are scarce */
    uint64_t pids;
    struct {
        struct str dir; /* below STEP_GROUPS_TOP; the slot makes its own in it; absent: there is none */
        bool unified;   /* v2: the directories of all such are one */
    } groups[STEP_GROUPS];
};
#define STEP_GROUPS_TOP "/sys/fs/cgroup"

enum { STEP_UID_DEFAULT = -1 };

/* Bits of the capabilities in step/capabilities.def, all of them below 32. */
enum {
#define CAPABILITY(name, doc) STEP_CAPABILITY_##name = 1u << CAP_##name,
#include "step/capabilities.def"
#undef CAPABILITY
#define CAPABILITY(name, doc) | STEP_CAPABILITY_##name
    STEP_CAPABILITIES = 0
#include "step/capabilities.def"
#undef CAPABILITY
};

struct step_spec {
    uint64_t id; /* the command's id; the same id is never run twice */
    enum step_tier tier;
    struct step_strs argv; /* argv[0] without '/' is looked up in env's PATH */
    struct step_strs env;  /* "NAME=value"; the whole environment */
    struct str cwd;        /* made when missing; absent: "/" */
    struct str hostname;   /* sandbox tiers; absent: "skiff" */
    struct str address;    /* of its network, told to an engine that adopts it; absent: none */
    struct step_strs layers;   /* IMAGE: host directories, topmost first */
    struct step_strs writable; /* private writable directories (parents of outputs, mount paths) */
    struct {
        struct step_bind *items;
        size_t n;
    } binds;
    struct {
        struct step_input *items;
        size_t n;
    } inputs;
    struct {
        struct step_tmpfs *items;
        size_t n;
    } tmpfs;
    struct {
        struct step_file *items;
        size_t n;
    } files;
    struct {
        struct step_output *items;
        size_t n;
    } params, artifacts;
    struct {
        struct step_rlimit *items;
        size_t n;
    } rlimits;
    struct step_limits limits;
    struct str progress;    /* a file whose last line is told while the step runs; absent: none */
    struct step_strs masks; /* secret values that are shown as "***" in the log */
    int64_t uid, gid;       /* STEP_UID_DEFAULT or runAsUser, runAsGroup */
    struct {
        int64_t *items;
        size_t n;
    } groups;               /* further ones */
    uint32_t capabilities;  /* STEP_CAPABILITIES or some of them: those of root in an image, where Skiff is root too */
    bool root_read_only;    /* the root's own file system, once all is in place */
    uint32_t grace_ms;      /* from the first signal of a kill to SIGKILL, when it names none */
    uint64_t log_max_bytes; /* 0: no limit */
    uint64_t scratch_bytes; /* size of the private tmpfs, 0 = the slot's default */
    bool capture_result;    /* keep the last LIMIT_RESULT_BYTES of stdout */
    bool private_net;       /* the network namespace that comes with it, else an own one with only a loopback device */
    bool probed;            /* slot_probe will be called while it runs */
    bool fsync_result;      /* that it began, and the result, survive a power cut too, not only a crash of ours */
};

/* The defaults: uid and gid unset, grace 30 s, fsync_result. */
void step_spec_init(struct step_spec *s);
bool step_spec_check(const struct step_spec *s, struct err *e);
/* Appends the wire form; `out->max` should allow LIMIT_STEP_SPEC_BYTES. */
bool step_spec_encode(const struct step_spec *s, struct buf *out, struct err *e);
/* Texts point into `bytes`, which must outlive the spec. */
bool step_spec_decode(struct arena *a, struct str bytes, struct step_spec *out, struct err *e);

/* A command alone, as slot_probe sends it. */
bool step_words_encode(const struct step_strs *words, struct buf *out, struct err *e);
bool step_words_decode(struct arena *a, struct str bytes, struct step_strs *out, struct err *e);

/* "<state>/steps/<id>", with the id in decimal: what stays of a step, its main.log. */
struct str step_dir_path(struct arena *a, struct str state_dir, uint64_t id);
/* "<state>/work/<id>": what is private to it while it runs, and outputs/ until they are taken. */
struct str step_work_path(struct arena *a, struct str state_dir, uint64_t id);
const char *step_tier_name(enum step_tier t); /* "none", "ro", "overlay", "image" */
bool step_tier_parse(struct str s, enum step_tier *out);
