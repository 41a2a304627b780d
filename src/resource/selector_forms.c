/* The other two forms of selectors: {matchLabels, matchExpressions}, and field selectors. See
 * selector.h. */
#include "base/vec.h"
#include "resource/selector.h"

struct expression_op {
    const char *text;
    enum selector_op op;
    bool values; /* needs at least one; the others must have none */
};

static const struct expression_op expression_ops[] = {
    {"In", SELECTOR_IN, true},          {"NotIn", SELECTOR_NOT_IN, true},
    {"Exists", SELECTOR_EXISTS, false}, {"DoesNotExist", SELECTOR_NOT_EXISTS, false},
};

static bool expression_values(struct arena *a, const struct val *list, struct selector_req *r, struct err *e)
{
    r->n = list && list->kind == VAL_LIST ? list->n : 0;
    r->values = ARENA_ARRAY(a, struct str, r->n);
    for (size_t i = 0; i < r->n; i++) {
        if (list->items[i].kind != VAL_STR)
            return err_set(e, ERR_SPEC, "values of a label selector must be strings");
        r->values[i] = list->items[i].s;
        if (!label_value_check(r->values[i], e)) return false;
    }
    return true;
}

static bool expression_parse(struct arena *a, const struct val *v, struct selector_req *r, struct err *e)
{
    struct str op = val_get_str(v, "operator");
    r->key = val_get_str(v, "key");
    if (!label_key_check(r->key, e) || !expression_values(a, val_get(v, STR("values")), r, e)) return false;
    for (size_t i = 0; i < ARRAY_LEN(expression_ops); i++) {
        if (!str_is(op, expression_ops[i].text)) continue;
        r->op = expression_ops[i].op;
        return expression_ops[i].values == (r->n > 0) ||
               err_set(e, ERR_SPEC, "a label selector with operator %s %s values", expression_ops[i].text,
                       expression_ops[i].values ? "needs" : "has no");
    }
    return err_set(e, ERR_SPEC, "\"%.*s\" is not an operator of label selectors: In, NotIn, Exists, DoesNotExist",
                   STR_ARG(op));
}

bool selector_from_val(struct arena *a, const struct val *v, struct selector *out, struct err *e)
{
    const struct val *labels = val_get(v, STR("matchLabels")), *rules = val_get(v, STR("matchExpressions"));
    size_t n_labels = labels && labels->kind == VAL_MAP ? labels->n : 0;
    size_t n_rules = rules && rules->kind == VAL_LIST ? rules->n : 0;
    *out = (struct selector){ARENA_ARRAY(a, struct selector_req, n_labels + n_rules), n_labels + n_rules};
    for (size_t i = 0; i < n_labels; i++) {
        const struct val_pair *pair = &labels->map[i];
        if (pair->v.kind != VAL_STR) return err_set(e, ERR_SPEC, "matchLabels must have string values");
        struct str *value = ARENA_NEW(a, struct str);
        *value = pair->v.s;
        out->reqs[i] = (struct selector_req){pair->key, SELECTOR_IN, value, 1};
        if (!label_key_check(pair->key, e) || !label_value_check(*value, e)) return false;
    }
    for (size_t i = 0; i < n_rules; i++)
        if (!expression_parse(a, &rules->items[i], &out->reqs[n_labels + i], e)) return false;
    return true;
}

/* Length of the term at the start of `s`: up to a comma that is not escaped. */
static size_t term_length(struct str s)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != ',') i += s.p[i] == '\\' ? 2 : 1;
    return MIN(i, s.n);
}

static bool value_unescape(struct arena *a, struct str raw, struct str *out, struct err *e)
{
    char *to = arena_alloc_bytes(a, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '\\') {
            if (i + 1 == raw.n || !char_is_one_of(raw.p[i + 1], "\\,="))
                return err_set(e, ERR_SPEC, "field selector value \"%.*s\": \\ must come before \\ , or =",
                               STR_ARG(raw));
            c = raw.p[++i];
        } else if (c == '=') {
            return err_set(e, ERR_SPEC, "field selector value \"%.*s\": = must be written \\=", STR_ARG(raw));
        }
        to[n++] = c;
    }
    to[n] = 0;
    *out = str_n(to, n);
    return true;
}

static bool term_parse(struct arena *a, struct str term, struct selector_req *r, struct err *e)
{
    size_t i = 0;
    while (i < term.n && term.p[i] != '=' && !(term.p[i] == '!' && i + 1 < term.n && term.p[i + 1] == '=')) i++;
    if (i == 0 || i == term.n)
        return err_set(e, ERR_SPEC, "\"%.*s\" is not a field selector: path=value, path==value or path!=value",
                       STR_ARG(term));
    size_t op_n = term.p[i] == '!' || (i + 1 < term.n && term.p[i + 1] == '=') ? 2 : 1;
    struct str *value = ARENA_NEW(a, struct str);
    *r = (struct selector_req){str_dup(a, str_sub(term, 0, i)), term.p[i] == '!' ? SELECTOR_NOT_IN : SELECTOR_IN,
                               value, 1};
    return value_unescape(a, str_from(term, i + op_n), value, e);
}

bool field_selector_parse(struct arena *a, struct str text, struct selector *out, struct err *e)
{
    VEC(struct selector_req) reqs = {0};
    bool ok = true;
    while (ok && text.n) {
        struct selector_req r;
        struct str term = str_sub(text, 0, term_length(text));
        text = str_from(text, term.n + 1);
        if (!term.n) continue;
        ok = term_parse(a, term, &r, e);
        if (ok) VEC_PUSH(&reqs, r);
    }
    out->n = reqs.n;
    out->reqs = ARENA_ARRAY(a, struct selector_req, reqs.n);
    if (reqs.n) memcpy(out->reqs, reqs.items, reqs.n * sizeof *reqs.items);
    VEC_FINI(&reqs);
    return ok;
}

bool field_selector_matches(const struct selector *sel, const struct val *doc)
{
    for (size_t i = 0; i < sel->n; i++) {
        const struct val *v = val_path(doc, sel->reqs[i].key.p);
        struct str text = v ? val_text(v) : STR_NONE;
        if (!selector_req_holds(&sel->reqs[i], str_set(text) ? text : STR(""))) return false;
    }
    return true;
}
