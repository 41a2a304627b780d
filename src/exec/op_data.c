/* Data templates: the keys below a place of the local repository, put through expressions over `data`
 * (workflow/data/data.go). The result is JSON. Runs on: the loop thread. */
#include <dirent.h>

#include "base/limits.h"
#include "doc/json_write.h"
#include "exec/op_p.h"
#include "lang/expr.h"
#include "os/clock.h"
#include "os/dir.h"

struct listing {
    struct op *o;
    struct arena *a;
    struct val_builder keys;
    struct err *e;
};

static bool ends(struct str key, const char *suffix)
{
    return str_ends(key, str_of(suffix));
}

/* An archive is one object; what was kept unpacked is one object for each file. */
static bool is_archive(struct str key)
{
    return ends(key, ".tgz") || ends(key, ".tar.gz") || ends(key, ".zip");
}

static bool key_add(struct listing *x, struct str key)
{
    if (x->keys.n >= LIMIT_LOOP_ITEMS)
        return err_set(x->e, ERR_LIMIT, "more artifacts than LIMIT_LOOP_ITEMS (%d)", LIMIT_LOOP_ITEMS);
    list_add(&x->keys, val_of_str(str_dup(x->a, key)));
    return true;
}

static bool tree_add(struct listing *x, const char *path, struct str key, int depth)
{
    struct dir_list d;
    if (depth > LIMIT_ARTIFACT_DEPTH) return err_set(x->e, ERR_LIMIT, "deeper than LIMIT_ARTIFACT_DEPTH");
    if (!dir_read(x->a, path, &d, x->e)) return false;
    for (size_t i = 0; i < d.n; i++) {
        struct str below = str_fmt(x->a, "%.*s/%.*s", STR_ARG(key), STR_ARG(d.items[i].name));
        const char *at = str_fmt(x->a, "%s/%.*s", path, STR_ARG(d.items[i].name)).p;
        bool ok = d.items[i].type == DT_DIR ? tree_add(x, at, below, depth + 1) : key_add(x, below);
        if (!ok) return false;
    }
    return true;
}

static bool row_add(struct listing *x, const struct artifact_row *row)
{
    struct artifact_ref ref = {.id = row->content};
    struct artifact_place place;
    if (!str_is(row->form, "tree") || is_archive(row->key)) return key_add(x, row->key);
    return artifact_path(x->a, x->o->x->repo, &ref, &place, x->e) && tree_add(x, str_z(x->a, place.path), row->key, 0);
}

/* Keys below `key` as a directory, as the S3 driver lists them; no key: all of the namespace. */
static bool keys_list(struct listing *x, struct str key)
{
    enum { PAGE = 1000 };
    while (key.n && key.p[key.n - 1] == '/') key = str_sub(key, 0, key.n - 1);
    struct artifact_filter f = {.ns = run_namespace(x->o->live->run), .prefix = key, .limit = PAGE};
    struct artifact_row *rows;
    size_t n;
    do {
        if (!store_artifact_list(x->a, x->o->x->store, &f, &rows, &n, x->e)) return false;
        for (size_t i = 0; i < n; i++) {
            bool below = !key.n || (rows[i].key.n > key.n && rows[i].key.p[key.n] == '/');
            bool itself = str_eq(rows[i].key, key) && str_is(rows[i].form, "tree") && !is_archive(key);
            if ((below || itself) && !row_add(x, &rows[i])) return false;
        }
        if (n) f.after = rows[n - 1].key;
    } while (n == PAGE);
    return true;
}

static bool source_list(struct op *o, const struct val *data, struct val *out, struct err *e)
{
    const struct val *paths = val_path(data, "source.artifactPaths"), *s3 = val_get(paths, STR("s3"));
    static const char *const places[] = {"gcs", "oss", "azure", "hdfs", "artifactory", "http", "git", "raw", "plugin"};
    struct listing x = {.o = o, .a = &o->arena, .e = e};
    if (!paths) return err_set(e, ERR_SPEC, "no valid source is used for data template");
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (val_get(paths, str_of(places[i])))
            return err_set(e, ERR_UNSUPPORTED, "listing the artifacts of a place of kind %s is not supported", places[i]);
    if (val_get_str(s3, "bucket").n || val_get_str(s3, "endpoint").n)
        return err_set(e, ERR_UNSUPPORTED, "an own S3 location is not supported by this version of Skiff");
    list_begin(&x.keys, &o->arena);
    bool ok = keys_list(&x, val_text(val_get(s3, STR("key"))));
    *out = list_done(&x.keys);
    return ok || err_ctx(e, "unable to process data source: unable to source artifact paths");
}

static bool transform(struct op *o, const struct val *steps, struct val *v, struct err *e)
{
    for (uint32_t i = 0; steps && i < steps->n; i++) {
        struct str text = val_get_str(&steps->items[i], "expression");
        struct val_builder b;
        if (!text.n) continue;
        map_begin(&b, &o->arena);
        map_add(&b, STR("data"), *v);
        struct val names = map_done(&b);
        struct expr_env env = {.extra = &names, .clock.now_us = clock_now_us()};
        if (!expr_eval(&o->arena, text, &env, v, e))
            return err_ctx(e, "unable to process data transformation: error processing data step %u", i);
    }
    return true;
}

void data_act(struct op *o, struct step_outcome *how)
{
    const struct val *data = val_get(&o->tmpl, STR("data"));
    struct err e = {0};
    struct val v;
    if (source_list(o, data, &v, &e) && transform(o, val_get(data, STR("transformation")), &v, &e)) {
        *how = (struct step_outcome){.phase = NODE_SUCCEEDED, .exit_code = 0, .result = json_text(&o->arena, &v)};
        if (how->result.n <= LIMIT_VALUE_BYTES) return;
        err_set(&e, ERR_LIMIT, "the result is longer than LIMIT_VALUE_BYTES (%d bytes)", LIMIT_VALUE_BYTES);
    }
    if (e.code == ERR_UNSUPPORTED) *how = op_refusal(o, e.text);
    else *how = op_failure(o, str_fmt(&o->arena, "unable to process data template: %s", e.text));
}
