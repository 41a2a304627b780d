/* Which lines a query wants. Regular expressions are PCRE2 with bounded work. See logs_p.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/limits.h"
#include "logs/logs_p.h"

struct pcre2 {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

static bool regex_compile(struct pcre2 *x, const struct logs_query *q, struct err *e)
{
    int why;
    PCRE2_SIZE where;
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    x->code = pcre2_compile((PCRE2_SPTR)q->grep.p, q->grep.n, options, &why, &where, NULL);
    if (!x->code) {
        char text[120];
        pcre2_get_error_message(why, (PCRE2_UCHAR *)text, sizeof text);
        return err_set(e, ERR_SPEC, "\"%.*s\" is not a regular expression: %s at %zu", STR_ARG(q->grep), text,
                       where);
    }
    x->match = pcre2_match_data_create(1, NULL);
    x->context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(x->context, LIMIT_REGEX_STEPS);
    return true;
}

bool logs_filter_init(struct logs_filter *f, const struct logs_query *q, struct err *e)
{
    *f = (struct logs_filter){.since_ns = q->since_ns, .bytes = q->bytes};
    if (!str_set(q->grep)) return true;
    f->regex = mem_zalloc(sizeof *f->regex);
    if (regex_compile(f->regex, q, e)) return true;
    logs_filter_fini(f);
    return false;
}

void logs_filter_fini(struct logs_filter *f)
{
    if (!f->regex) return;
    pcre2_match_context_free(f->regex->context);
    pcre2_match_data_free(f->regex->match);
    pcre2_code_free(f->regex->code);
    free(f->regex);
    f->regex = NULL;
}

bool logs_filter_keeps(const struct logs_filter *f, const struct logs_line *line, bool *keeps, struct err *e)
{
    *keeps = line->time_ns >= f->since_ns;
    if (!*keeps || !f->regex) return true;
    int rc = pcre2_match(f->regex->code, (PCRE2_SPTR)line->text.p, line->text.n, 0, 0, f->regex->match,
                         f->regex->context);
    if (rc < PCRE2_ERROR_NOMATCH)
        return err_set(e, ERR_LIMIT, "the regular expression needs more than %d steps for one line "
                                     "(LIMIT_REGEX_STEPS)", LIMIT_REGEX_STEPS);
    *keeps = rc >= 0;
    return true;
}

bool logs_filter_fits(const struct logs_filter *f, struct logs_line *line, int64_t *used)
{
    enum { TIME_BYTES = 31 }; /* "2026-11-21T23:55:21.123456789Z " */
    if (!f->bytes || line->time_ns < f->since_ns) return true;
    int64_t left = f->bytes - *used - TIME_BYTES;
    *used += TIME_BYTES + (int64_t)line->text.n + 1;
    if (left <= 0) return false;
    line->text.n = (size_t)MIN(left, (int64_t)line->text.n);
    return true;
}
