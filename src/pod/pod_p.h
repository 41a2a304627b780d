/* Private to src/pod: a plan under construction. */
#pragma once
#include "base/vec.h"
#include "pod/pod.h"

#define POD_SHIM_DIR STEP_TOOLS_DIR /* slots show the state directory's shims there */
#define POD_STAGING_DIR "/argo/staging"

struct pod {
    struct arena *a;
    const struct pod_input *in;
    const struct val *as_given; /* the template before patches */
    struct val pod;         /* what the pod has beside containers and volumes */
    struct str hostname;
    int64_t fs_group;       /* of its own volumes; -1: none */
    const struct val *main; /* container, script, or the container of a set */
    bool is_main;           /* inputs and outputs are its business */
    bool patched;           /* podSpecPatch has been applied */
    bool mirrors;           /* an init container or sidecar that sees what main sees */
    bool is_script;
    bool probed;            /* an exec probe will be run in it */
    struct image image;
    size_t n_command; /* of argv */
    int64_t uid, gid;   /* or STEP_UID_DEFAULT */
    struct str home;    /* of the user, in an image; absent: not known */
    struct str notice;
    VEC(struct str) argv, env, masks, writable, dirs;
    VEC(struct str) file_dirs; /* mounts that are made of files */
    VEC(struct pod_host_path) host_paths;
    VEC(struct step_bind) binds, links;
    VEC(struct step_input) inputs;
    VEC(struct step_tmpfs) tmpfs;
    VEC(struct step_file) files;
    VEC(struct step_output) params, artifacts;
    struct str work_dir; /* of the step */
    bool overflow; /* a text with $(NAME) replaced passed LIMIT_STEP_WORD_BYTES */
};

/* meta.c: a label or annotation of the pod; absent: it has none of that name */
struct str pod_meta_all(struct arena *a, const struct pod_input *in, bool labels); /* KEY="VALUE" a line, sorted */
bool pod_field(struct pod *p, struct str path, struct str *out, struct err *e);   /* env.c: what fieldRef means */
struct str pod_meta(const struct pod_input *in, bool label, struct str key);
struct str pod_files_dir(struct pod *p);              /* env.c: where an image's files without a directory of their own lie */
/* patch.c: podSpecPatch; in->tmpl, in->grace_ms and p->pod are what comes of it */
bool pod_patch(struct pod *p, struct pod_input *in, struct err *e);
const struct val *pod_volume_named(const struct val *list, struct str name); /* also of other named things */
/* user.c */
bool pod_user(struct pod *p, struct err *e);
/* command.c */
bool pod_command(struct pod *p, struct err *e);
/* env.c: command and args may refer to variables, so this comes first; what the image and the runtime set they
 * cannot refer to, so that comes last */
bool pod_env(struct pod *p, struct err *e);
struct str pod_progress_path(struct pod *p);
void pod_env_defaults(struct pod *p);
struct str pod_env_get(const struct pod *p, struct str name);
void pod_env_set(struct pod *p, struct str name, struct str value);
/* "$(NAME)" as Kubernetes expands it: unknown ones stay, "$$" is a "$". `missing` (may be NULL): the first name that
 * has no value, or an empty one. */
struct str pod_expand(struct pod *p, struct str text, struct str *missing);
/* resource_ref.c */
bool pod_resource_ref(struct pod *p, const struct val *ref, struct str *out, struct err *e);
/* network.c: name, network, /etc/hosts, /etc/resolv.conf */
bool pod_names(struct pod *p, struct step_spec *s, struct err *e);
/* security.c: a field of the securityContext that counts; an id in it; then groups and rights */
const struct val *pod_right_field(const struct pod *p, const char *name);
bool pod_right(const struct pod *p, const char *name);
bool pod_id(const struct val *v, const char *name, int64_t *out, struct err *e);
bool pod_security(struct pod *p, struct step_spec *s, struct err *e);
/* volumes.c */
bool pod_has_backstep(struct str path); /* ".." is a part of it */
bool pod_volumes(struct pod *p, struct err *e);
/* The path lies in or at a mount that the containers of the pod share. */
bool pod_path_shared(const struct pod *p, struct str path);
