/* Sources of random numbers: element i is a function of seed, stream and i, so that neither pieces, threads nor plans
 * matter. */
#include "check.h"

#define COUNT 5003

static void check_pieces(tg__check *c, tg_source_fn *fn, tg_dtype d) {
    const uint64_t key[2] = {42, 7}, other[2] = {42, 8};
    size_t size = tg_dtype_size(d);
    char *whole = tg__check_take(c, COUNT * size), *parts = tg__check_take(c, COUNT * size);
    if (!whole || !parts) return;
    fn(COUNT, whole, key, 0);
    static const size_t pieces[] = {1, 3, 64, 1000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        memset(parts, 0xff, COUNT * size);
        for (size_t at = 0; at < COUNT; at += pieces[i]) {
            size_t n = at + pieces[i] > COUNT ? COUNT - at : pieces[i];
            fn(n, parts + at * size, key, at);
        }
        tg__verdict(c, !memcmp(whole, parts, COUNT * size), "%s: pieces of %zu elements give other bits", tg_dtype_name(d),
                    pieces[i]);
    }
    fn(COUNT, parts, other, 0);
    tg__verdict(c, memcmp(whole, parts, COUNT * size) != 0, "%s: two streams give the same numbers", tg_dtype_name(d));
}

static tg__array recorded(tg__check *c, const void *attr, uint64_t seed, int threads, bool eager) {
    tg_clear(c->tape);
    tg_tape_reset(c->tape);
    tg_set_threads(c->tape, threads);
    tg_set_eager(c->tape, eager);
    tg_seed(c->tape, seed);
    tg_tensor y = tg_apply(c->tape, c->op, attr, NULL, 0);
    tg_shape shape = tg_shape_of(y);
    const void *data = tg_data(y);
    tg__array a = tg__check_array(c, tg_dtype_of(y), &shape);
    if (tg__verdict(c, data != NULL, "%s", tg_message(c->tape)) && a.data)
        memcpy(a.data, data, (size_t)a.n * tg_dtype_size(a.dtype));
    else
        a.data = NULL;
    return a;
}

static void check_tape(tg__check *c, const void *attr) {
    tg__array base = recorded(c, attr, 1, 1, false);
    for (int i = 0; i < TG__TEAMS; i++) {
        tg__array a = recorded(c, attr, 1, tg__teams[i], false);
        tg__same_bits(c, &a, &base, "the value", "on other threads");
    }
    tg__array eager = recorded(c, attr, 1, 1, true), other = recorded(c, attr, 2, 1, false);
    tg__same_bits(c, &eager, &base, "the value", "eager");
    if (!other.data || !base.data || !base.n) return;
    tg__verdict(c, memcmp(other.data, base.data, (size_t)base.n * tg_dtype_size(base.dtype)) != 0,
                "two seeds give the same numbers");
}

void tg__check_source(tg__check *c) {
    tg__check_at(c, "source: ");
    for (tg_dtype d = 0; d < TG_DTYPE_COUNT; d++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        if (c->op->source_fn[d]) check_pieces(c, c->op->source_fn[d], d);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
    }
    for (const tg_sample *s = c->op->samples; s && s->note; s++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        tg__check_at(c, "sample '%s': ", s->note);
        check_tape(c, s->attr);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
    }
}
