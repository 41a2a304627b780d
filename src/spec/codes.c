/* The table of diagnostic codes. See lint.h. */
#include <strings.h>

#include "spec/lint.h"

static const struct spec_code codes[] = {
#define CODE(code, severity, title, text) {#code, title, text, DIAG_##severity},
#include "spec/codes.def"
#undef CODE
};

const struct spec_code *spec_codes(size_t *n)
{
    *n = ARRAY_LEN(codes);
    return codes;
}

const struct spec_code *spec_code_find(struct str code)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strlen(codes[i].code) == code.n && strncasecmp(codes[i].code, code.p, code.n) == 0)
            return &codes[i];
    return NULL;
}
