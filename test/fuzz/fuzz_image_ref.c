/* Image references: what is accepted reads back from both of its forms to the same. */
#include "fuzz.h"
#include "image/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a CLEANUP(arena_fini);
    struct image_ref r, again;
    struct image_platform p, q;
    struct err e = {0};
    arena_init(&a);
    struct str text = str_n((const char *)data, size);
    if (image_ref_parse(&a, text, &r, &e)) {
        struct str full = image_ref_text(&a, &r);
        ASSERT(r.host.n && r.path.n && (r.tag.p || r.digest.p) && str_find(r.path, STR(".."), 0) < 0); /* a tag may have dots */
        if (!image_ref_parse(&a, full, &again, &e)) bug_stop(__FILE__, __LINE__, e.text);
        ASSERT(str_eq(image_ref_text(&a, &again), full));
        if (!image_ref_parse(&a, image_ref_short(&a, &r), &again, &e)) bug_stop(__FILE__, __LINE__, e.text);
        ASSERT(str_eq(image_ref_text(&a, &again), full));
    } else {
        ASSERT(e.code == ERR_SPEC && e.text[0]);
    }
    if (image_platform_parse(&a, text, &p, &e)) {
        ASSERT(image_platform_parse(&a, image_platform_text(&a, &p), &q, &e) && image_platform_fits(&p, &q));
    }
    return 0;
}
