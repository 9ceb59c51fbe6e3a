/* tests/fuzz_calls.c: calls of every op with random operands and attributes: sizes of 0 and 2^62, wrong ranks and dtypes,
 * missing, stale and foreign handles. Each call gives a valid result, or an error with a status and a message that names the
 * op; nothing crashes, and the tape works on. Small results are differentiated and run. */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "tests/test.h"

#include <tapegrad.h>

#define CALLS 1000000 /* TG_FUZZ_CALLS=n, TG_FUZZ_SEED=n for others */
#define ROUND 50       /* calls of one recording */
#define RUN_ONE_OF 20  /* results that may run */
#define SMALL 512      /* elements of what is run */
#define MOST_BYTES ((size_t)1 << 20) /* of one block: what is larger fails, and is not cleared and computed for seconds */
#define OPERANDS 24
#define MOST_INPUTS 6

typedef struct fuzz {
    tg_tape *t, *other;
    uint64_t random;
    tg_tensor operands[OPERANDS], stale;
    long errors, results, runs;
} fuzz;

/* Steele, Lea, Flood 2014: splitmix64. */
static uint64_t next(fuzz *f) {
    uint64_t z = f->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int64_t below(fuzz *f, int64_t n) { return (int64_t)(next(f) % (uint64_t)n); }

static int64_t any_size(fuzz *f) {
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 2, 3, 1, INT64_C(1) << 31, INT64_C(1) << 62, -1, INT64_MAX};
    return sizes[below(f, sizeof sizes / sizeof *sizes)];
}

static int64_t small_size(fuzz *f) { return (int64_t[]){0, 1, 2, 3, 3, 7}[below(f, 6)]; }

static int64_t any_number(fuzz *f) {
    static const int64_t numbers[] = {0,  1,  2,         3,         -1,        -2,        7,
                                      -7, 64, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, INT64_C(1) << 40};
    return below(f, 3) ? below(f, 4) : numbers[below(f, sizeof numbers / sizeof *numbers)];
}

static tg_shape any_shape(fuzz *f) {
    tg_shape s = {(int32_t)below(f, 5), {0}};
    if (!below(f, 8)) s.rank = (int32_t)below(f, TG_MAX_RANK + 3) - 1;
    bool wild = !below(f, 4);
    for (int i = 0; i < TG_MAX_RANK; i++) s.dims[i] = wild ? any_size(f) : small_size(f);
    return s;
}

/* ------------------------------------------------------------------ operands */

static tg_tensor an_input(fuzz *f) {
    static double bytes[7 * 7 * 7 * 7];
    tg_shape s = any_shape(f);
    int64_t n = s.rank >= 0 && s.rank <= TG_MAX_RANK ? tg_shape_numel(&s) : -1;
    tg_dtype d = (tg_dtype)below(f, TG_DTYPE_COUNT);
    if (below(f, 2)) d = below(f, 2) ? TG_F32 : TG_F64;
    if (n < 0 || n > (int64_t)(sizeof bytes / sizeof *bytes)) return tg_zeros(f->t, s, d);
    if (!below(f, 4)) return tg_ones(f->t, s, d);
    for (int64_t i = 0; i < n; i++) {
        double x = (double)below(f, 4001) / 1000 - 2;
        switch (d) {
        case TG_F32: ((float *)bytes)[i] = (float)x; break;
        case TG_F64: bytes[i] = x; break;
        case TG_I32: ((int32_t *)bytes)[i] = (int32_t)below(f, 4); break;
        case TG_I64: ((int64_t *)bytes)[i] = below(f, 4); break;
        case TG_BOOL: ((uint8_t *)bytes)[i] = (uint8_t)below(f, 2); break;
        default: memset((char *)bytes + (size_t)i * tg_dtype_size(d), 0, tg_dtype_size(d));
        }
    }
    return tg_input(f->t, (tg_array){d, s, bytes});
}

static void start_round(fuzz *f) {
    tg_clear(f->t);
    f->stale = f->operands[0];
    tg_discard_effects(f->t);
    tg_tape_reset(f->t);
    for (int i = 0; i < OPERANDS; i++) {
        f->operands[i] = an_input(f);
        tg_clear(f->t); /* some cannot be made: poison is an operand, too */
    }
}

static tg_tensor an_operand(fuzz *f) {
    switch (below(f, 100)) {
    case 0: return (tg_tensor){0};
    case 1: return f->stale;
    case 2: return tg_zeros(f->other, TG_SHAPE(2), TG_F32);
    case 3: return (tg_tensor){f->operands[0].owner, (uint32_t)next(f), (uint32_t)next(f)};
    default: return f->operands[below(f, OPERANDS)];
    }
}

/* ------------------------------------------------------------------ attributes */

static void fill_field(fuzz *f, const tg_field *field, char *attr) {
    void *at = attr + field->offset;
    tg_axes axes = {(int32_t)below(f, 4) - 1, {0}};
    switch (field->type) {
    case TG_FIELD_INT: *(int64_t *)at = any_number(f); break;
    case TG_FIELD_DTYPE: *(tg_dtype *)at = (tg_dtype)below(f, TG_DTYPE_COUNT + 1); break;
    case TG_FIELD_SHAPE: *(tg_shape *)at = any_shape(f); break;
    case TG_FIELD_AXES:
        if (!below(f, 10)) axes.n = (int32_t)below(f, TG_MAX_RANK + 3);
        for (int i = 0; i < TG_MAX_RANK; i++) axes.axis[i] = below(f, 10) ? (int32_t)below(f, 3) : (int32_t)any_number(f);
        *(tg_axes *)at = axes;
        break;
    case TG_FIELD_DIMS:
        for (int i = 0; i < TG_MAX_RANK; i++) ((int64_t *)at)[i] = below(f, 3) ? below(f, 3) : any_number(f);
        break;
    case TG_FIELD_PTR: *(void **)at = NULL; break;
    }
}

/* What a pointer leads to is of the size that other fields say. */
static bool has_pointer(const tg_op *op) {
    for (const tg_field *field = op->fields; field && field->name; field++)
        if (field->type == TG_FIELD_PTR) return true;
    return false;
}

static const void *an_attr(fuzz *f, const tg_op *op, char *memory, size_t size) {
    if (!op->attr_size || op->attr_size > size || !below(f, 50)) return NULL;
    const tg_sample *s = op->samples;
    memset(memory, 0, op->attr_size);
    bool from_sample = s && s->attr && below(f, 2);
    if (from_sample) memcpy(memory, s->attr, op->attr_size);
    for (const tg_field *field = op->fields; field && field->name; field++)
        if (!from_sample || (!has_pointer(op) && !below(f, 4))) fill_field(f, field, memory);
    return memory;
}

/* ------------------------------------------------------------------ calls */

static bool is_small(const tg_tensor *xs, int n) {
    for (int i = 0; i < n; i++)
        if (!tg_valid(xs[i]) || tg_numel(xs[i]) > SMALL) return false;
    return true;
}

static void run_some(fuzz *f, const tg_op *op, const tg_tensor *in, int n, tg_tensor y) {
    if (below(f, RUN_ONE_OF) || !is_small(in, n) || !is_small(&y, 1)) return;
    f->runs++;
    for (int i = 0; i < n && tg_dtype_is_float(tg_dtype_of(y)); i++) {
        tg_tensor g;
        if (!tg_dtype_is_float(tg_dtype_of(in[i])) || !tg_depends(y, in[i])) continue;
        if (tg_vjp(y, tg_ones(f->t, tg_shape_of(y), tg_dtype_of(y)), &in[i], 1, &g)) break;
        if (tg_numel(g) != tg_numel(in[i])) CHECK(false, "%s: the gradient of input %d has another size", op->name, i);
        tg_run(f->t, &g, 1);
    }
    tg_run(f->t, &y, 1);
    bool no_fault_of_the_op = tg_error(f->t) != TG_EINTERNAL;
    CHECK(no_fault_of_the_op, "%s: %s", op->name, tg_message(f->t));
    tg_clear(f->t);
}

static void call_once(fuzz *f) {
    const tg_op *op = tg_op_get((int)below(f, tg_op_count()));
    static _Alignas(16) char memory[4096];
    tg_tensor in[MOST_INPUTS], out[TG_MAX_OUTPUTS];
    int n = op->min_in + (op->max_in != op->min_in ? (int)below(f, 3) : 0), n_out = op->n_out > 1 ? op->n_out : 1;
    if (!below(f, 40)) n = (int)below(f, MOST_INPUTS + 1);
    if (n > MOST_INPUTS) n = MOST_INPUTS;
    for (int i = 0; i < n; i++) in[i] = an_operand(f);
    for (int i = 1; i < n; i++)
        if (below(f, 2)) in[i] = in[0];
    const void *attr = an_attr(f, op, memory, sizeof memory);
    if (op->source_fn) return;
    tg_status s = tg_apply_n(f->t, op, attr, in, n, out);
    if (s != tg_error(f->t)) CHECK(false, "%s returns %s, the tape says %s", op->name, tg_status_name(s), tg_message(f->t));
    if (s) {
        f->errors++;
        if (s == TG_EINTERNAL || !strstr(tg_message(f->t), ": ") || tg_valid(out[0]))
            CHECK(false, "%s: %s: %s", op->name, tg_status_name(s), tg_message(f->t));
        tg_clear(f->t);
        return;
    }
    f->results++;
    for (int k = 0; k < n_out; k++)
        if (!tg_valid(out[k])) CHECK(false, "%s: no error, and no result %d", op->name, k);
    run_some(f, op, in, n, out[0]);
    if (is_small(in, n) && is_small(out, n_out)) f->operands[below(f, OPERANDS)] = out[below(f, n_out)]; /* cheap to run */
}

TEST(fuzz, calls) {
    const char *calls = getenv("TG_FUZZ_CALLS"), *seed = getenv("TG_FUZZ_SEED");
    long n = calls ? atol(calls) : CALLS;
    fuzz f = {.t = tg_tape_new(), .other = tg_tape_new(), .random = seed ? strtoull(seed, NULL, 0) : 4};
    f.t->debug_memory = true; /* what writes beside its values is an internal error */
    tg_tape *freed = tg_tape_new();
    f.operands[0] = tg_zeros(freed, TG_SHAPE(2), TG_F32);
    tg_tape_free(freed);
    tg__alloc_most(MOST_BYTES);
    for (long i = 0; i < n; i++) {
        if (i % ROUND == 0) start_round(&f);
        call_once(&f);
    }
    tg__alloc_most(0);
    CHECK(f.errors > n / 10 && f.results > n / 50 && f.runs > n / 2000, "%ld errors, %ld results, %ld runs", f.errors,
          f.results, f.runs);
    printf("  %ld calls: %ld refused, %ld recorded, %ld run and differentiated\n", n, f.errors, f.results, f.runs);
    tg_tape_free(f.t);
    tg_tape_free(f.other);
}
