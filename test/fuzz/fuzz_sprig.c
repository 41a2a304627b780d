/* Functions of sprig: the first byte chooses one, the rest are its arguments, "|" between them: texts, or
 * after "=" expressions. */
#include "fuzz.h"
#include "lang/expr.h"

static const char *const names[] = {
#define SP(name, spec, fn, doc) #name,
#include "lang/sprig.def"
#undef SP
};

/* New keys and slow hashes leave no time for anything else. */
static bool is_slow(const char *name)
{
    static const char *const slow[] = {"genPrivateKey", "genCA", "genSelfSignedCert", "genSignedCert", "bcrypt", "htpasswd", "derivePassword"};
    for (size_t i = 0; i < ARRAY_LEN(slow); i++)
        if (!strcmp(name, slow[i])) return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > 4000 || is_slow(names[data[0] % ARRAY_LEN(names)])) return 0;
    struct arena a CLEANUP(arena_fini);
    struct scope s CLEANUP(scope_fini);
    struct buf b CLEANUP(buf_fini);
    struct str out, arg, rest = str_n((const char *)data + 1, size - 1);
    arena_init(&a);
    scope_init(&s, NULL);
    buf_init(&b, 1 << 20);
    buf_printf(&b, "sprig.%s(", names[data[0] % ARRAY_LEN(names)]);
    for (int i = 0; rest.n && str_set(rest) && i < 8; i++) {
        str_cut(rest, '|', &arg, &rest);
        struct str name = str_fmt(&a, "a%d", i);
        if (i) buf_char(&b, ',');
        if (arg.n && arg.p[0] == '=') buf_str(&b, str_from(arg, 1));
        else buf_str(&b, name);
        scope_set(&s, name, arg);
    }
    buf_char(&b, ')');
    struct expr_env env = {.scope = &s, .clock = {.now_us = 1700000000000000}};
    struct err e = {0};
    enum expr_fault fault;
    env.fault = &fault;
    ASSERT(expr_eval_json(&a, buf_view(&b), &env, &out, &e) || e.text[0]);
    return 0;
}
