/* What the folder's tests share: reading a document text and collecting its diagnostics. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "spec/documents.h"

struct fixture {
    struct arena a;
    struct diags d;
    struct source_files files;
    struct documents docs;
};

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    arena_init(&f->a);
    diags_init(&f->d, &f->a);
    documents_init(&f->docs, &f->a);
}

static inline void fixture_fini(struct fixture *f)
{
    documents_fini(&f->docs);
    diags_fini(&f->d);
    source_files_fini(&f->files);
    arena_fini(&f->a);
}

static inline bool fixture_add(struct fixture *f, const char *path, struct str text)
{
    uint16_t file = source_files_add(&f->files, str_of(path), text);
    return documents_add(&f->docs, text, file, &f->d);
}

/* A whole file in the arena; absent when it cannot be read. */
static inline struct str fixture_read(struct arena *a, const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in) return STR_NONE;
    fseek(in, 0, SEEK_END);
    long n = ftell(in);
    rewind(in);
    char *p = arena_alloc_bytes(a, (size_t)n + 1);
    size_t got = fread(p, 1, (size_t)n, in);
    fclose(in);
    p[got] = '\0';
    return str_n(p, got);
}

static inline struct str fixture_messages(struct fixture *f)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    diags_render(&b, &f->d, &f->files, (struct diag_style){DIAG_SHORT, false});
    struct str s = buf_dup(&f->a, &b);
    buf_fini(&b);
    return s;
}
