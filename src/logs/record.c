/* CRI records and shown lines as text. See logs.h. */
#include "base/rfc3339.h"
#include "logs/logs.h"

/* rfc3339_parse keeps microseconds: adds digits 7 to 9 of the fraction. */
static bool time_parse(struct str s, int64_t *out_ns)
{
    int64_t us;
    if (!rfc3339_parse(s, &us) || us > INT64_MAX / 1000 - 1 || us < INT64_MIN / 1000 + 1) return false;
    *out_ns = us * 1000;
    ptrdiff_t dot = str_find_char(s, '.', 0);
    if (dot < 0) return true;
    struct str fraction = str_from(s, (size_t)dot + 1);
    size_t n = 0;
    while (n < fraction.n && fraction.p[n] >= '0' && fraction.p[n] <= '9') n++;
    for (size_t i = 6, unit = 100; i < n && i < 9; i++, unit /= 10) *out_ns += (int64_t)unit * (fraction.p[i] - '0');
    return true;
}

bool logs_record_parse(struct str line, struct logs_record *out)
{
    struct str time, stream, tag, text;
    if (!str_cut(line, ' ', &time, &stream) || !str_cut(stream, ' ', &stream, &tag)) return false;
    if (!str_cut(tag, ' ', &tag, &text)) text = STR(""); /* an empty line may lack its last space */
    bool is_stdout = str_is(stream, "stdout");
    if (!is_stdout && !str_is(stream, "stderr")) return false;
    str_cut(tag, ':', &tag, &stream); /* further tags are for the future */
    if (tag.n != 1 || (tag.p[0] != 'F' && tag.p[0] != 'P') || !time_parse(time, &out->time_ns)) return false;
    out->stream = is_stdout ? LOGS_STDOUT : LOGS_STDERR;
    out->partial = tag.p[0] == 'P';
    out->text = text;
    return true;
}

static void time_add(struct buf *b, int64_t ns)
{
    int64_t us = ns / 1000 - (ns % 1000 < 0);
    struct civil c = civil_from_us(us);
    int64_t of_second = ns % 1000000000;
    if (of_second < 0) of_second += 1000000000;
    buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ ", c.year, c.month, c.day, c.hour, c.minute, c.second,
               (int)of_second);
}

void logs_line_format(struct buf *b, const struct logs_line *line, bool timestamps)
{
    if (timestamps) time_add(b, line->time_ns);
    buf_str(b, line->text);
    buf_char(b, '\n');
}
