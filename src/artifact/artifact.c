/* See artifact.h: the form names and the way into a driver. */
#include "artifact/artifact.h"

static const char *const form_names[ARTIFACT_FORM_MAX] = {"file", "tree", "tgz", "zip"};

const char *artifact_form_name(enum artifact_form form)
{
    ASSERT(form < ARTIFACT_FORM_MAX);
    return form_names[form];
}

bool artifact_form_parse(struct str name, enum artifact_form *out)
{
    for (size_t i = 0; i < ARTIFACT_FORM_MAX; i++) {
        if (!str_is(name, form_names[i])) continue;
        *out = (enum artifact_form)i;
        return true;
    }
    return false;
}

void artifact_close(struct artifact_repo *r)
{
    if (r) r->driver->close(r);
}

bool artifact_save(struct artifact_repo *r, const struct artifact_save *in,
                   struct artifact_content *out, struct err *e)
{
    return r->driver->save(r, in, out, e);
}

bool artifact_save_text(struct artifact_repo *r, struct str text, struct artifact_content *out,
                        struct err *e)
{
    return r->driver->save_text(r, text, out, e);
}

bool artifact_import(struct artifact_repo *r, const struct artifact_import *in,
                     struct artifact_content *out, struct err *e)
{
    return r->driver->import(r, in, out, e);
}

bool artifact_path(struct arena *a, struct artifact_repo *r, const struct artifact_ref *ref,
                   struct artifact_place *out, struct err *e)
{
    return r->driver->path(a, r, ref, out, e);
}

bool artifact_export(struct artifact_repo *r, const struct artifact_ref *ref,
                     const struct artifact_export *how, struct err *e)
{
    return r->driver->export(r, ref, how, e);
}

bool artifact_load(struct artifact_repo *r, const struct artifact_ref *ref, const char *to,
                   struct err *e)
{
    return r->driver->load(r, ref, to, e);
}

bool artifact_remove(struct artifact_repo *r, struct str id, struct err *e)
{
    return r->driver->remove(r, id, e);
}

bool artifact_list(struct arena *a, struct artifact_repo *r, struct str **ids, size_t *n, struct err *e)
{
    return r->driver->list(a, r, ids, n, e);
}

bool artifact_sync(struct artifact_repo *r, struct err *e) { return r->driver->sync(r, e); }
