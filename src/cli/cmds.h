/* Declarations of the verbs' tables, one for each row of cmds.def. */
#pragma once
#include "cli/cmd.h"

#define CMD(name) extern const struct cmd cmd_##name;
#include "cli/cmds.def"
#undef CMD
