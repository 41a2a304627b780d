/* See doc_error.h. */
#include "doc/doc_error.h"

#include "base/err.h"
#include "doc/tree.h"

bool doc_error_raise(const struct doc_error *d, struct doc_error *where, enum err_code code,
                     struct err *e)
{
    if (where) *where = *d;
    if (!d->line) return err_set(e, code, "%s", d->text);
    return err_set(e, code, "%u:%u: %s", d->line, d->col, d->text);
}
