/* The configuration: one table (config.def) and its sources.
 *
 * Precedence, highest first: flag, environment, project file (skiff.toml of the working directory
 * or the nearest parent), user file (~/.config/skiff/config.toml), default. A key that no row names is
 * an error with file:line:column. Every value remembers where it came from, for error texts. A project
 * file counts only when nobody but the caller and root can have written it. Runs on: the main thread, before anything else starts; then read-only. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum config_id {
#define CONFIG(id, key, type, dflt, unit, env, doc) CONFIG_##id,
#include "config/config.def"
#undef CONFIG
    CONFIG_MAX
};

enum config_type { CONFIG_STR, CONFIG_AMOUNT /* a text, or a whole number */, CONFIG_PATH, CONFIG_INT, CONFIG_BOOL, CONFIG_ENUM };
enum config_source { CONFIG_DEFAULT, CONFIG_USER_FILE, CONFIG_PROJECT_FILE, CONFIG_ENV, CONFIG_FLAG };

struct config_row {
    const char *key;
    enum config_type type;
    const char *dflt, *unit, *env, *doc;
};
extern const struct config_row config_rows[CONFIG_MAX];

struct config_value {
    struct str text; /* "" = unset */
    enum config_source source;
    struct str where; /* "skiff.toml:3:1", "SKIFF_STATE", "--state", "default" */
};

struct config {
    struct config_value values[CONFIG_MAX];
    struct str ignored; /* a sentence about a project file that does not count, or absent */
};

/* What surrounds the process; comes in so that tests can state it. */
struct config_world {
    const char *(*getenv)(const char *name);
    const char *cwd; /* where the search for skiff.toml begins; NULL: no project file */
};

/* Defaults, files and environment. Strings live in the arena. */
bool config_load(struct arena *a, struct config *c, const struct config_world *w, struct err *e);
/* One file's text over `c`; relative paths (PATH rows) are taken from its directory. */
bool config_read_text(struct arena *a, struct config *c, struct str text, const char *file,
                      enum config_source source, struct err *e);
/* A flag's value: checked as any other. */
bool config_set_flag(struct arena *a, struct config *c, enum config_id id, struct str text,
                     const char *flag, struct err *e);

struct str config_str(const struct config *c, enum config_id id);
int64_t config_int(const struct config *c, enum config_id id);
bool config_bool(const struct config *c, enum config_id id);
bool config_is(const struct config *c, enum config_id id, const char *word);

/* The socket of a container engine: CONTAINER_SOCKET, $DOCKER_HOST, $CONTAINER_HOST, or the first of the usual places where there
 * is one. NOT_FOUND: there is none; UNSUPPORTED: it is no Unix socket. */
bool config_container_socket(struct arena *a, const struct config *c, const struct config_world *w, struct str *out,
                             struct err *e);
/* STATE_DIR or its default place; an error only when no home directory is known. */
bool config_state_dir(struct arena *a, const struct config *c, const struct config_world *w, struct str *out,
                      struct err *e);
