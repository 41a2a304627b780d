/* Names, durations and suggestions. See lint_p.h. */
#include <inttypes.h>

#include "doc/closest.h"
#include "lang/duration.h"
#include "spec/lint_p.h"

enum { FIELD_NAME_BYTES = 128 };

/* The forms of name in which a character may stand: a bit for each. */
#define IN(form) (1u << NAME_##form)
#define IN_ALL (IN(FIELD) | IN(PARAMETER) | IN(ARTIFACT) | IN(OBJECT))
static const uint8_t char_forms[256] = {
    ['a' ... 'z'] = IN_ALL,
    ['0' ... '9'] = IN_ALL,
    ['A' ... 'Z'] = IN_ALL & ~IN(OBJECT),
    ['-'] = IN_ALL,
    ['_'] = IN(PARAMETER) | IN(ARTIFACT),
    ['.'] = IN(ARTIFACT) | IN(OBJECT),
    ['{'] = IN(ARTIFACT),
    ['}'] = IN(ARTIFACT),
};

static bool is_alnum(char c)
{
    return c != '-' && char_forms[(unsigned char)c] & IN(FIELD);
}

static const char *const form_texts[] = {
    [NAME_FIELD] = "letters, digits and -, beginning with a letter or digit",
    [NAME_PARAMETER] = "letters, digits, - and _",
    [NAME_ARTIFACT] = "letters, digits and -_{}.",
    [NAME_OBJECT] =
        "lower-case letters, digits, - and ., beginning and ending with a letter or digit",
};

bool lint_well_formed(struct str s, enum name_form form)
{
    if (s.n == 0 || (form == NAME_FIELD && s.n > FIELD_NAME_BYTES)) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!(char_forms[(unsigned char)s.p[i]] & 1u << form)) return false;
    if (form == NAME_FIELD) return is_alnum(s.p[0]);
    return form != NAME_OBJECT || (is_alnum(s.p[0]) && is_alnum(s.p[s.n - 1]));
}

bool lint_name(struct lint *l, const struct val *src, struct str name, const char *what,
               enum name_form form)
{
    return !lint_name_check(l, src, name, what, form);
}

struct diag *lint_name_check(struct lint *l, const struct val *src, struct str name, const char *what,
                             enum name_form form)
{
    if (lint_well_formed(name, form)) return NULL;
    if (name.n == 0) {
        struct diag *g = LINT(l, DIAG_ERROR, "E0206", src, "this %s has no name", what);
        diag_help(l->d, g, "add `name:`");
        return g;
    }
    if (form == NAME_FIELD && name.n > FIELD_NAME_BYTES)
        return LINT(l, DIAG_ERROR, "E0205", lint_at(src, "name"), "the %s name is longer than %d bytes", what,
                    FIELD_NAME_BYTES);
    struct diag *g = LINT(l, DIAG_ERROR, "E0204", lint_at(src, "name"),
                          "`%.*s` cannot be the name of a %s", STR_ARG(name), what);
    diag_help(l->d, g, "use %s", form_texts[form]);
    return g;
}

void unique_fini(struct unique *u) { map_fini(&u->many); }

void lint_not_unique(struct lint *l, const struct val *src, struct str name, const char *what,
                     const struct val *first)
{
    struct diag *g = LINT(l, DIAG_ERROR, "E0203", lint_at(src, "name"),
                          "there are two %s named `%.*s`", what, STR_ARG(name));
    if (first && first->line) diag_note(l->d, g, "the first one stands in line %u", first->line);
}

/* Most lists are short: those are compared one by one. */
void unique_add(struct lint *l, struct unique *u, const struct val *src, struct str name,
                const char *what)
{
    bool fresh;
    if (name.n == 0) return;
    for (size_t i = 0; i < u->n; i++) {
        if (!str_eq(u->few[i].name, name)) continue;
        lint_not_unique(l, src, name, what, u->few[i].src);
        return;
    }
    if (u->n < ARRAY_LEN(u->few)) {
        u->few[u->n].name = name;
        u->few[u->n++].src = src;
        return;
    }
    struct map_slot *slot = map_put(&u->many, name, &fresh);
    if (fresh) slot->ptr = (void *)(uintptr_t)src;
    else lint_not_unique(l, src, name, what, slot->ptr);
}

void lint_did_you_mean(struct lint *l, struct diag *g, const struct val *at, struct str word,
                       const struct str *names, size_t n)
{
    struct str near = lint_full(l) ? STR_NONE : str_closest(word, names, n);
    if (!near.p) return;
    diag_label(l->d, g, "did you mean `%.*s`?", STR_ARG(near));
    if (at && str_closest_only(word, names, n).p) diag_fix_val(l->d, g, FIX_VALUE, at, near);
}

/* 10min, 90 sec, 2 hours, 1d: a number and a unit in another writing. */
static struct str duration_meant(struct arena *a, struct str s, bool unit_needed)
{
    static const struct {
        const char *word, *unit;
        int times;
    } units[] = {
        {"s", "s", 1},  {"sec", "s", 1},  {"secs", "s", 1},  {"second", "s", 1}, {"seconds", "s", 1},
        {"m", "m", 1},  {"min", "m", 1},  {"mins", "m", 1},  {"minute", "m", 1}, {"minutes", "m", 1},
        {"h", "h", 1},  {"hr", "h", 1},   {"hrs", "h", 1},   {"hour", "h", 1},   {"hours", "h", 1},
        {"d", "h", 24}, {"day", "h", 24}, {"days", "h", 24}, {"w", "h", 168},    {"week", "h", 168}, {"weeks", "h", 168},
    };
    size_t n = 0;
    int64_t number;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') n++;
    struct str word = str_trim(str_from(s, n));
    if (!str_to_i64(str_sub(s, 0, n), &number) || number > 1000000) return STR_NONE;
    if (word.n == 0) return unit_needed ? str_fmt(a, "%" PRId64 "s", number) : STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strlen(units[i].word) == word.n && strncasecmp(units[i].word, word.p, word.n) == 0)
            return str_fmt(a, "%" PRId64 "%s", number * units[i].times, units[i].unit);
    return STR_NONE;
}

bool lint_duration(struct lint *l, const struct val *src, const char *field, struct str text,
                   bool unit_needed)
{
    int64_t ns;
    struct err e = {0};
    if (!text.p || has_tag(text)) return true;
    bool ok = unit_needed ? duration_parse(text, &ns, &e) : duration_parse_seconds(text, &ns, &e);
    if (ok && ns >= 0) return true;
    struct diag *g = LINT(l, DIAG_ERROR, "E0305", lint_at(src, field),
                          "`%s`: \"%.*s\" is not a duration", field, STR_ARG(text));
    diag_help(l->d, g,
              unit_needed ? "write a number with a unit, such as 90s, 10m or 1h30m"
                          : "write seconds, or a number with a unit, such as 90s or 10m");
    struct str meant = duration_meant(l->a, text, unit_needed);
    if (meant.p) diag_fix_val(l->d, g, FIX_VALUE, val_get(src, str_of(field)), meant);
    return false;
}
