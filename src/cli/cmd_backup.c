/* skiff backup */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/cmds.h"
#include "cli/cli_p.h"
#include "cli/image_view.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "service/backup.h"

static const struct flag flags[] = {
    {"force", 0, FLAG_BOOL, NULL, "replace FILE when it is there"},
};

static void report_put(const struct cli *cli, const char *what, const struct backup_report *r)
{
    struct buf b CLEANUP(buf_fini);
    buf_init(&b, 64);
    bytes_put(&b, (int64_t)r->bytes);
    cli_note(cli, "%s: %lld workflows, %llu files, %.*s", what, (long long)r->workflows, (unsigned long long)r->files, STR_ARG(buf_view(&b)));
    if (r->missing) cli_note(cli, "%zu artifacts have no content, and had none before; see skiff doctor", r->missing);
}

static const char *dir_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return ".";
    return slash == path ? "/" : str_z(a, str_dup(a, str_n(path, (size_t)(slash - path))));
}

/* Under its name only when it is whole and on the disk. */
static bool to_file(struct cli *cli, struct str state, const char *path, struct backup_report *r, struct err *e)
{
    const char *part = str_fmt(&cli->a, "%s.part", path).p;
    if (!args_on(&cli->args, "force") && file_exists(path)) return err_set(e, ERR_CONFLICT, "'%s' is there already (--force replaces it)", path);
    if (lockfile_held(part)) return err_set(e, ERR_CONFLICT, "another backup to '%s' is at work", path);
    unlink(part); /* of one that was killed */
    int fd CLEANUP(close_fd) = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* secrets are in it */
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) return err_sys(e, "cannot create '%s'", part);
    bool ok = backup_make(&cli->a, state, fd, r, e);
    if (ok && (fsync(fd) != 0 || rename(part, path) != 0)) ok = err_sys(e, "cannot write '%s'", path);
    if (!ok) unlink(part);
    return ok && dir_sync(dir_of(&cli->a, path), e);
}

static bool backup_run(struct cli *cli, struct err *e)
{
    struct backup_report r;
    struct str state;
    const char *path = cli->args.words[0];
    bool out = strcmp(path, "-") == 0;
    if (!config_state_dir(&cli->a, &cli->config, &cli->world, &state, e)) return false;
    if (out && isatty(cli->env->out_fd)) return err_set(e, ERR_USAGE, "a backup is no text for a terminal: give a file, or a pipe");
    if (!(out ? backup_make(&cli->a, state, cli->env->out_fd, &r, e) : to_file(cli, state, path, &r, e))) return false;
    report_put(cli, out ? "written" : path, &r);
    return true;
}

const struct cmd cmd_backup = {
    .name = "backup",
    .where = WHERE_HERE,
    .group = "MACHINE",
    .usage = "FILE|- [--force]",
    .summary = "write the state directory to a file, also while it is in use",
    .details = "The database, artifacts, logs and volumes as one tar file, which says at its end whether it is whole; FILE appears when it is.\n"
               "With - it goes to stdout. Images are not in it. Volumes are read as they are; everything else is of one moment.\n"
               "Secrets that are stored are in it, too.",
    .examples = "  skiff backup /backup/skiff-$(date +%F).tar\n  skiff backup - | zstd > skiff.tar.zst",
    .flags = flags,
    .n_flags = ARRAY_LEN(flags),
    .min_words = 1,
    .max_words = 1,
    .word = WORD_FILE,
    .run = backup_run,
};
