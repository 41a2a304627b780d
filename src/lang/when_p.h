/* Tokens of the `when` language, shared by its lexer and its evaluator. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "lang/timefmt.h"

enum when_kind {
    W_UNKNOWN, /* before the first token */
    W_PREFIX, W_NUMERIC, W_BOOLEAN, W_STRING, W_TIME, W_VARIABLE, W_ACCESSOR,
    W_COMPARATOR, W_LOGICALOP, W_MODIFIER, W_CLAUSE, W_CLAUSE_CLOSE, W_TERNARY, W_SEPARATOR,
    W_KINDS,
};

enum when_op {
    OP_NONE,
    OP_EQ, OP_NEQ, OP_GT, OP_LT, OP_GTE, OP_LTE, OP_REQ, OP_NREQ, OP_IN,
    OP_AND, OP_OR,
    OP_PLUS, OP_MINUS, OP_BITAND, OP_BITOR, OP_BITXOR, OP_LSHIFT, OP_RSHIFT,
    OP_MULTIPLY, OP_DIVIDE, OP_MODULUS, OP_EXPONENT,
    OP_NEGATE, OP_INVERT, OP_BITNOT,
    OP_IF, OP_ELSE, OP_COALESCE, OP_SEPARATE,
};

struct when_token {
    uint8_t kind; /* enum when_kind */
    uint8_t op;   /* enum when_op */
    bool b; /* W_BOOLEAN; W_STRING: a pattern, seen as one by the check of the tokens */
    struct str text;
    union {
        double num;
        const struct moment *time;
    };
};

struct when_tokens {
    struct when_token *items;
    size_t n, cap;
};

bool when_lex(struct arena *a, struct str expr, struct when_tokens *out, struct err *e);
/* The order in which kinds may follow each other. */
bool when_check(struct arena *a, const struct when_tokens *tokens, struct err *e);
