/* See manifest.h. */
#include "image/manifest.h"

#include "base/limits.h"
#include "doc/json.h"
#include "image/digest.h"

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

static const char index_oci[] = OCI "index.v1+json", index_docker[] = DOCKER "distribution.manifest.list.v2+json";
static const char manifest_oci[] = OCI "manifest.v1+json", manifest_docker[] = DOCKER "distribution.manifest.v2+json";
static const char config_oci[] = OCI "config.v1+json", config_docker[] = DOCKER "container.image.v1+json";

const char image_document_types[] = OCI "index.v1+json, " DOCKER "distribution.manifest.list.v2+json, " OCI
    "manifest.v1+json, " DOCKER "distribution.manifest.v2+json";

/* ---- pieces ---- */

static bool wrong(struct err *e, const char *what, const char *why) { return err_set(e, ERR_SPEC, "%s %s", what, why); }

static bool json_map(struct arena *a, struct str bytes, const char *what, struct val *out, struct err *e)
{
    struct json_opts o = {.strict = true};
    if (bytes.n > LIMIT_IMAGE_DOCUMENT_BYTES)
        return err_set(e, ERR_LIMIT, "%s is larger than %d bytes (LIMIT_IMAGE_DOCUMENT_BYTES)", what, LIMIT_IMAGE_DOCUMENT_BYTES);
    if (!json_parse(a, bytes, &o, out, e)) return err_ctx(e, "%s", what);
    return out->kind == VAL_MAP || wrong(e, what, "is no JSON object");
}

static bool desc_read(const struct val *v, const char *what, struct image_desc *out, struct err *e)
{
    const struct val *size = val_get(v, STR("size"));
    if (!v || v->kind != VAL_MAP) return wrong(e, what, "is missing");
    *out = (struct image_desc){val_get_str(v, "mediaType"), val_get_str(v, "digest"), 0};
    if (!out->media_type.n) return wrong(e, what, "has no mediaType");
    if (!digest_check(out->digest, e)) return err_ctx(e, "%s", what);
    if (!size || !val_i64(size, &out->size) || out->size < 0) return wrong(e, what, "has no size, or one that is no count of bytes");
    return true;
}

static bool list_of(const struct val *v, const char *key, const char *what, const struct val **out, struct err *e)
{
    const struct val *list = val_get(v, str_of(key));
    if (!list || list->kind != VAL_LIST) return err_set(e, ERR_SPEC, "%s has no list '%s'", what, key);
    *out = list;
    return true;
}

/* ---- index ---- */

static bool platform_read(struct arena *a, const struct val *v, struct image_platform *out, struct err *e)
{
    const struct val *p = val_get(v, STR("platform"));
    *out = (struct image_platform){0};
    if (!p) return true;
    if (p->kind != VAL_MAP) return wrong(e, "the platform of an index entry", "is no object");
    *out = (struct image_platform){val_get_str(p, "os"), val_get_str(p, "architecture"), val_get_str(p, "variant")};
    if (!out->variant.n) out->variant = STR_NONE;
    (void)a;
    return true;
}

static bool row_read(struct arena *a, const struct val *v, struct image_index_row *out, struct err *e)
{
    const struct val *notes = val_get(v, STR("annotations"));
    if (!desc_read(v, "an entry of the index", &out->desc, e) || !platform_read(a, v, &out->platform, e)) return false;
    out->attestation = str_is(val_get_str(notes, "vnd.docker.reference.type"), "attestation-manifest");
    out->ref_name = val_get_str(notes, "io.containerd.image.name");
    if (!out->ref_name.n) out->ref_name = val_get_str(notes, "org.opencontainers.image.ref.name");
    return true;
}

static bool index_read(struct arena *a, const struct val *v, struct image_document *out, struct err *e)
{
    const struct val *list = NULL;
    if (!list_of(v, "manifests", "the index", &list, e)) return false;
    if (list->n > LIMIT_IMAGE_INDEX_ROWS)
        return err_set(e, ERR_LIMIT, "the index has more than %d entries (LIMIT_IMAGE_INDEX_ROWS)", LIMIT_IMAGE_INDEX_ROWS);
    out->is_index = true;
    out->rows = ARENA_ARRAY(a, struct image_index_row, list->n + 1);
    for (; out->n_rows < list->n; out->n_rows++)
        if (!row_read(a, &list->items[out->n_rows], &out->rows[out->n_rows], e)) return false;
    return true;
}

static bool row_runs(const struct image_index_row *r)
{
    return !r->attestation && (str_is(r->desc.media_type, manifest_oci) || str_is(r->desc.media_type, manifest_docker));
}

static bool nothing_fits(struct arena *a, const struct image_document *index, const struct image_platform *want, struct err *e)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 500);
    for (size_t i = 0; i < index->n_rows; i++)
        if (row_runs(&index->rows[i]) && index->rows[i].platform.os.n)
            buf_printf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(image_platform_text(a, &index->rows[i].platform)));
    return err_set(e, ERR_NOT_FOUND, "the image is not there for %.*s; it is for: %.*s", STR_ARG(image_platform_text(a, want)),
                   STR_ARG(b.n ? buf_view(&b) : STR("nothing")));
}

bool image_index_pick(struct arena *a, const struct image_document *index, const struct image_platform *want,
                      struct image_desc *out, struct err *e)
{
    const struct image_index_row *best = NULL;
    for (size_t i = 0; i < index->n_rows; i++) {
        const struct image_index_row *r = &index->rows[i];
        if (!row_runs(r) || (r->platform.os.n && !image_platform_fits(want, &r->platform))) continue;
        bool exact = r->platform.os.n && str_eq(r->platform.variant, want->variant);
        if (!best || (exact && !(best->platform.os.n && str_eq(best->platform.variant, want->variant)))) best = r;
    }
    if (!best) return nothing_fits(a, index, want, e);
    *out = best->desc;
    return true;
}

/* ---- manifest ---- */

bool image_layer_packing(struct str t, enum layer_packing *out, struct err *e)
{
    static const struct { const char *type; enum layer_packing packing; } rows[] = {
        {OCI "layer.v1.tar", LAYER_TAR}, {OCI "layer.v1.tar+gzip", LAYER_GZIP}, {OCI "layer.v1.tar+zstd", LAYER_ZSTD},
        {DOCKER "image.rootfs.diff.tar", LAYER_TAR}, {DOCKER "image.rootfs.diff.tar.gzip", LAYER_GZIP},
        {DOCKER "image.rootfs.diff.tar.zstd", LAYER_ZSTD},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_is(t, rows[i].type)) return *out = rows[i].packing, true;
    if (str_find(t, STR("foreign"), 0) >= 0 || str_find(t, STR("nondistributable"), 0) >= 0)
        return err_set(e, ERR_UNSUPPORTED, "a layer is of the type %.*s, which lies elsewhere than in the registry: "
                       "push the image with its layers (docker: allow-nondistributable-artifacts)", STR_ARG(t));
    return err_set(e, ERR_UNSUPPORTED, "a layer is of the type %.*s: not the layer of an image to be run", STR_ARG(str_sub(t, 0, 200)));
}

static bool layers_read(struct arena *a, const struct val *list, struct image_manifest *m, struct err *e)
{
    enum layer_packing ignored;
    if (list->n > LIMIT_IMAGE_LAYERS)
        return err_set(e, ERR_LIMIT, "the image has %u layers, more than %d (LIMIT_IMAGE_LAYERS)", list->n, LIMIT_IMAGE_LAYERS);
    m->layers = ARENA_ARRAY(a, struct image_desc, list->n + 1);
    for (; m->n < list->n; m->n++) {
        struct image_desc *d = &m->layers[m->n];
        if (!desc_read(&list->items[m->n], "a layer of the manifest", d, e) || !image_layer_packing(d->media_type, &ignored, e))
            return false;
        if (d->size > (int64_t)LIMIT_IMAGE_LAYER_MIB << 20)
            return err_set(e, ERR_LIMIT, "a layer has %lld bytes, more than LIMIT_IMAGE_LAYER_MIB", (long long)d->size);
    }
    return true;
}

static bool manifest_read(struct arena *a, const struct val *v, struct image_manifest *m, struct err *e)
{
    const struct val *list = NULL;
    if (!desc_read(val_get(v, STR("config")), "the configuration in the manifest", &m->config, e)) return false;
    if (!str_is(m->config.media_type, config_oci) && !str_is(m->config.media_type, config_docker))
        return err_set(e, ERR_UNSUPPORTED, "the configuration is of the type %.*s: an artifact, not an image to be run",
                       STR_ARG(str_sub(m->config.media_type, 0, 200)));
    if (m->config.size > LIMIT_IMAGE_DOCUMENT_BYTES)
        return err_set(e, ERR_LIMIT, "the configuration has %lld bytes, more than %d (LIMIT_IMAGE_DOCUMENT_BYTES)",
                       (long long)m->config.size, LIMIT_IMAGE_DOCUMENT_BYTES);
    return list_of(v, "layers", "the manifest", &list, e) && layers_read(a, list, m, e);
}

/* "application/json; charset=utf-8" → "application/json" */
static struct str bare_type(struct str type)
{
    struct str head = type, rest;
    str_cut(type, ';', &head, &rest);
    return str_trim(head);
}

static bool type_known(struct str t, bool *is_index)
{
    *is_index = str_is(t, index_oci) || str_is(t, index_docker);
    return *is_index || str_is(t, manifest_oci) || str_is(t, manifest_docker);
}

static bool type_choose(const struct val *v, struct str header, bool *is_index, struct err *e)
{
    struct str own = val_get_str(v, "mediaType"), said = bare_type(header);
    bool other;
    if (str_find(own, STR("manifest.v1+"), 0) >= 0 && str_starts(own, STR(DOCKER "distribution")))
        return err_set(e, ERR_UNSUPPORTED, "the manifest is of Docker's schema 1: push the image anew with a current program");
    if (own.n && !type_known(own, is_index))
        return err_set(e, ERR_UNSUPPORTED, "the manifest is of the type %.*s, which is not known", STR_ARG(str_sub(own, 0, 200)));
    if (type_known(said, &other)) {
        if (own.n && !str_eq(own, said))
            return err_set(e, ERR_SPEC, "the registry says that the manifest is %.*s, and the manifest that it is %.*s", STR_ARG(said),
                           STR_ARG(str_sub(own, 0, 200)));
        *is_index = other;
    } else if (!own.n) {
        *is_index = val_get(v, STR("manifests")) != NULL;
    }
    return true;
}

bool image_document_parse(struct arena *a, struct str bytes, struct str type, struct image_document *out, struct err *e)
{
    struct val v;
    int64_t version = 0;
    const struct val *n;
    *out = (struct image_document){0};
    if (!json_map(a, bytes, "the manifest", &v, e)) return false;
    n = val_get(&v, STR("schemaVersion"));
    if (!n || !val_i64(n, &version)) return wrong(e, "the manifest", "has no schemaVersion");
    if (version == 1)
        return err_set(e, ERR_UNSUPPORTED, "the manifest is of Docker's schema 1: push the image anew with a current program");
    if (version != 2) return err_set(e, ERR_UNSUPPORTED, "the manifest has the schemaVersion %lld", (long long)version);
    if (!type_choose(&v, type, &out->is_index, e)) return false;
    bool both = val_get(&v, STR("manifests")) && (val_get(&v, STR("layers")) || val_get(&v, STR("config")));
    if (both) return wrong(e, "the manifest", "has entries of an index as well as layers"); /* CVE-2021-41190 */
    return out->is_index ? index_read(a, &v, out, e) : manifest_read(a, &v, &out->manifest, e);
}

/* ---- configuration ---- */

static bool words_read(struct arena *a, const struct val *v, const char *key, struct image_words_list *out, struct err *e)
{
    const struct val *list = val_get(v, str_of(key));
    *out = (struct image_words_list){0};
    if (!list || list->kind == VAL_NULL) return true;
    if (list->kind != VAL_LIST) return err_set(e, ERR_SPEC, "'%s' of the image's configuration is no list", key);
    out->items = ARENA_ARRAY(a, struct str, list->n + 1);
    for (; out->n < list->n; out->n++) {
        const struct val *item = &list->items[out->n];
        if (item->kind != VAL_STR || memchr(item->s.p, 0, item->s.n))
            return err_set(e, ERR_SPEC, "'%s' of the image's configuration has an entry that is no text", key);
        out->items[out->n] = item->s;
    }
    return true;
}

static bool diffs_read(struct arena *a, const struct val *v, struct image_config *out, struct err *e)
{
    const struct val *fs = val_get(v, STR("rootfs"));
    if (!fs || !str_is(val_get_str(fs, "type"), "layers"))
        return wrong(e, "the image's configuration", "has no rootfs of the type layers");
    if (!words_read(a, fs, "diff_ids", &out->diff_ids, e)) return false;
    for (size_t i = 0; i < out->diff_ids.n; i++)
        if (!digest_check(out->diff_ids.items[i], e)) return err_ctx(e, "a diff_id of the image's configuration");
    return true;
}

static bool env_check(const struct image_words_list *env, struct err *e)
{
    for (size_t i = 0; i < env->n; i++)
        if (str_find_char(env->items[i], '=', 0) < 1)
            return err_set(e, ERR_SPEC, "'Env' of the image's configuration has '%.*s', which is not NAME=value",
                           STR_ARG(str_sub(env->items[i], 0, 100)));
    return true;
}

/* {"/data": {}} */
static bool volumes_read(struct arena *a, const struct val *c, struct image_words_list *out, struct err *e)
{
    const struct val *map = val_get(c, STR("Volumes"));
    *out = (struct image_words_list){0};
    if (!map || map->kind == VAL_NULL) return true;
    if (map->kind != VAL_MAP) return wrong(e, "the image's configuration", "has Volumes that are no map");
    out->items = ARENA_ARRAY(a, struct str, map->n + 1);
    for (uint32_t i = 0; i < map->n; i++)
        if (map->map[i].key.n && map->map[i].key.p[0] == '/') out->items[out->n++] = map->map[i].key;
    return true;
}

bool image_config_parse(struct arena *a, struct str bytes, struct image_config *out, struct err *e)
{
    struct val v;
    *out = (struct image_config){0};
    if (!json_map(a, bytes, "the image's configuration", &v, e)) return false;
    const struct val *c = val_get(&v, STR("config")), *labels = val_get(c, STR("Labels"));
    out->platform = (struct image_platform){val_get_str(&v, "os"), val_get_str(&v, "architecture"), val_get_str(&v, "variant")};
    if (!out->platform.variant.n) out->platform.variant = STR_NONE;
    out->created = val_get_str(&v, "created");
    out->user = val_get_str(c, "User");
    out->workdir = val_get_str(c, "WorkingDir");
    out->stop_signal = val_get_str(c, "StopSignal");
    out->labels = labels && labels->kind == VAL_MAP ? *labels : val_null;
    return words_read(a, c, "Entrypoint", &out->entrypoint, e) && words_read(a, c, "Cmd", &out->cmd, e) &&
           words_read(a, c, "Env", &out->env, e) && env_check(&out->env, e) && volumes_read(a, c, &out->volumes, e) &&
           diffs_read(a, &v, out, e);
}
