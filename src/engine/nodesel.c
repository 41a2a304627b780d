/* Terms joined by commas: field=value, field==value, field!=value. */
#include "engine/nodesel.h"

struct nodesel_term {
    struct str field, value;
    bool differs;
};

static const char *const plain_fields[] = {"displayName", "templateName", "phase", "name", "id", "templateRef.name",
                                           "templateRef.template"};

static bool field_known(struct str f)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_fields); i++)
        if (str_is(f, plain_fields[i])) return true;
    return str_starts(f, STR("inputs.parameters.")) && str_ends(f, STR(".value"));
}

static bool term_parse(struct arena *a, struct str text, struct nodesel_term *t, struct err *e)
{
    ptrdiff_t at = str_find_char(text, '=', 0);
    if (at <= 0) return err_set(e, ERR_USAGE, "selector term '%.*s' is not field=value", STR_ARG(text));
    size_t eq = (size_t)at;
    t->differs = text.p[eq - 1] == '!';
    struct str value = str_from(text, eq + 1);
    if (!t->differs && value.n && value.p[0] == '=') value = str_from(value, 1);
    t->field = str_dup(a, str_trim(str_sub(text, 0, t->differs ? eq - 1 : eq)));
    t->value = str_dup(a, str_trim(value));
    if (!field_known(t->field))
        return err_set(e, ERR_USAGE, "selector field '%.*s' is not known (phase, name, displayName, templateName, id, …)",
                       STR_ARG(t->field));
    return true;
}

bool nodesel_parse(struct arena *a, const char *text, struct nodesel *out, struct err *e)
{
    *out = (struct nodesel){0};
    if (!text || !*text) return true;
    out->terms = ARENA_ARRAY(a, struct nodesel_term, strlen(text) / 2 + 1);
    struct str head, rest = str_of(text);
    while (str_set(rest)) {
        str_cut(rest, ',', &head, &rest);
        if (!term_parse(a, head, &out->terms[out->n++], e)) return false;
    }
    return true;
}

static struct str parameter_value(const struct val *node, struct str field)
{
    struct str name = str_sub(field, strlen("inputs.parameters."), field.n - strlen("inputs.parameters.") - strlen(".value"));
    const struct val *list = val_path(node, "inputs.parameters");
    for (uint32_t i = 0; list && list->kind == VAL_LIST && i < list->n; i++)
        if (str_eq(val_get_str(&list->items[i], "name"), name)) return val_get_str(&list->items[i], "value");
    return STR_NONE;
}

bool nodesel_matches(const struct nodesel *s, const struct val *node)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct nodesel_term *t = &s->terms[i];
        bool parameter = str_starts(t->field, STR("inputs."));
        struct str is = parameter ? parameter_value(node, t->field) : val_text(val_path(node, t->field.p));
        if (str_is(t->field, "templateName") && val_get(node, STR("templateRef"))) /* as util.go GetTemplateFromNode */
            is = val_text(val_path(node, "templateRef.template"));
        if (str_eq(is, t->value) == t->differs) return false;
    }
    return true;
}
