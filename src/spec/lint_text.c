/* Texts in small languages, and texts that should not be here: expressions, `when`, secrets, images.
 *
 * Argo looks at these only when the run comes to them; so they are warnings. See lint_p.h. */
#include "doc/json.h"
#include "lang/expr.h"
#include "lang/when.h"
#include "spec/lint_p.h"

enum { TRIES_MAX = 81, TAGS_MAX = 4 };

void lint_expression(struct lint *l, const struct val *v, const char *what)
{
    struct err e = {0};
    if (!v || v->kind != VAL_STR || v->s.n == 0 || has_tag(v->s) || lint_full(l)) return;
    if (expr_check(l->a, v->s, &e)) return;
    LINT(l, DIAG_WARNING, "W0605", v, "`%s` is no valid expression: %s", what, e.text);
}

/* "{{=…}}" in a text. */
void lint_expression_tag(struct lint *l, const struct val *v, size_t off, struct str raw)
{
    struct err e = {0};
    struct str text = str_trim(str_sub(raw, 3, raw.n - 5));
    if (lint_full(l) || expr_check(l->a, text, &e)) return;
    struct diag *g = LINT(l, DIAG_WARNING, "W0605", v, "{{=…}} is no valid expression: %s", e.text);
    uint32_t line, col;
    if (!lint_source_place(l, v, off, raw.n, &line, &col)) return;
    g->line = line;
    g->col = col;
    g->len = (uint32_t)raw.n;
}

/* ---------------------------------------------------------------------------------- when */

struct tag_spot {
    size_t from, to;
};

static size_t find_tags(struct str s, struct tag_spot *out, size_t max)
{
    size_t n = 0, at = 0;
    for (;;) {
        ptrdiff_t open = str_find(s, STR("{{"), at), close = open < 0 ? -1 : str_find(s, STR("}}"), (size_t)open);
        if (close < 0) return n;
        if (n == max) return max + 1;
        out[n++] = (struct tag_spot){(size_t)open, (size_t)close + 2};
        at = (size_t)close + 2;
    }
}

/* Can any of a word, a number and a truth value in the places of the tags be evaluated? */
static bool may_work(struct lint *l, struct str s, const struct tag_spot *tags, size_t n, struct err *e)
{
    static const char *const words[] = {"word", "1", "true"};
    size_t tries = 1;
    for (size_t i = 0; i < n; i++) tries *= ARRAY_LEN(words);
    for (size_t k = 0; k < tries; k++) {
        struct buf b CLEANUP(buf_fini);
        size_t at = 0, rest = k;
        bool holds;
        buf_init(&b, 1 << 20);
        for (size_t i = 0; i < n; i++, rest /= ARRAY_LEN(words)) {
            buf_str(&b, str_sub(s, at, tags[i].from - at));
            buf_str(&b, str_of(words[rest % ARRAY_LEN(words)]));
            at = tags[i].to;
        }
        buf_str(&b, str_from(s, at));
        *e = (struct err){0};
        if (when_eval(l->a, buf_view(&b), &holds, e)) return true;
    }
    return false;
}

void lint_when(struct lint *l, const struct val *src)
{
    const struct val *v = val_get(src, STR("when"));
    struct tag_spot tags[TAGS_MAX];
    struct err e = {0};
    bool holds;
    if (!v || v->kind != VAL_STR || v->s.n == 0 || v->s.n > 10000 || lint_full(l)) return;
    if (str_is(str_trim(v->s), "true") || str_is(str_trim(v->s), "false")) return; /* switched on or off on purpose */
    size_t n = find_tags(v->s, tags, TAGS_MAX);
    if (n > TAGS_MAX || str_find(v->s, STR("{{="), 0) >= 0) return;
    if (n == 0 && when_eval(l->a, v->s, &holds, &e)) {
        struct diag *g = LINT(l, DIAG_WARNING, "W0510", v, "`when` is always %s", holds ? "true" : "false");
        diag_help(l->d, g, holds ? "leave it out" : "a reference to a value is written {{inputs.parameters.name}}");
        return;
    }
    if (n > 0 && may_work(l, v->s, tags, n, &e)) return;
    struct diag *g = LINT(l, DIAG_WARNING, "W0511", v, "`when` cannot be evaluated: %s", e.text);
    if (str_find(v->s, STR(" and "), 0) >= 0 || str_find(v->s, STR(" or "), 0) >= 0)
        diag_help(l->d, g, "write && and || for and and or");
    else diag_help(l->d, g, "text with blanks, dots or dashes needs quotes around it: \"{{…}}\" == \"a.b\"");
}

/* -------------------------------------------------------------------------------- withParam */

/* A literal list is known now. */
void lint_with_param(struct lint *l, const struct val *src)
{
    const struct val *v = val_get(src, STR("withParam"));
    struct val list;
    struct err e = {0};
    if (!v || v->kind != VAL_STR || v->s.n == 0 || has_tag(v->s) || lint_full(l)) return;
    bool read = json_parse(l->a, v->s, NULL, &list, &e);
    if (read && list.kind == VAL_LIST) return;
    struct diag *g = LINT(l, DIAG_WARNING, "W0402", v, "`withParam` is not a JSON list%s%s", read ? "" : ": ",
                          read ? "" : e.text);
    diag_help(l->d, g, "write a list such as [1, 2], or a tag that gives one");
}

/* --------------------------------------------------------------------------------- secrets */

static bool contains_word(struct str name, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= name.n; i++)
        if (strncasecmp(name.p + i, word, n) == 0) return true;
    return false;
}

static bool ends_with_word(struct str name, const char *word)
{
    size_t n = strlen(word);
    return name.n >= n && strncasecmp(name.p + name.n - n, word, n) == 0;
}

/* PASSWORD, db-passwd, API_KEY, …; not PASSWORD_FILE, which says where the secret is. */
static bool names_secret(struct str name)
{
    static const char *const words[] = {"password", "passwd", "secret", "api_key", "api-key", "apikey", "access_key",
                                        "access-key", "accesskey", "private_key", "private-key", "privatekey",
                                        "credential", "auth_token", "auth-token", "access_token", "access-token"};
    static const char *const places[] = {"file", "path", "dir", "url", "uri", "name", "ref", "arn", "type", "length"};
    bool hit = ends_with_word(name, "token");
    for (size_t i = 0; i < ARRAY_LEN(words) && !hit; i++) hit = contains_word(name, words[i]);
    for (size_t i = 0; i < ARRAY_LEN(places) && hit; i++) hit = !ends_with_word(name, places[i]);
    return hit;
}

static void report_secret(struct lint *l, const struct val *at, struct str name, bool env)
{
    struct diag *g = LINT(l, DIAG_WARNING, "W0801", at, "`%.*s` looks like a secret that stands here in clear text",
                          STR_ARG(name));
    diag_help(l->d, g, env ? "keep it in a Secret, and take it with valueFrom.secretKeyRef"
                           : "keep it in a Secret: a parameter is shown in the status and in logs");
}

void lint_secret_named(struct lint *l, const struct val *src, const char *field, struct str name, struct str value,
                       bool env)
{
    if (value.n < 3 || !names_secret(name) || has_tag(value) || lint_full(l)) return;
    if (str_is(value, "true") || str_is(value, "false") || value.p[0] == '/' || value.p[0] == '$') return;
    report_secret(l, lint_at(src, field), name, env);
}

/* Keys that say themselves whose they are: a prefix and a number of letters and digits. */
static const struct key_form {
    const char *prefix, *what;
    size_t min;
} key_forms[] = {
    {"AKIA", "an AWS access key", 16},      {"ASIA", "an AWS access key", 16},
    {"ghp_", "a GitHub token", 30},         {"gho_", "a GitHub token", 30},
    {"ghs_", "a GitHub token", 30},         {"github_pat_", "a GitHub token", 30},
    {"glpat-", "a GitLab token", 20},       {"xoxb-", "a Slack token", 20},
    {"xoxp-", "a Slack token", 20},         {"sk_live_", "a Stripe key", 20},
    {"AIza", "a Google API key", 30},       {"hf_", "a Hugging Face token", 30},
    {"npm_", "an npm token", 30},           {"dop_v1_", "a DigitalOcean token", 30},
    {"-----BEGIN RSA PRIVATE KEY", "a private key", 0},
    {"-----BEGIN PRIVATE KEY", "a private key", 0},
    {"-----BEGIN OPENSSH PRIVATE KEY", "a private key", 0},
    {"-----BEGIN EC PRIVATE KEY", "a private key", 0},
};

static bool key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static const struct key_form *key_at(struct str s, size_t at)
{
    struct str rest = str_from(s, at);
    for (size_t i = 0; i < ARRAY_LEN(key_forms); i++) {
        const struct key_form *k = &key_forms[i];
        struct str prefix = str_of(k->prefix);
        if (rest.p[0] != prefix.p[0] || !str_starts(rest, prefix)) continue;
        size_t n = prefix.n;
        while (n < rest.n && key_char(rest.p[n])) n++;
        if (n - prefix.n >= k->min) return k;
    }
    return NULL;
}

void lint_secret_text(struct lint *l, const struct val *v)
{
    /* the first two letters of the forms: a bit for each first one */
    static const uint8_t first[256] = {['A'] = 1, ['g'] = 2, ['x'] = 4, ['s'] = 8, ['h'] = 16, ['n'] = 32, ['d'] = 64, ['-'] = 128};
    static const uint8_t second[256] = {['K'] = 1, ['S'] = 1,  ['I'] = 1,  ['h'] = 2,      ['i'] = 2,  ['l'] = 2,
                                        ['o'] = 4 | 64, ['k'] = 8, ['f'] = 16, ['p'] = 32, ['-'] = 128};
    for (size_t i = 0; i + 20 <= v->s.n; i++) {
        if (!(first[(unsigned char)v->s.p[i]] & second[(unsigned char)v->s.p[i + 1]])) continue;
        if (i > 0 && key_char(v->s.p[i - 1])) continue;
        const struct key_form *k = key_at(v->s, i);
        if (!k) continue;
        struct diag *g = LINT(l, DIAG_WARNING, "W0801", v, "%s stands here in clear text", k->what);
        diag_help(l->d, g, "keep it in a Secret, and revoke this one: documents are shared");
        return;
    }
}

/* ---------------------------------------------------------------------------------- inputs */

/* Names behind "inputs.parameters" in a text; the whole map uses them all. */
static bool note_uses(struct str s, struct map *used)
{
    static const char prefix[] = "inputs.parameters";
    for (ptrdiff_t at = -1; (at = str_find(s, STR("inputs.parameters"), (size_t)(at + 1))) >= 0;) {
        struct str rest = str_from(s, (size_t)at + sizeof prefix - 1);
        bool bracket = str_starts(rest, STR("['")) || str_starts(rest, STR("[\""));
        size_t from = bracket ? 2 : 1, n = 0;
        if (!bracket && !str_starts(rest, STR("."))) return false;
        while (from + n < rest.n && key_char(rest.p[from + n])) n++;
        if (n == 0) return false; /* a computed name */
        map_put(used, str_sub(rest, from, n), NULL);
    }
    return true;
}

static bool note_uses_below(const struct val *v, struct map *used)
{
    bool listed = true;
    if (v->kind == VAL_STR && v->s.n > 17) return note_uses(v->s, used);
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n && listed; i++) listed = note_uses_below(&v->items[i], used);
    for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n && listed; i++) listed = note_uses_below(&v->map[i].v, used);
    return listed;
}

bool lint_mentions_input(const struct val *template, struct str name)
{
    struct map used CLEANUP(map_fini) = {0};
    return !template || !note_uses_below(template, &used) || map_get(&used, name);
}

/* A hint: an input may be there for its callers' sake. */
void lint_unused_inputs(struct lint_doc *ld, const struct argo_template *t, enum template_type type)
{
    struct map used CLEANUP(map_fini) = {0};
    if (!ld->l->opts->hints || !t->inputs || t->inputs->parameters.n == 0 || !t->src) return;
    if (type == TEMPLATE_NONE || type == TEMPLATE_SUSPEND || type == TEMPLATE_PLUGIN) return;
    if (!note_uses_below(t->src, &used)) return;
    for (size_t i = 0; i < t->inputs->parameters.n; i++) {
        const struct argo_parameter *p = &t->inputs->parameters.items[i];
        if (p->name.p && !map_get(&used, p->name))
            LINT(ld->l, DIAG_NOTE, "N0404", lint_at(p->src, "name"), "input parameter `%.*s` is not used", STR_ARG(p->name));
    }
}

/* ---------------------------------------------------------------------------------- images */

/* Without a tag, or with latest, tomorrow's run may use another image. */
void lint_image(struct lint_doc *ld, const struct val *src, struct str image)
{
    struct str rest = image, part;
    bool fresh;
    if (!ld->l->opts->hints || image.n == 0 || has_tag(image) || str_find_char(image, '@', 0) >= 0) return;
    while (str_cut(rest, '/', &part, &rest));
    ptrdiff_t colon = str_find_char(part, ':', 0);
    if (colon >= 0 && !str_is(str_from(part, (size_t)colon), ":latest")) return;
    map_put(&ld->images, image, &fresh);
    if (!fresh) return;
    LINT(ld->l, DIAG_NOTE, "N0304", lint_at(src, "image"), "image `%.*s` is not pinned to a version", STR_ARG(image));
}
