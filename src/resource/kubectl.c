/* Words of a kubectl command. See kubectl.h. */
#include "base/vec.h"
#include "resource/kubectl.h"

enum flag_value { NO, NEEDED };
enum flag_effect { NAMESPACE, SELECTOR, FIELDS, ALL, IGNORE, NOTHING };

struct kflag {
    const char *name;
    char letter;
    enum flag_value value;
    enum flag_effect effect;
};

static const struct kflag kflags[] = {
#define KFLAG(id, name, letter, value, effect, meaning) {name, letter, value, effect},
#include "resource/kubectl_flags.def"
#undef KFLAG
};

struct words {
    const struct str *items;
    size_t n, at;
    VEC(struct str) plain;
    struct kubectl *out;
    struct err *e;
};

static const struct kflag *by_name(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(kflags); i++)
        if (str_is(name, kflags[i].name)) return &kflags[i];
    return NULL;
}

static const struct kflag *by_letter(char c)
{
    for (size_t i = 0; i < ARRAY_LEN(kflags); i++)
        if (kflags[i].letter == c) return &kflags[i];
    return NULL;
}

static bool truth(struct words *w, struct str word, struct str value, bool *out)
{
    *out = !str_set(value) || str_is(value, "true");
    return *out || str_is(value, "false") ||
           err_set(w->e, ERR_SPEC, "error: invalid argument \"%.*s\" for \"%.*s\" flag", STR_ARG(value), STR_ARG(word));
}

static bool flag_take(struct words *w, const struct kflag *f, struct str word, struct str value)
{
    struct kubectl *k = w->out;
    bool on = true;
    if (f->value == NEEDED && !str_set(value)) {
        if (++w->at >= w->n) return err_set(w->e, ERR_SPEC, "error: flag needs an argument: --%s", f->name);
        value = w->items[w->at];
    }
    if (f->value == NO && f->effect != NOTHING && !truth(w, word, value, &on)) return false;
    switch (f->effect) {
    case NAMESPACE: k->ns = value; break;
    case SELECTOR: k->labels = value; break;
    case FIELDS: k->fields = value; break;
    case ALL: k->all = on; break;
    case IGNORE: k->ignore_not_found = on; break;
    case NOTHING: break;
    }
    return true;
}

static bool long_flag(struct words *w, struct str word)
{
    struct str name, value;
    if (!str_cut(str_from(word, 2), '=', &name, &value)) value = STR_NONE;
    const struct kflag *f = by_name(name);
    return f ? flag_take(w, f, word, value) : err_set(w->e, ERR_SPEC, "error: unknown flag: --%.*s", STR_ARG(name));
}

/* -n NS, -nNS or -n=NS; no letter stands for a flag without a value. */
static bool short_flag(struct words *w, struct str word)
{
    const struct kflag *f = by_letter(word.p[1]);
    struct str value = str_from(word, 2);
    if (!f) return err_set(w->e, ERR_SPEC, "error: unknown shorthand flag: '%c' in %.*s", word.p[1], STR_ARG(word));
    if (value.n && value.p[0] == '=') value = str_from(value, 1);
    return flag_take(w, f, word, value.n ? value : STR_NONE);
}

/* KIND, KIND NAME…, or KIND/NAME… */
static bool targets(struct arena *a, struct words *w)
{
    struct kubectl *k = w->out;
    size_t n = w->plain.n;
    struct kubectl_target *list = ARENA_ARRAY(a, struct kubectl_target, n + 1);
    bool slashes = n && str_find_char(w->plain.items[0], '/', 0) >= 0;
    for (size_t i = slashes ? 0 : 1; i < n; i++) {
        struct str word = w->plain.items[i];
        struct kubectl_target *t = &list[k->n_targets++];
        *t = (struct kubectl_target){w->plain.items[0], word};
        if (slashes != str_cut(word, '/', &t->kind, &t->name))
            return err_set(w->e, ERR_SPEC, "error: there is no need to specify a resource type as a separate argument "
                           "when passing arguments in resource/name form");
        if (!slashes) t->kind = w->plain.items[0], t->name = word;
    }
    if (n == 1 && !slashes) k->kind = w->plain.items[0];
    k->targets = list;
    return true;
}

bool kubectl_selects(const struct kubectl *k)
{
    return k->n_targets || k->kind.n;
}

bool kubectl_parse(struct arena *a, const struct str *words, size_t n, struct kubectl *out, struct err *e)
{
    struct words w = {.items = words, .n = n, .out = out, .e = e};
    bool ok = true;
    *out = (struct kubectl){0};
    for (; ok && w.at < n; w.at++) {
        struct str word = words[w.at];
        if (word.n > 2 && str_starts(word, STR("--"))) ok = long_flag(&w, word);
        else if (word.n > 1 && word.p[0] == '-') ok = short_flag(&w, word);
        else if (word.n) VEC_PUSH(&w.plain, word);
    }
    ok = ok && targets(a, &w);
    VEC_FINI(&w.plain);
    return ok;
}
