/* sprig.semver and sprig.semverCompare. See semver.h. */
#include "base/limits.h"
#include "lang/semver.h"
#include "lang/sprig_p.h"

enum { COMPARE_STEPS = 500 }; /* several patterns are compiled each time */

static bool read_version(struct xctx *x, struct str text, struct semver *v)
{
    struct err inner = {0};
    return semver_read(text, v, &inner) || xfail(x, "%s", inner.text);
}

bool sprig_semver(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct xobject *o = ARENA_NEW(x->a, struct xobject);
    o->kind = XOB_SEMVER;
    *out = (struct xv){.kind = X_OBJECT, .obj = o};
    return xcharge(x, args[0].s.n / 64) && read_version(x, args[0].s, &o->version);
}

bool sprig_semver_compare(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    struct semver v;
    struct err inner = {0};
    if (args[0].s.n > LIMIT_SEMVER_BYTES) return xlimit(x, "the constraint is too long", LIMIT_SEMVER_BYTES); /* each range in it copies it */
    if (!xcharge(x, COMPARE_STEPS + args[0].s.n) || !read_version(x, args[1].s, &v)) return false;
    *out = xv_bool(false);
    return semver_meets(x->a, args[0].s, &v, &out->b, &inner) || xfail(x, "%s", inner.text);
}
