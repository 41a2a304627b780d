/* What the terminal can do and what the environment says about it. */
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli_p.h"

static bool env_on(const char *name)
{
    const char *v = getenv(name);
    return v && *v;
}

bool term_is(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void term_size(int fd, int *rows, int *cols)
{
    struct winsize w = {0};
    bool ok = ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_row > 0 && w.ws_col > 0;
    *rows = ok ? MIN(w.ws_row, LIMIT_SCREEN_ROWS) : 24;
    *cols = ok ? MIN(w.ws_col, LIMIT_SCREEN_COLS) : 80;
}

int term_tz_s(int64_t now_us)
{
    time_t t = (time_t)(now_us / 1000000);
    struct tm tm;
    return localtime_r(&t, &tm) ? (int)tm.tm_gmtoff : 0;
}

/* NO_COLOR beats CLICOLOR_FORCE beats what the descriptor is; a setting or flag beats them all. */
static bool color_on(const struct cli *cli, int fd)
{
    const char *force = getenv("CLICOLOR_FORCE");
    if (config_is(&cli->config, CONFIG_COLOR, "never")) return false;
    if (config_is(&cli->config, CONFIG_COLOR, "always")) return true;
    if (env_on("NO_COLOR")) return false;
    if (force && *force && strcmp(force, "0") != 0) return true;
    return term_is(fd);
}

struct style term_style(const struct cli *cli, int fd)
{
    return (struct style){.color = color_on(cli, fd), .ascii = config_bool(&cli->config, CONFIG_ASCII)};
}

enum progress term_progress(const struct cli *cli, int fd)
{
    if (cli->quiet) return PROGRESS_QUIET;
    if (config_is(&cli->config, CONFIG_PROGRESS, "tty")) return PROGRESS_TTY;
    if (config_is(&cli->config, CONFIG_PROGRESS, "plain")) return PROGRESS_PLAIN;
    return term_is(fd) && !env_on("CI") ? PROGRESS_TTY : PROGRESS_PLAIN;
}
