/* The simulator: cases as JSON lines in, normal forms as JSON lines out (README.md).
 *
 *   sim [--crash PCT] [--crash-seed N]
 *
 * --crash rebuilds the engine from what it had committed before PCT % of its commits and after as
 * many; the results must stay the same. */
#include "doc/json.h"
#include "world.h"

struct options {
    uint32_t crash_pct;
    uint64_t crash_seed;
};

static void answer(const struct options *o, struct str line)
{
    struct world w = {.crash_pct = o->crash_pct, .crash_state = o->crash_seed};
    struct buf b;
    struct err e = {0};
    struct val c;
    arena_init(&w.arena);
    buf_init(&b, (size_t)1 << 30);
    if (json_parse(&w.arena, line, NULL, &c, &e) && world_run(&w, &c, &e)) {
        normal_write(&b, w.run, w.shell);
    } else {
        buf_str(&b, STR("{\"error\":"));
        buf_json(&b, str_of(e.text));
        buf_char(&b, '}');
    }
    buf_char(&b, '\n');
    fwrite(b.p, 1, b.n, stdout);
    fflush(stdout);
    buf_fini(&b);
    world_fini(&w);
}

int main(int argc, char **argv)
{
    struct options o = {.crash_seed = 1};
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--crash")) o.crash_pct = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--crash-seed")) o.crash_seed = strtoull(argv[i + 1], NULL, 10);
    }
    while ((n = getline(&line, &cap, stdin)) > 0) answer(&o, str_n(line, (size_t)n));
    free(line);
    return 0;
}
