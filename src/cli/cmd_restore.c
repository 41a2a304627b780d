/* skiff restore */
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli_p.h"
#include "cli/cmds.h"
#include "os/fd.h"
#include "service/backup.h"

static const struct flag flags[] = {
    {"force", 0, FLAG_BOOL, NULL, "in place of the state that is there, which is lost"},
};

static bool restore_run(struct cli *cli, struct err *e)
{
    struct backup_report r;
    struct str state;
    const char *path = cli->args.words[0];
    if (!config_state_dir(&cli->a, &cli->config, &cli->world, &state, e)) return false;
    int fd CLEANUP(close_fd) = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_sys(e, "'%s'", path);
    if (!backup_restore(&cli->a, state, fd, args_on(&cli->args, "force"), &r, e)) return false;
    cli_note(cli, "restored %lld workflows as of %.*s", (long long)r.workflows, STR_ARG(r.made));
    if (r.missing) cli_note(cli, "%zu artifacts have no content, and had none before; see skiff doctor", r.missing);
    return true;
}

const struct cmd cmd_restore = {
    .name = "restore",
    .where = WHERE_HERE,
    .group = "MACHINE",
    .usage = "FILE|- [--force]",
    .summary = "make the state directory from a file of skiff backup",
    .details = "Into a state directory that is absent or empty; with --force in place of one where nothing is at work. It appears when the whole\n"
               "file was read and checked. Workflows that were not over go on with the next engine (skiff server, skiff run); steps that were at\n"
               "work then are run again.",
    .examples = "  skiff restore skiff.tar --state /srv/skiff\n  zstd -d < skiff.tar.zst | skiff restore -",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = 1,
    .word = WORD_FILE,
    .run = restore_run,
};
