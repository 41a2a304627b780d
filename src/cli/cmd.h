/* Commands as data: one `const struct cmd` per verb, in its own file cmd_<verb>.c.
 *
 * Parsing, help, completion and did-you-mean all read these tables; nothing about a flag is stated
 * twice. Runs on: the main thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum flag_kind {
    FLAG_BOOL, /* --x, --x=false, --no-x is not made up: a table row each */
    FLAG_STR,
    FLAG_INT,
    FLAG_LIST, /* may be repeated; every value is kept */
    FLAG_NOT,  /* of argo and not here: `arg` says what to do instead */
};

struct flag {
    const char *name;
    char letter; /* 0: none */
    enum flag_kind kind;
    const char *arg;     /* "NAME" in help; for choices "auto|tty|plain" (then it is checked) */
    const char *doc;     /* NULL: accepted, not shown in help */
};

enum word_kind { WORD_NONE, WORD_FILE, WORD_WORKFLOW, WORD_TOPIC, WORD_SHELL, WORD_OBJECT }; /* what completion offers */

/* What a command works on. */
enum cmd_where {
    WHERE_ANY,    /* a state directory of this machine, or a server elsewhere */
    WHERE_HERE,   /* this machine alone */
    WHERE_NOWHERE /* neither */
};

struct cli;
struct cmd {
    const char *name;
    const char *aliases; /* "ls ps" or NULL */
    const char *group;   /* heading in `skiff help` */
    const char *usage;   /* what follows the name */
    const char *summary; /* lower case, one line */
    const char *details; /* paragraphs, or NULL */
    const char *examples;
    const struct flag *flags;
    size_t n_flags;
    enum cmd_where where;
    bool steps; /* may become the engine and run steps: needs the launcher */
    int min_words, max_words; /* of arguments; max -1: any */
    enum word_kind word;
    int kind;                     /* what a verb that several groups share is about */
    const struct cmd *const *subs; /* a group: its verbs, named "GROUP VERB"; then it has no run */
    size_t n_subs;
    bool (*run)(struct cli *cli, struct err *e); /* false: exit status of e */
};

extern const struct cmd *const cmds[];
extern const size_t n_cmds;
extern const struct flag global_flags[];
extern const size_t n_global_flags;

/* By name or alias; NULL when there is none. */
const struct cmd *cmd_find(const char *name);
/* A verb of a group: "list" of "template"; NULL when there is none. */
const struct cmd *cmd_sub(const struct cmd *group, const char *verb);
const char *cmd_verb(const struct cmd *sub); /* "list" of "template list" */
/* The flag of this command or a global one. */
const struct flag *cmd_flag(const struct cmd *c, struct str name);
const struct flag *cmd_flag_letter(const struct cmd *c, char letter);
bool flag_choices(const struct flag *f); /* its value is one of a few */

/* Texts made from the tables. */
void help_overview(struct buf *b);
void help_command(struct buf *b, const struct cmd *c);
void help_flags(struct buf *b);
void help_exit_codes(struct buf *b);
bool completion_script(struct buf *b, const char *shell, struct err *e);

