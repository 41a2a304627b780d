/* The scripts themselves: POSIX sh, written from the behaviour of the images, not from their code. */
#include "config/image_scripts.h"

const char script_argosay[] =
    "#!/bin/sh\n"
    "# argosay: a word and its arguments; anything unknown fails with status 1\n"
    "set -eu\n"
    "verb=${1-echo}\n"
    "[ $# -eq 0 ] || shift\n"
    "case $verb in\n"
    "assert_contains) grep -F -e \"$2\" -- \"$1\" ;;\n"
    "cat) cat -- \"$1\" ;;\n"
    "echo)\n"
    "  text=${1-hello argo}\n"
    "  if [ $# -le 1 ]; then\n"
    "    printf '%s\\n' \"$text\"\n"
    "  else\n"
    "    mkdir -p -- \"$(dirname -- \"$2\")\"\n"
    "    printf '%s\\n' \"$text\" >\"$2\"\n"
    "    sleep 0.1\n"
    "  fi ;;\n"
    "exit) exit \"${1-0}\" ;;\n"
    "sleep) sleep \"$1\" ;;\n"
    "sh) exec sh \"$1\" ;;\n"
    "*) exit 1 ;;\n"
    "esac\n";

const char script_cowsay[] =
    "#!/bin/sh\n"
    "# cowsay: the words in a balloon\n"
    "text=$*\n"
    "[ $# -gt 0 ] || text=$(cat)\n"
    "rule=$(printf '%s' \"$text\" | tr '\\n' ' ' | sed 's/./-/g')\n"
    "printf ' %s--\\n< %s >\\n %s--\\n' \"$rule\" \"$text\" \"$rule\"\n"
    "printf '    \\\\\\n     \\\\\\n      ><(((\">\\n'\n";

const char script_curl[] =
    "#!/bin/sh\n"
    "# options alone are curl's; a command stands for itself\n"
    "case ${1-} in\n"
    "'' | -* | *://*) exec curl \"$@\" ;;\n"
    "esac\n"
    "if command -v \"$1\" >/dev/null 2>&1; then exec \"$@\"; fi\n"
    "exec curl \"$@\"\n";
