/* See zonefile.h. The order of the places is Go's. */
#include "os/zonefile.h"

#include <stdlib.h>

#include "os/fd.h"

enum { ZONE_BYTES_MAX = 1 << 20 };

static bool is_name(struct str name)
{
    if (!name.n || name.n > 200 || name.p[0] == '/' || name.p[0] == '\\') return false;
    return str_find(name, STR(".."), 0) < 0 && str_find_char(name, 0, 0) < 0;
}

bool zonefile_read(struct arena *a, struct str name, struct str *out, struct err *e)
{
    const char *places[] = {getenv("ZONEINFO"), "/usr/share/zoneinfo", "/usr/share/lib/zoneinfo",
                            "/usr/lib/locale/TZ", "/etc/zoneinfo"};
    for (size_t i = 0; is_name(name) && i < ARRAY_LEN(places); i++) {
        struct err ignored = {0};
        if (!places[i] || !places[i][0]) continue;
        const char *path = str_fmt(a, "%s/%.*s", places[i], STR_ARG(name)).p;
        if (file_read(a, path, ZONE_BYTES_MAX, out, &ignored)) return true;
    }
    return err_set(e, ERR_NOT_FOUND, "unknown time zone %.*s", STR_ARG(name));
}

bool zonefile_known(struct str name)
{
    struct arena a CLEANUP(arena_fini);
    struct str bytes;
    struct err unknown;
    arena_init(&a);
    return zonefile_read(&a, name, &bytes, &unknown) || !zonefile_read(&a, STR("UTC"), &bytes, &unknown);
}

bool zonefile_local(struct arena *a, struct str *out, struct err *e)
{
    const char *tz = getenv("TZ");
    struct err ignored = {0};
    *out = STR_NONE;
    if (!tz) {
        if (!file_read(a, "/etc/localtime", ZONE_BYTES_MAX, out, &ignored)) *out = STR_NONE;
        return true;
    }
    if (tz[0] == ':') tz++;
    if (!tz[0] || !strcmp(tz, "UTC")) return true;
    return tz[0] == '/' ? file_read(a, tz, ZONE_BYTES_MAX, out, e) : zonefile_read(a, str_of(tz), out, e);
}
