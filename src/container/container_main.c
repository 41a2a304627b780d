/* skiff-container: a step's container, and commands beside it. Started by supervisors; see container.h. */
#include <stdio.h>
#include <sys/resource.h>

#include "container/api_p.h"

int main(int argc, char **argv)
{
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none); /* secrets pass through */
    if (argc == 3 && strcmp(argv[1], "run") == 0) return container_run(argv[2]);
    if (argc == 3 && strcmp(argv[1], "begun") == 0) return container_begun(argv[2]);
    if (argc > 4 && strcmp(argv[1], "probe") == 0) return container_probe(argv[2], argv[3], argv + 4);
    fputs("skiff-container is a part of skiff: see docs/container.md\n", stderr);
    return 2;
}
