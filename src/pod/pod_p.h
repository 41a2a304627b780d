/* Private to src/pod: a plan under construction. */
#pragma once
#include "base/vec.h"
#include "pod/pod.h"

#define POD_SHIM_DIR STEP_TOOLS_DIR /* slots show the state directory's shims there */
#define POD_STAGING_DIR "/argo/staging"

struct pod {
    struct arena *a;
    const struct pod_input *in;
    const struct val *main; /* container or script */
    bool is_script;
    struct image image;
    VEC(struct str) argv, env, masks, writable, dirs;
    VEC(struct step_bind) binds, links;
    VEC(struct step_tmpfs) tmpfs;
    VEC(struct step_file) files;
    VEC(struct step_output) params, artifacts;
    struct str work_dir; /* of the step */
    bool overflow; /* a text with $(NAME) replaced passed LIMIT_STEP_WORD_BYTES */
};

/* command.c */
bool pod_command(struct pod *p, struct err *e);
/* env.c: command and args may refer to variables, so this comes first */
bool pod_env(struct pod *p, struct err *e);
struct str pod_env_get(const struct pod *p, struct str name);
void pod_env_set(struct pod *p, struct str name, struct str value);
/* "$(NAME)" as Kubernetes expands it; unknown names stay, "$$(" is an escape. */
struct str pod_expand(struct pod *p, struct str text);
/* volumes.c */
bool pod_volumes(struct pod *p, struct err *e);
