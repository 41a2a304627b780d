/* Command-line words sorted into flags and arguments by a command's table.
 *
 * Accepts --flag value, --flag=value, -f value, -fvalue, -abc, `--` (the rest are arguments); flags
 * and arguments may be mixed. Wrong words are ERR_USAGE with a suggestion. Runs on: any thread. */
#pragma once
#include "cli/cmd.h"

struct args {
    const struct cmd *cmd;
    struct arg *given; /* in order of appearance */
    size_t n_given;
    const char **words;
    size_t n_words;
};
struct arg {
    const struct flag *flag;
    const char *value; /* "true"/"false" for FLAG_BOOL */
};

/* argv[0] is the first word after the command's name. Finds --help too (args_on "help"). */
bool args_parse(struct arena *a, const struct cmd *cmd, int argc, char **argv, struct args *out, struct err *e);

bool args_has(const struct args *g, const char *flag);
bool args_on(const struct args *g, const char *flag);         /* last one counts; absent: false */
const char *args_str(const struct args *g, const char *flag); /* last one; NULL when absent */
int64_t args_int(const struct args *g, const char *flag, int64_t absent);
/* The i-th value of a flag, NULL after the last. */
const char *args_nth(const struct args *g, const char *flag, size_t i);
