/* The user's rows and the built-in table, searched in that order. */
#include "config/images.h"

#include <unistd.h>

#include "base/limits.h"
#include "config/image_scripts.h"

/* --- the built-in table --- */

struct builtin {
    const char *pattern, *needs;
    const char *const *entrypoint, *const *cmd, *const *shims, *const *files; /* NULL-terminated lists */
    const char *doc;
};

#define W(...) ((const char *const[]){__VA_ARGS__, NULL})
#define S(...) ((const char *const[]){__VA_ARGS__, NULL})
#define F(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE NULL
#define IMAGE(pattern, needs, entrypoint, cmd, shims, files, doc)                                  \
    {pattern, needs, entrypoint, cmd, shims, files, doc},
static const struct builtin builtins[] = {
#include "config/images.def"
};
#undef IMAGE
#define IMAGE(pattern, needs, entrypoint, cmd, shims, files, doc) {pattern, doc},
static const struct image_row_doc builtin_docs[] = {
#include "config/images.def"
};
#undef IMAGE

size_t image_builtin(const struct image_row_doc **rows)
{
    *rows = builtin_docs;
    return ARRAY_LEN(builtin_docs);
}

/* --- patterns --- */

/* * any text, ? any byte. Backtracks only to the last star: linear times pattern length. */
static bool glob_matches(struct str p, struct str s)
{
    size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;
    while (j < s.n) {
        if (i < p.n && p.p[i] == '*') {
            star = i++;
            mark = j;
        } else if (i < p.n && (p.p[i] == '?' || p.p[i] == s.p[j])) {
            i++, j++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            j = ++mark;
        } else {
            return false;
        }
    }
    while (i < p.n && p.p[i] == '*') i++;
    return i == p.n;
}

static struct str prefix_strip(struct str s, const char *prefix)
{
    return str_starts(s, str_of(prefix)) ? str_from(s, strlen(prefix)) : s;
}

/* "docker.io/library/busybox" and "busybox" are one name. */
static struct str name_plain(struct str s)
{
    s = prefix_strip(s, "index.docker.io/");
    s = prefix_strip(s, "docker.io/");
    return prefix_strip(s, "library/");
}

/* Where a tag or digest begins (a colon of a port is before a slash), or the end. */
static size_t name_end(struct str s)
{
    ptrdiff_t at = str_find_char(s, '@', 0);
    size_t end = at >= 0 ? (size_t)at : s.n;
    for (size_t i = end; i > 0 && s.p[i - 1] != '/'; i--)
        if (s.p[i - 1] == ':') return i - 1;
    return end;
}

bool image_pattern_matches(struct str pattern, struct str name)
{
    pattern = name_plain(pattern);
    name = name_plain(name);
    if (glob_matches(pattern, name)) return true;
    if (name_end(pattern) < pattern.n) return false;
    return glob_matches(pattern, str_sub(name, 0, name_end(name)));
}

/* --- the map --- */

struct user_row {
    struct str pattern;
    struct image image;
};

struct image_map {
    struct arena *a;
    const char *search;
    struct user_row *rows;
    size_t n, cap;
};

static const char search_default[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct image_map *image_map_new(struct arena *a, const char *search)
{
    struct image_map *m = ARENA_NEW(a, struct image_map);
    m->a = a;
    m->search = search ? search : search_default;
    return m;
}

/* The host's absolute path of a program, or absent. */
static struct str program_find(struct arena *a, const char *search, struct str program)
{
    struct str dir, rest = str_of(search);
    if (program.n && program.p[0] == '/') return access(str_z(a, program), X_OK) == 0 ? program : STR_NONE;
    while (str_set(rest)) {
        str_cut(rest, ':', &dir, &rest);
        struct str path = str_fmt(a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(program));
        if (dir.n && access(path.p, X_OK) == 0) return path;
    }
    return STR_NONE;
}

/* --- reading the user's rows --- */

struct row_reading {
    struct image_map *m;
    const char *file;
    struct image *out;
};

static bool at_fail(const struct row_reading *r, const struct val *v, struct err *e, const char *what)
{
    return err_set(e, ERR_SPEC, "%s:%u:%u: %s", r->file, v->line, v->col, what);
}

static bool words_read(const struct row_reading *r, const struct val *v, struct image_words *out, struct err *e)
{
    if (v->kind != VAL_LIST) return at_fail(r, v, e, "a list of words is expected");
    struct str *items = ARENA_ARRAY(r->m->a, struct str, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        items[i] = str_dup(r->m->a, val_text(&v->items[i]));
        if (!str_set(val_text(&v->items[i]))) return at_fail(r, &v->items[i], e, "a word is expected");
    }
    *out = (struct image_words){items, v->n};
    return true;
}

static bool pairs_read(const struct row_reading *r, const struct val *v, struct image_pairs *out, struct err *e)
{
    if (v->kind != VAL_MAP) return at_fail(r, v, e, "a map of name to text is expected");
    struct image_pair *items = ARENA_ARRAY(r->m->a, struct image_pair, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        struct str text = val_text(&v->map[i].v);
        if (!str_set(text)) return at_fail(r, &v->map[i].v, e, "a text is expected");
        items[i] = (struct image_pair){str_dup(r->m->a, v->map[i].key), str_dup(r->m->a, text)};
    }
    *out = (struct image_pairs){items, v->n};
    return true;
}

static bool path_read(const struct row_reading *r, const struct val *v, struct str *out, struct err *e)
{
    struct str text = val_text(v);
    if (text.n == 0 || text.p[0] != '/') return at_fail(r, v, e, "an absolute path is expected");
    *out = str_dup(r->m->a, text);
    return true;
}

static bool shims_read(const struct row_reading *r, const struct val *v, struct err *e)
{
    if (!pairs_read(r, v, &r->out->shims, e)) return false;
    for (size_t i = 0; i < r->out->shims.n; i++) {
        const struct image_pair *p = &r->out->shims.items[i];
        bool name_ok = p->name.n && str_find_char(p->name, '/', 0) < 0 && p->name.p[0] != '.';
        if (!name_ok) return at_fail(r, v, e, "a shim's name is a command without slash");
        if (p->value.n == 0 || p->value.p[0] != '/') return at_fail(r, v, e, "a shim's target is an absolute path");
    }
    return true;
}

static bool member_read(const struct row_reading *r, const struct val_pair *p, struct err *e)
{
    if (str_is(p->key, "entrypoint")) return words_read(r, &p->v, &r->out->entrypoint, e);
    if (str_is(p->key, "cmd")) return words_read(r, &p->v, &r->out->cmd, e);
    if (str_is(p->key, "env")) return pairs_read(r, &p->v, &r->out->env, e);
    if (str_is(p->key, "shims")) return shims_read(r, &p->v, e);
    if (str_is(p->key, "workdir")) return path_read(r, &p->v, &r->out->workdir, e);
    if (str_is(p->key, "image")) {
        r->out->kind = IMAGE_STORED;
        r->out->ref = str_dup(r->m->a, val_text(&p->v));
        return r->out->ref.n || at_fail(r, &p->v, e, "the name of an image is expected");
    }
    if (str_is(p->key, "root")) {
        r->out->kind = IMAGE_ROOT;
        return path_read(r, &p->v, &r->out->root, e);
    }
    return err_set(e, ERR_SPEC, "%s:%u:%u: unknown member '%.*s' (image, root, entrypoint, cmd, env, shims, workdir)", r->file,
                   p->line, p->col, STR_ARG(p->key));
}

static bool row_read(struct image_map *m, const char *file, const struct val_pair *p, struct err *e)
{
    struct user_row row = {.pattern = str_dup(m->a, p->key)};
    struct row_reading r = {m, file, &row.image};
    row.image.kind = IMAGE_HOST;
    row.image.row = str_fmt(m->a, "%.*s (%s:%u)", STR_ARG(p->key), file, p->line);
    if (p->key.n == 0) return at_fail(&r, &p->v, e, "a pattern may not be empty");
    if (p->v.kind == VAL_MAP) {
        for (uint32_t i = 0; i < p->v.n; i++)
            if (!member_read(&r, &p->v.map[i], e)) return false;
        if (row.image.root.n && row.image.ref.n) return at_fail(&r, &p->v, e, "a row is an image or a directory, not both");
    } else if (str_is(val_text(&p->v), "absent")) {
        row.image.kind = IMAGE_ABSENT;
    } else if (!str_is(val_text(&p->v), "host")) {
        return at_fail(&r, &p->v, e, "host, absent or a map is expected");
    }
    if (m->n >= LIMIT_IMAGE_ROWS)
        return err_set(e, ERR_LIMIT, "%s: more than LIMIT_IMAGE_ROWS (%d) patterns", file, LIMIT_IMAGE_ROWS);
    if (m->n == m->cap) {
        struct user_row *old = m->rows;
        m->cap = m->cap ? m->cap * 2 : 16;
        m->rows = ARENA_ARRAY(m->a, struct user_row, m->cap);
        if (m->n) memcpy(m->rows, old, m->n * sizeof *old);
    }
    m->rows[m->n++] = row;
    return true;
}

bool image_map_add(struct image_map *m, const struct val *doc, const char *file, struct err *e)
{
    const struct val *images = val_get(doc, STR("images"));
    file = str_z(m->a, str_of(file));
    if (!images || images->kind != VAL_MAP)
        return err_set(e, ERR_SPEC, "%s: a map 'images' of pattern to host, absent or a map is expected", file);
    for (uint32_t i = 0; i < images->n; i++)
        if (!row_read(m, file, &images->map[i], e)) return false;
    return true;
}

/* --- resolving --- */

static struct image_words words_of(struct arena *a, const char *const *list)
{
    size_t n = 0;
    while (list && list[n]) n++;
    struct str *items = ARENA_ARRAY(a, struct str, n);
    for (size_t i = 0; i < n; i++) items[i] = str_of(list[i]);
    return (struct image_words){items, n};
}

/* A row's links, as far as the host has their targets. */
static struct image_pairs shims_of(struct arena *a, const char *search, const char *const *list)
{
    struct image_words words = words_of(a, list);
    struct image_pair *items = ARENA_ARRAY(a, struct image_pair, words.n / 2);
    size_t n = 0;
    for (size_t i = 0; i + 1 < words.n; i += 2) {
        struct str target = program_find(a, search, words.items[i + 1]);
        if (str_set(target)) items[n++] = (struct image_pair){words.items[i], target};
    }
    return (struct image_pairs){items, n};
}

static struct image_files files_of(struct arena *a, const char *const *list)
{
    struct image_words words = words_of(a, list);
    struct image_file *items = ARENA_ARRAY(a, struct image_file, words.n / 2);
    for (size_t i = 0; i + 1 < words.n; i += 2) items[i / 2] = (struct image_file){words.items[i], words.items[i + 1]};
    return (struct image_files){items, words.n / 2};
}

static struct image builtin_image(struct arena *a, const struct image_map *m, const struct builtin *row)
{
    struct image out = {
        .kind = IMAGE_HOST,
        .entrypoint = words_of(a, row->entrypoint),
        .cmd = words_of(a, row->cmd),
        .shims = shims_of(a, m->search, row->shims),
        .files = files_of(a, row->files),
        .row = str_fmt(a, "%s (built in)", row->pattern),
    };
    if (row->needs && !str_set(program_find(a, m->search, str_of(row->needs)))) out.missing = str_of(row->needs);
    return out;
}

bool image_mapped(const struct image_map *m, struct str name, struct image *out)
{
    for (size_t i = 0; i < m->n; i++)
        if (image_pattern_matches(m->rows[i].pattern, name)) return *out = m->rows[i].image, true;
    return false;
}

bool image_built_in(struct arena *a, const struct image_map *m, struct str name, struct image *out)
{
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
        if (image_pattern_matches(str_of(builtins[i].pattern), name)) return *out = builtin_image(a, m, &builtins[i]), true;
    return false;
}
