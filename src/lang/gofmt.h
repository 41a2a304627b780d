/* Texts as Go's fmt and strconv make them, where Argo shows them to users: formats of
 * withSequence, names of loop nodes, quoted strings. Runs on: any thread; pure. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "doc/val.h"

/* fmt.Sprintf(format, value): verbs d b o O x X c q U v T with flags, width, precision and [1].
 * What Go marks as a mistake ("%!s(int=5)", "%!(NOVERB)", "%!(EXTRA int=5)") comes out the same. Absent: larger than
 * LIMIT_VALUE_BYTES. */
struct str gofmt_int(struct arena *a, struct str format, int64_t value);

/* fmt.Sprintf("%v", v) of decoded JSON: [1 2], map[a:1 b:2], <nil>, strings raw. */
struct str gofmt_value(struct arena *a, const struct val *v);
/* The same of a withItems element, as in names of loop nodes: the elements of a list between
 * brackets, strings raw and everything else as its JSON text ("[1000000 a {\"k\":1}]"); any other
 * value as its text. */
struct str gofmt_item(struct arena *a, const struct val *v);

struct str gofmt_quote(struct arena *a, struct str s); /* strconv.Quote */
struct str gofmt_double(struct arena *a, double d);    /* strconv 'f', -1: "1000", "1.5" */
struct str gofmt_double_g(struct arena *a, double d);  /* %v of a float64: "1e+06", "1.5" */
struct str gofmt_double_json(struct arena *a, double d); /* encoding/json: "1000000", "1e+21" */
