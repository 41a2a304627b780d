/* Indexes, manifests, configurations and challenges: what is accepted keeps its promises. */
#include "base/limits.h"
#include "fuzz.h"
#include "image/auth.h"
#include "image/digest.h"
#include "image/manifest.h"

static void manifest_holds(const struct image_manifest *m)
{
    struct err e = {0};
    enum layer_packing packing;
    ASSERT(m->n <= LIMIT_IMAGE_LAYERS && digest_check(m->config.digest, &e) && m->config.size >= 0);
    for (size_t i = 0; i < m->n; i++)
        ASSERT(digest_check(m->layers[i].digest, &e) && m->layers[i].size >= 0 && image_layer_packing(m->layers[i].media_type, &packing, &e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct image_document d;
    struct image_config c;
    struct image_desc desc;
    struct image_platform host = image_platform_host();
    struct challenge ch = {0};
    struct err e = {0};
    arena_init(&a);
    struct str text = str_n((const char *)data, size);
    if (image_document_parse(&a, text, STR_NONE, &d, &e)) {
        if (!d.is_index) manifest_holds(&d.manifest);
        else if (image_index_pick(&a, &d, &host, &desc, &e)) ASSERT(digest_check(desc.digest, &e));
    }
    if (image_config_parse(&a, text, &c, &e))
        for (size_t i = 0; i < c.diff_ids.n; i++) ASSERT(digest_check(c.diff_ids.items[i], &e));
    challenge_parse(&a, text, &ch);
    return 0;
}
