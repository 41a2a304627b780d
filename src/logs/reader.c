/* One log file as a sequence of lines. See logs_p.h.
 *
 * The file is open only while a piece of it is read. A line's text lies in `raw`, or in the buffer
 * of its stream when it came in several records. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "logs/logs_p.h"

enum { CHUNK_BYTES = 64 << 10 };

void reader_init(struct logs_reader *r, const struct logs_source *source, size_t index)
{
    *r = (struct logs_reader){.path = mem_strdup(source->path), .source = index, .finished = source->finished,
                              .flush = source->finished, .end = INT64_MAX};
    buf_init(&r->raw, LIMIT_LOG_JOIN_BYTES + CHUNK_BYTES);
    for (int i = 0; i < 2; i++) buf_init(&r->pending[i].text, 2 * LIMIT_LOG_JOIN_BYTES + CHUNK_BYTES);
}

void reader_fini(struct logs_reader *r)
{
    buf_fini(&r->raw);
    for (int i = 0; i < 2; i++) buf_fini(&r->pending[i].text);
    free(r->path);
    r->path = NULL;
}

/* The next piece of the file behind what `raw` holds; *got = 0 at the end or without a file. */
static bool raw_fill(struct logs_reader *r, size_t *got, struct err *e)
{
    *got = 0;
    if (r->at) memmove(r->raw.p, r->raw.p + r->at, r->raw.n - r->at);
    r->raw.n -= r->at;
    r->at = 0;
    size_t want = (size_t)MIN((int64_t)CHUNK_BYTES, r->end - r->offset);
    if (!want) return true;
    r->starved = r->piece && r->piece->bytes <= 0;
    if (r->starved) return true;
    if (r->piece) r->piece->bytes -= CHUNK_BYTES;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR || err_sys(e, "'%s'", r->path);
    ssize_t n = pread(fd, buf_room(&r->raw, want), want, r->offset);
    bool ok = n >= 0 || err_sys(e, "reading '%s'", r->path);
    close(fd);
    if (!ok) return false;
    buf_added(&r->raw, (size_t)n);
    r->offset += n;
    *got = (size_t)n;
    return true;
}

/* One line of the file, without its newline. *found = false: not there (yet). */
static bool raw_line(struct logs_reader *r, struct str *line, bool *found, struct err *e)
{
    size_t searched = 0, got = 1;
    *found = true;
    while (!r->starved) {
        const char *from = buf_view(&r->raw).p + r->at;
        size_t have = r->raw.n - r->at;
        const char *nl = have > searched ? memchr(from + searched, '\n', have - searched) : NULL;
        bool whole = nl || have >= LIMIT_LOG_JOIN_BYTES || (!got && r->finished && have);
        if (whole) {
            *line = str_n(from, nl ? (size_t)(nl - from) : have);
            r->at += line->n + (nl != NULL);
            return true;
        }
        searched = have;
        if (!got) break;
        if (!raw_fill(r, &got, e)) return false;
    }
    *found = false;
    return true;
}

static void line_set(struct logs_reader *r, int64_t time_ns, enum logs_stream stream, struct str text)
{
    r->line = (struct logs_line){r->source, time_ns, stream, text};
    r->have = true;
}

static void pending_show(struct logs_reader *r, enum logs_stream stream)
{
    struct pending *p = &r->pending[stream];
    line_set(r, p->time_ns, stream, buf_view(&p->text));
    p->open = false;
    r->shown = p;
}

/* A P record, or one that ends such a row. */
static void pending_add(struct logs_reader *r, const struct logs_record *rec)
{
    struct pending *p = &r->pending[rec->stream];
    if (!p->open) p->time_ns = rec->time_ns;
    p->open = true;
    buf_str(&p->text, rec->text);
    if (!rec->partial || p->text.n >= LIMIT_LOG_JOIN_BYTES) pending_show(r, rec->stream);
}

static void raw_take(struct logs_reader *r, struct str raw)
{
    struct logs_record rec;
    if (r->headless) {
        r->headless = false;
        return;
    }
    if (!logs_record_parse(raw, &rec)) {
        line_set(r, r->last_ns, LOGS_STDOUT, raw);
        return;
    }
    r->last_ns = rec.time_ns;
    if (rec.partial || r->pending[rec.stream].open) pending_add(r, &rec);
    else line_set(r, rec.time_ns, rec.stream, rec.text);
}

/* To the next line, whatever it says. */
static bool line_next(struct logs_reader *r, struct err *e)
{
    bool found = true;
    if (r->shown) buf_reset(&r->shown->text);
    r->shown = NULL;
    r->have = r->starved = false;
    while (!r->have && found) {
        struct str raw;
        if (!raw_line(r, &raw, &found, e)) return false;
        if (found) raw_take(r, raw);
    }
    for (int i = 0; i < 2 && !r->have && r->flush && !r->starved; i++)
        if (r->pending[i].open) pending_show(r, (enum logs_stream)i);
    return true;
}

bool reader_advance(struct logs_reader *r, struct err *e)
{
    bool keeps = false;
    while (!keeps) {
        if (!line_next(r, e)) return false;
        if (!r->have) return true;
        keeps = r->skip == 0;
        if (keeps && r->filter) r->have = logs_filter_fits(r->filter, &r->line, &r->used);
        if (!r->have) return true;
        if (r->skip) r->skip--;
        else if (r->filter && !logs_filter_keeps(r->filter, &r->line, &keeps, e)) return false;
    }
    return true;
}

/* Counts the lines from `offset` to `end`. */
static bool lines_count(const struct logs_reader *like, int64_t offset, int64_t end, int64_t *out, struct err *e)
{
    struct logs_reader r;
    reader_init(&r, &(struct logs_source){like->path, like->finished}, 0);
    r.offset = offset;
    r.end = end;
    r.headless = offset > 0;
    r.flush = like->flush;
    *out = 0;
    bool ok;
    while ((ok = reader_advance(&r, e)) && r.have) ++*out;
    reader_fini(&r);
    return ok;
}

/* Looks at ever larger ends of the file. Some lines more than asked must be there, because the
 * first ones may lack their beginnings. */
bool reader_seek_tail(struct logs_reader *r, int64_t tail, struct err *e)
{
    enum { SPARE_LINES = 3 };
    struct stat st;
    if (!tail || stat(r->path, &st) != 0) return true;
    if (tail < 0) tail = 0;
    int64_t window = CHUNK_BYTES, lines = 0;
    do {
        r->offset = MAX(st.st_size - window, 0);
        if (!lines_count(r, r->offset, st.st_size, &lines, e)) return false;
        window *= 4;
    } while (r->offset > 0 && lines < tail + SPARE_LINES);
    r->headless = r->offset > 0;
    r->skip = MAX(lines - tail, 0);
    return true;
}
