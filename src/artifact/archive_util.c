/* See archive_util.h. */
#include "artifact/archive_util.h"

struct archive_locale archive_locale_utf8(void)
{
    struct archive_locale l = {.ours = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)};
    if (l.ours) l.before = uselocale(l.ours);
    return l;
}

void archive_locale_restore(struct archive_locale *l)
{
    if (!l->ours) return;
    uselocale(l->before);
    freelocale(l->ours);
    l->ours = (locale_t)0;
}
