/* See image_view.h. */
#include "cli/image_view.h"

#include "base/limits.h"
#include "base/rfc3339.h"
#include "cli/human.h"
#include "cli/text.h"

enum { BAR = 24, DIGEST_SHOWN = 12 };

void bytes_put(struct buf *b, int64_t n)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double x = (double)n;
    size_t u = 0;
    while (x >= 999.5 && u + 1 < ARRAY_LEN(units)) x /= 1000, u++;
    buf_printf(b, u && x < 99.95 ? "%.1f%s" : "%.0f%s", x, units[u]);
}

static int64_t int_of(const struct val *v, const char *key)
{
    int64_t n = 0;
    const struct val *x = val_get(v, str_of(key));
    return x && val_i64(x, &n) ? n : 0;
}

static struct str size_cell(struct arena *a, const struct val *v, const char *key)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 40);
    bytes_put(&b, int_of(v, key));
    return buf_dup(a, &b);
}

static struct str or_dash(struct str s) { return s.n ? s : STR("<none>"); }

static struct str ago_cell(struct arena *a, struct str when, int64_t now_us)
{
    CLEANUP(buf_fini) struct buf b;
    int64_t us;
    buf_init(&b, 100);
    if (!rfc3339_parse(when, &us) || us <= 0) return STR("-");
    human_ago(&b, now_us, us);
    return buf_dup(a, &b);
}

void images_table(struct arena *a, const struct val *list, int64_t now_us, bool wide, struct buf *out)
{
    static const char *const heads[] = {"REPOSITORY", "TAG", "DIGEST", "CREATED", "SIZE", "PACKED", "PLATFORM", "LAYERS", "ID"};
    struct table t;
    table_begin(&t, a);
    for (size_t i = 0; i < (wide ? ARRAY_LEN(heads) : 5); i++) table_cell(&t, str_of(heads[i]));
    table_row_end(&t);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct val *v = &list->items[i], *layers = val_get(v, STR("layers"));
        struct str digest = val_get_str(v, "digest");
        table_cell(&t, or_dash(val_get_str(v, "repository")));
        table_cell(&t, or_dash(val_get_str(v, "tag")));
        table_cell(&t, wide ? digest : str_sub(digest, 0, 7 + DIGEST_SHOWN));
        table_cell(&t, ago_cell(a, val_get_str(v, "created"), now_us));
        table_cell(&t, size_cell(a, v, "bytes"));
        if (wide) {
            table_cell(&t, size_cell(a, v, "sizeBytes"));
            table_cell(&t, val_get_str(v, "platform"));
            table_cell(&t, str_fmt(a, "%u", layers ? layers->n : 0));
            table_cell(&t, val_get_str(v, "id"));
        }
        table_row_end(&t);
    }
    table_print(&t, 3, out);
}

/* ---- inspect ---- */

static void line(struct buf *out, const char *name, struct str value)
{
    if (!value.n) return;
    buf_printf(out, "%-14s", name);
    text_clean(out, value);
    buf_char(out, '\n');
}

static void words(struct buf *out, const char *name, const struct val *list)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_SHOWN_BYTES);
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++) {
        if (i) buf_char(&b, ' ');
        buf_json(&b, list->items[i].s);
    }
    line(out, name, buf_view(&b));
}

void image_text(struct arena *a, const struct val *v, struct buf *out)
{
    static const struct { const char *name, *key; } rows[] = {
        {"Name:", "name"}, {"Reference:", "ref"}, {"Digest:", "digest"}, {"Manifest:", "manifest"}, {"ID:", "id"},
        {"Platform:", "platform"}, {"Created:", "created"}, {"Pulled:", "pulled"}};
    const struct val *c = val_get(v, STR("config")), *env = val_get(c, STR("Env")), *layers = val_get(v, STR("layers"));
    struct table t;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) line(out, rows[i].name, val_get_str(v, rows[i].key));
    line(out, "Size:", str_fmt(a, "%.*s, packed %.*s", STR_ARG(size_cell(a, v, "bytes")), STR_ARG(size_cell(a, v, "sizeBytes"))));
    words(out, "Entrypoint:", val_get(c, STR("Entrypoint")));
    words(out, "Cmd:", val_get(c, STR("Cmd")));
    line(out, "User:", val_get_str(c, "User"));
    line(out, "WorkingDir:", val_get_str(c, "WorkingDir"));
    line(out, "StopSignal:", val_get_str(c, "StopSignal"));
    for (uint32_t i = 0; env && i < env->n; i++) line(out, i ? "" : "Env:", env->items[i].s);
    buf_char(out, '\n');
    table_begin(&t, a);
    table_cell(&t, STR("LAYER"));
    table_cell(&t, STR("SIZE"));
    table_cell(&t, STR("PACKED"));
    table_cell(&t, STR("ENTRIES"));
    table_cell(&t, STR("DIRECTORY"));
    table_row_end(&t);
    for (uint32_t i = 0; layers && i < layers->n; i++) {
        const struct val *l = &layers->items[i];
        table_cell(&t, val_get_str(l, "digest"));
        table_cell(&t, size_cell(a, l, "bytes"));
        table_cell(&t, size_cell(a, l, "sizeBytes"));
        table_cell(&t, str_fmt(a, "%lld", (long long)int_of(l, "entries")));
        table_cell(&t, val_get_str(l, "directory"));
        table_row_end(&t);
    }
    table_print(&t, 3, out);
}

/* ---- a pull ---- */

static void bar_put(struct buf *b, const struct style *s, const struct service_pull_layer *l)
{
    bool unpacking = !strcmp(l->stage, "unpacking"), ready = !strcmp(l->stage, "ready");
    uint64_t at = ready ? l->size : unpacking ? l->unpacked : l->got;
    size_t full = l->size ? (size_t)(MIN(at, l->size) * BAR / l->size) : ready ? BAR : 0;
    const char *on = style_pick(s, unpacking || ready ? "█" : "▒", unpacking || ready ? "#" : "=");
    for (size_t i = 0; i < BAR; i++) buf_str(b, str_of(i < full ? on : style_pick(s, "░", ".")));
    buf_char(b, ' ');
    if (ready) bytes_put(b, (int64_t)l->size);
    else {
        bytes_put(b, (int64_t)MIN(at, l->size));
        buf_char(b, '/');
        bytes_put(b, (int64_t)l->size);
    }
}

static void up(struct pull_view *v, struct buf *b)
{
    if (v->drawn) buf_printf(b, "\x1b[%dA", v->drawn);
    buf_str(b, STR("\r\x1b[J"));
    v->drawn = 0;
}

/* What does not fit is summed up: those at work are shown before those that are ready. */
static void draw(struct pull_view *v, const char *stage, const struct service_pull_layer *layers, size_t n)
{
    CLEANUP(buf_fini) struct buf b, one;
    int rows, cols;
    size_t ready = 0;
    buf_init(&b, LIMIT_VALUE_BYTES);
    buf_init(&one, LIMIT_VALUE_BYTES);
    term_size(v->cli->env->err_fd, &rows, &cols);
    up(v, &b);
    for (size_t i = 0; i < n; i++) ready += !strcmp(layers[i].stage, "ready");
    size_t room = (size_t)MAX(rows - 3, 1), hide = n > room ? n - room : 0;
    buf_printf(&one, "%s: %s", v->name, n ? "" : stage);
    if (n) buf_printf(&one, "%zu of %zu layers", ready, n);
    text_cut(&b, buf_view(&one), (size_t)cols - 1, v->cli->err_style.ascii);
    buf_char(&b, '\n');
    v->drawn = 1;
    for (size_t i = 0; i < n; i++) {
        if (hide && (!strcmp(layers[i].stage, "ready") || !*layers[i].stage)) {
            hide--;
            continue;
        }
        if (v->drawn >= rows - 1) break;
        buf_reset(&one);
        buf_printf(&one, "  %s  %-11s ", layers[i].digest, layers[i].stage);
        bar_put(&one, &v->cli->err_style, &layers[i]);
        text_cut(&b, buf_view(&one), (size_t)cols - 1, v->cli->err_style.ascii);
        buf_char(&b, '\n');
        v->drawn++;
    }
    cli_err(v->cli, buf_view(&b));
}

static void say(struct pull_view *v, const struct service_pull_layer *layers, size_t n)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, LIMIT_VALUE_BYTES);
    for (size_t i = 0; i < n && i < ARRAY_LEN(v->stages); i++) {
        if (!*layers[i].stage || v->stages[i] == layers[i].stage) continue;
        v->stages[i] = layers[i].stage;
        buf_printf(&b, "%s: %s %s ", v->name, layers[i].digest, layers[i].stage);
        bytes_put(&b, (int64_t)layers[i].size);
        buf_char(&b, '\n');
    }
    cli_err(v->cli, buf_view(&b));
}

void pull_look(void *view, const char *stage, const struct service_pull_layer *layers, size_t n)
{
    struct pull_view *v = view;
    if (v->progress == PROGRESS_TTY) draw(v, stage, layers, n);
    else if (v->progress == PROGRESS_PLAIN) say(v, layers, n);
}

void pull_end(struct pull_view *v)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 100);
    if (v->progress != PROGRESS_TTY) return;
    up(v, &b);
    cli_err(v->cli, buf_view(&b));
}
