/* See audit.h. */
#include "auth/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/rfc3339.h"
#include "os/fd.h"

struct auth_audit {
    char *path;
    int fd;
    int64_t bytes, max_bytes;
};

static bool file_open(struct auth_audit *l, struct err *e)
{
    struct stat st;
    l->fd = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd < 0 || fstat(l->fd, &st) != 0) return err_sys(e, "'%s'", l->path);
    l->bytes = (int64_t)st.st_size;
    return true;
}

struct auth_audit *auth_audit_open(const char *path, int64_t max_bytes, struct err *e)
{
    struct auth_audit *l = mem_zalloc(sizeof *l);
    l->path = mem_strdup(path);
    l->max_bytes = max_bytes;
    if (file_open(l, e)) return l;
    auth_audit_close(l);
    return NULL;
}

void auth_audit_close(struct auth_audit *l)
{
    if (!l) return;
    close_fd(&l->fd);
    free(l->path);
    free(l);
}

/* FILE.3 → FILE.4, …, FILE → FILE.1; one that is not there does not matter. */
static bool rotate(struct auth_audit *l, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    arena_init(&a);
    for (int i = AUDIT_KEPT; i > 1; i--)
        rename(str_fmt(&a, "%s.%d", l->path, i - 1).p, str_fmt(&a, "%s.%d", l->path, i).p);
    if (rename(l->path, str_fmt(&a, "%s.1", l->path).p) != 0 && errno != ENOENT) return err_sys(e, "'%s'", l->path);
    close_fd(&l->fd);
    return file_open(l, e);
}

static void field(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, value);
}

bool auth_audit_write(struct auth_audit *l, const struct audit_line *line, struct err *e)
{
    struct arena a CLEANUP(arena_fini);
    struct buf b CLEANUP(buf_fini);
    arena_init(&a);
    buf_init(&b, 8 * LIMIT_HTTP_HEAD_BYTES);
    buf_printf(&b, "{\"time\":\"%.*s\"", STR_ARG(rfc3339(&a, line->now_us)));
    field(&b, "token", line->token);
    if (line->subject.n) field(&b, "issuer", line->issuer);
    if (line->subject.n) field(&b, "subject", line->subject);
    if (line->email.n) field(&b, "email", line->email);
    field(&b, "address", line->address);
    field(&b, "method", line->method);
    field(&b, "path", line->path);
    buf_printf(&b, ",\"status\":%d}\n", line->status);
    if (l->bytes && l->bytes + (int64_t)b.n > l->max_bytes && !rotate(l, e)) return false;
    if (l->fd < 0 && !file_open(l, e)) return false;
    if (!fd_write_all(l->fd, buf_view(&b), e)) return err_ctx(e, "'%s'", l->path);
    l->bytes += (int64_t)b.n;
    return true;
}
