/* Shell scripts that stand in for the entrypoints of well-known images. Constant text. */
#pragma once

extern const char script_argosay[], script_cowsay[], script_curl[], script_nc[];
