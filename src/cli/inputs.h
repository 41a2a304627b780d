/* The documents that a command's FILE words name: files, directories (their *.yaml, *.yml, *.json,
 * at any depth), http:// and https:// addresses, "-" for stdin. Texts are kept for diagnostics. Runs on: the main thread. */
#pragma once
#include "cli/cli_p.h"
#include "doc/diag.h"
#include "spec/documents.h"

struct inputs {
    struct cli *cli;
    struct source_files files;
    struct documents docs;
    struct diags diags;
};

/* A file, or what an address gives. */
bool input_read(struct arena *a, const char *word, uint64_t max_bytes, struct str *text, struct err *e);
bool input_is_url(struct str path); /* zero-terminated */

void inputs_init(struct inputs *in, struct cli *cli);
void inputs_fini(struct inputs *in);
/* Reads one word. False only when something cannot be read; wrong documents go to the diagnostics. */
bool inputs_add(struct inputs *in, const char *word, struct err *e);
/* Shows the diagnostics: format from the words pretty, simple, short, json (NULL: pretty). */
void inputs_diags_put(struct inputs *in, const char *format, const struct style *style, struct buf *out);
