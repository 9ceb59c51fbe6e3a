/* kernels/chain_loops.h: the steps for one element type T, of short name D. Included by chain.c. */

#define FN(name) TG__PASTE(name, D)

/* X(name of the loop, how many copies, expression in vectors a and b) */
#define BINARY_OPS(X)        \
    X(add, COPIES_8, a + b)  \
    X(mul, COPIES_8, a * b)  \
    X(sub, COPIES_4, a - b)  \
    X(div, COPIES_4, a / b)
#define UNARY_OPS(X)                  \
    X(neg, COPIES_4, a * (T) - 1)     \
    X(square, COPIES_4, a * a)

typedef T FN(vec) __attribute__((vector_size(VEC_BYTES)));
typedef T FN(loose) __attribute__((vector_size(VEC_BYTES), aligned(__alignof__(T)), may_alias));
#define VEC FN(vec)
#define LOOSE FN(loose)

#define VALUES VEC v0, VEC v1, VEC v2, VEC v3, VEC v4, VEC v5, VEC v6, VEC v7
typedef void FN(step_fn)(const tg__chain_step *s, void *const *reg, VALUES);
#define STEP(name) static KEEP_COPIES void name(const tg__chain_step *s, void *const *reg, VALUES)
#define NEXT (((FN(step_fn) *)s[1].fn)(s + 1, reg, v0, v1, v2, v3, v4, v5, v6, v7))
#define UNUSED_VALUES (void)v0, (void)v1, (void)v2, (void)v3, (void)v4, (void)v5, (void)v6, (void)v7

#define PAST_LANE(l, ...) tg__store_past(o + l, &v##l, sizeof v##l);
#define STORE_ALL_PAST                                               \
    if (s->past && (uintptr_t)o % VEC_BYTES == 0) {                  \
        ALL_LANES(PAST_LANE, )                                       \
    } else
#define STORE_0
#define STORE_1                   \
    LOOSE *o = reg[s->out];       \
    STORE_ALL_PAST                \
    o[0] = v0, o[1] = v1, o[2] = v2, o[3] = v3, o[4] = v4, o[5] = v5, o[6] = v6, o[7] = v7;

#define LANE(l, x, y, ...) { const VEC a = x, b = y; (void)b; v##l = __VA_ARGS__; }
#define ALL_LANES(X, ...) X(0, __VA_ARGS__) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__) \
    X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)
#define LANE_LM(l, ...) LANE(l, v##l, pb[l], __VA_ARGS__)
#define LANE_ML(l, ...) LANE(l, pa[l], v##l, __VA_ARGS__)
#define LANE_MM(l, ...) LANE(l, pa[l], pb[l], __VA_ARGS__)
#define LANE_LL(l, ...) LANE(l, v##l, v##l, __VA_ARGS__)
#define PA const LOOSE *pa = reg[s->a];
#define PB const LOOSE *pb = reg[s->b];

#define LM(copy, name, store, ...) \
    STEP(FN(TG__PASTE(name##_lm##store, copy))) { PB ALL_LANES(LANE_LM, __VA_ARGS__) STORE_##store NEXT; }
#define ML(copy, name, store, ...) \
    STEP(FN(TG__PASTE(name##_ml##store, copy))) { PA ALL_LANES(LANE_ML, __VA_ARGS__) STORE_##store NEXT; }
#define MM(copy, name, store, ...) \
    STEP(FN(TG__PASTE(name##_mm##store, copy))) { PA PB (void)pb; ALL_LANES(LANE_MM, __VA_ARGS__) STORE_##store NEXT; }
#define LL(copy, name, store, ...) \
    STEP(FN(TG__PASTE(name##_ll##store, copy))) { ALL_LANES(LANE_LL, __VA_ARGS__) STORE_##store NEXT; }

#define MAKE_UNARY(name, copies, ...)                                                  \
    copies(MM, name, 0, __VA_ARGS__) copies(MM, name, 1, __VA_ARGS__)                  \
    copies(LL, name, 0, __VA_ARGS__) copies(LL, name, 1, __VA_ARGS__)
#define MAKE_BINARY(name, copies, ...)                                                 \
    copies(LM, name, 0, __VA_ARGS__) copies(LM, name, 1, __VA_ARGS__)                  \
    copies(ML, name, 0, __VA_ARGS__) copies(ML, name, 1, __VA_ARGS__)                  \
    MAKE_UNARY(name, copies, __VA_ARGS__)

BINARY_OPS(MAKE_BINARY)
UNARY_OPS(MAKE_UNARY)

/* Any loop, on a group: its operands are in memory, its result too. */
STEP(FN(call)) {
    UNUSED_VALUES;
    s->micro(8 * VEC_BYTES / sizeof(T), reg[s->out], reg[s->a], reg[s->b], reg[s->c]);
    v0 = v1 = v2 = v3 = v4 = v5 = v6 = v7 = (VEC){0};
    NEXT;
}

STEP(FN(end)) {
    UNUSED_VALUES;
    (void)s, (void)reg;
}

static void FN(run)(const tg__chain_step *steps, void **reg, const tg__chain_move *moves, int n_moves, int64_t groups) {
    const VEC none = {0};
    for (int64_t g = 0; g < groups; g++) {
        ((FN(step_fn) *)steps->fn)(steps, reg, none, none, none, none, none, none, none, none);
        for (int m = 0; m < n_moves; m++) reg[moves[m].reg] = (char *)reg[moves[m].reg] + moves[m].bytes;
    }
}

#define ENTRY(copy, name) [copy] = (tg__chain_fn *)FN(TG__PASTE(name, copy)),
#define BOTH(copies, name) {{copies(ENTRY, name##0)}, {copies(ENTRY, name##1)}}
#define COUNT_COPIES_4 4
#define COUNT_COPIES_8 8
#define ROW_UNARY(name, copies, ...)                                                   \
    {TG__SET(FN(tg__micro_##name)), COUNT_##copies,                                    \
     {[TG__BOTH_IN_MEMORY] = BOTH(copies, name##_mm), [TG__LAST_TWICE] = BOTH(copies, name##_ll)}},
#define ROW_BINARY(name, copies, ...)                                                  \
    {TG__SET(FN(tg__micro_##name)), COUNT_##copies,                                    \
     {[TG__LAST_AND_MEMORY] = BOTH(copies, name##_lm), [TG__MEMORY_AND_LAST] = BOTH(copies, name##_ml), \
      [TG__BOTH_IN_MEMORY] = BOTH(copies, name##_mm), [TG__LAST_TWICE] = BOTH(copies, name##_ll)}},

#define DECLARE(name, copies, ...) extern tg_micro_fn TG__SET(FN(tg__micro_##name));
BINARY_OPS(DECLARE)
UNARY_OPS(DECLARE)
static const tg__chain_op FN(ops)[] = {BINARY_OPS(ROW_BINARY) UNARY_OPS(ROW_UNARY){0}};
const tg__chain_set TG__SET(FN(tg__chain)) = {8 * VEC_BYTES / (int)sizeof(T), FN(ops), (tg__chain_fn *)FN(call),
                                              (tg__chain_fn *)FN(end), FN(run), tg__stored_past};

#undef FN
