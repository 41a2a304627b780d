/* The table of kinds. See resource.h. */
#include <strings.h>

#include "resource/resource.h"

const struct resource_kind resource_kinds[RESOURCE_MAX] = {
#define RESOURCE(name, kind, plural, shorts, api, namespaced, meaning) \
    [RESOURCE_##name] = {kind, plural, shorts, api, namespaced, meaning},
#include "resource/kinds.def"
#undef RESOURCE
};

static bool same_word(struct str name, struct str word)
{
    return name.n && name.n == word.n && strncasecmp(name.p, word.p, name.n) == 0;
}

static bool kind_has_name(const struct resource_kind *k, struct str name)
{
    if (same_word(name, str_of(k->kind)) || same_word(name, str_of(k->plural))) return true;
    struct str word, rest = str_of(k->shorts);
    while (str_set(rest)) {
        str_cut(rest, ' ', &word, &rest);
        if (same_word(name, word)) return true;
    }
    return false;
}

bool resource_kind_find(struct str name, enum resource_kind_id *out)
{
    for (size_t i = 0; i < RESOURCE_MAX; i++) {
        if (!kind_has_name(&resource_kinds[i], name)) continue;
        *out = (enum resource_kind_id)i;
        return true;
    }
    return false;
}
