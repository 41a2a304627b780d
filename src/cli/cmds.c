/* The list of commands, in the order of `skiff help`. */
#include "cli/cmds.h"

#include "base/base.h"

const struct cmd *const cmds[] = {
#define CMD(name) &cmd_##name,
#include "cli/cmds.def"
#undef CMD
};
const size_t n_cmds = ARRAY_LEN(cmds);

static bool alias_matches(const char *aliases, const char *name)
{
    struct str head, rest = str_of(aliases);
    while (str_set(rest)) {
        str_cut(rest, ' ', &head, &rest);
        if (str_is(head, name)) return true;
    }
    return false;
}

const struct cmd *cmd_find(const char *name)
{
    for (size_t i = 0; i < n_cmds; i++)
        if (strcmp(cmds[i]->name, name) == 0 || alias_matches(cmds[i]->aliases, name)) return cmds[i];
    return NULL;
}

const char *cmd_verb(const struct cmd *sub)
{
    const char *space = strrchr(sub->name, ' ');
    return space ? space + 1 : sub->name;
}

const struct cmd *cmd_sub(const struct cmd *group, const char *verb)
{
    for (size_t i = 0; i < group->n_subs; i++)
        if (strcmp(cmd_verb(group->subs[i]), verb) == 0 || alias_matches(group->subs[i]->aliases, verb)) return group->subs[i];
    return NULL;
}
