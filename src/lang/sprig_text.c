/* sprig.* on texts. See sprig.def. */
#include "base/limits.h"
#include "lang/rune.h"
#include "lang/sprig_p.h"

bool sprig_trim(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    *out = xv_str(rune_trim_space(args[0].s));
    return true;
}

bool sprig_trunc(struct xctx *x, const struct xv *args, size_t n, struct xv *out)
{
    int64_t c = args[0].i, len = (int64_t)args[1].s.n;
    if (c < 0 && len + c > 0) *out = xv_str(str_from(args[1].s, (size_t)(len + c)));
    else if (c >= 0 && len > c) *out = xv_str(str_sub(args[1].s, 0, (size_t)c));
    else *out = args[1];
    return true;
}
