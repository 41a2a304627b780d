/* Reading what the command line names. */
#include "cli/inputs.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "doc/fix.h"
#include "net/web.h"
#include "os/dir.h"
#include "os/fd.h"

void inputs_init(struct inputs *in, struct cli *cli)
{
    *in = (struct inputs){.cli = cli};
    documents_init(&in->docs, &cli->a);
    diags_init(&in->diags, &cli->a);
    in->diags.lenient = args_has(&cli->args, "strict") && !args_on(&cli->args, "strict");
}

void inputs_fini(struct inputs *in)
{
    source_files_fini(&in->files);
    documents_fini(&in->docs);
    diags_fini(&in->diags);
}

static void text_add(struct inputs *in, struct str path, struct str text)
{
    uint16_t file = source_files_add(&in->files, path, text);
    documents_add(&in->docs, text, file, &in->diags);
}

static bool stdin_add(struct inputs *in, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_DOC_BYTES);
    if (!fd_read_all(STDIN_FILENO, &b, e)) return err_ctx(e, "stdin");
    text_add(in, STR("stdin"), buf_dup(&in->cli->a, &b));
    return true;
}

/* ---- addresses ---- */

static bool is_url(const char *word)
{
    struct str w = str_of(word);
    return str_starts(w, STR("http://")) || str_starts(w, STR("https://"));
}

/* Without what stands before "@" in the host: it may be a password. */
static struct str url_shown(struct arena *a, struct str url)
{
    size_t host = (size_t)str_find(url, STR("://"), 0) + 3;
    ptrdiff_t end = str_find_char(url, '/', host), at = -1;
    for (ptrdiff_t i = (ptrdiff_t)host; i < (end < 0 ? (ptrdiff_t)url.n : end); i++)
        if (url.p[i] == '@') at = i;
    if (at < 0) return str_dup(a, url);
    return str_fmt(a, "%.*s%.*s", STR_ARG(str_sub(url, 0, host)), STR_ARG(str_from(url, (size_t)at + 1)));
}

static bool url_read(struct arena *a, const char *word, struct str *text, struct err *e)
{
    struct web_request r = {.url = str_of(word), .timeout_ms = LIMIT_DOC_FETCH_MS, .max_bytes = LIMIT_DOC_BYTES};
    struct web_reply reply;
    if (!web_fetch(a, &r, &reply, e)) return false;
    *text = reply.body;
    if (reply.status / 100 == 2) return true;
    struct str url = url_shown(a, r.url);
    return err_set(e, reply.status == 404 ? ERR_NOT_FOUND : ERR_IO, "%.*s: the server answers with status %d", STR_ARG(url), reply.status);
}

bool input_read(struct arena *a, const char *word, uint64_t max_bytes, struct str *text, struct err *e)
{
    if (!is_url(word)) return file_read(a, word, max_bytes, text, e);
    if (!url_read(a, word, text, e)) return false;
    return text->n <= max_bytes || err_set(e, ERR_LIMIT, "what the address gives is larger than %llu bytes", (unsigned long long)max_bytes);
}

bool input_is_url(struct str path) { return is_url(path.p); }

static bool is_document(struct str name)
{
    return str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")) || str_ends(name, STR(".json"));
}

static bool tree_add(struct inputs *in, const char *path, int depth, struct err *e)
{
    struct dir_list list;
    if (depth > 100) return err_set(e, ERR_LIMIT, "directories below '%s' are nested too deep", path);
    if (!dir_read(&in->cli->a, path, &list, e)) return false;
    for (size_t i = 0; i < list.n; i++) {
        const char *sub = str_fmt(&in->cli->a, "%s/%.*s", path, STR_ARG(list.items[i].name)).p;
        bool hidden = list.items[i].name.p[0] == '.';
        if (list.items[i].type == DT_DIR && !hidden && !tree_add(in, sub, depth + 1, e)) return false;
        if (list.items[i].type == DT_REG && is_document(list.items[i].name) && !inputs_add(in, sub, e)) return false;
    }
    return true;
}

bool inputs_add(struct inputs *in, const char *word, struct err *e)
{
    struct stat st;
    struct str text;
    if (strcmp(word, "-") == 0) return stdin_add(in, e);
    if (strstr(word, "://") && !is_url(word))
        return err_set(e, ERR_UNSUPPORTED, "'%s': documents come from files and from http:// and https:// addresses", word);
    if (!is_url(word) && stat(word, &st) == 0 && S_ISDIR(st.st_mode)) return tree_add(in, word, 0, e);
    if (!input_read(&in->cli->a, word, LIMIT_DOC_BYTES, &text, e)) return false;
    text_add(in, is_url(word) ? url_shown(&in->cli->a, str_of(word)) : str_dup(&in->cli->a, str_of(word)), text);
    return true;
}

void inputs_diags_put(struct inputs *in, const char *format, const struct style *style, struct buf *out)
{
    struct diag_style s = {.format = DIAG_HUMAN, .colour = style->color};
    if (format && strcmp(format, "json") == 0) s.format = DIAG_JSON;
    else if (format && strcmp(format, "github") == 0) s.format = DIAG_GITHUB;
    else if (format && strcmp(format, "pretty") != 0 && strcmp(format, "human") != 0) s.format = DIAG_SHORT;
    diags_sort(&in->diags);
    fixes_place(&in->diags, &in->files);
    diags_render(out, &in->diags, &in->files, s);
}
