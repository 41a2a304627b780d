/* Frames of a container's output: how the bytes are cut into pieces never changes what is read. */
#include "container/frames.h"
#include "fuzz.h"

struct outcome {
    struct frames frames;
    struct buf out[2];
    struct err err;
    bool ok;
};

static bool take(void *user, int stream, struct str piece)
{
    struct outcome *o = user;
    ASSERT(piece.n > 0 && (stream == 1 || stream == 2));
    buf_str(&o->out[stream - 1], piece);
    return true;
}

static void outcome_fini(struct outcome *o)
{
    for (int i = 0; i < 2; i++) buf_fini(&o->out[i]);
}

static void run(struct outcome *o, struct str bytes, size_t step)
{
    *o = (struct outcome){.ok = true};
    for (int i = 0; i < 2; i++) buf_init(&o->out[i], 1 << 30);
    for (size_t i = 0; o->ok && i < bytes.n; i += step) o->ok = frames_feed(&o->frames, str_sub(bytes, i, step), take, o, &o->err);
    ASSERT(o->ok || (o->err.code && o->err.text[0]));
}

/* The first byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str bytes = str_n((const char *)data + 1, size - 1);
    struct outcome whole CLEANUP(outcome_fini), cut CLEANUP(outcome_fini);
    run(&whole, bytes, size);
    run(&cut, bytes, data[0] % 16 + 1u);
    ASSERT(whole.ok == cut.ok && frames_whole(&whole.frames) == frames_whole(&cut.frames));
    ASSERT(whole.out[0].n + whole.out[1].n <= bytes.n);
    for (int i = 0; i < 2; i++) ASSERT(str_eq(buf_view(&whole.out[i]), buf_view(&cut.out[i])));
    return 0;
}
