/* tests/halves.c: bf16 and f16: how numbers become them, and what ops make of them. */
#include "kernels/math.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

/* ------------------------------------------------------------------ conversions, against the definition of the formats */

typedef struct format {
    tg_dtype dtype;
    int exponent_bits, fraction_bits;
    float (*widen)(uint16_t);
    uint16_t (*of_f32)(float), (*of_f64)(double), (*of_i64)(int64_t);
} format;

static const format formats[] = {
    {TG_BF16, 8, 7, tg__to_f32_bf16, tg__to_bf16_f32, tg__to_bf16_f64, tg__to_bf16_i64},
    {TG_F16, 5, 10, tg__to_f32_f16, tg__to_f16_f32, tg__to_f16_f64, tg__to_f16_i64},
};

static uint16_t infinity(const format *f) { return (uint16_t)(((1 << f->exponent_bits) - 1) << f->fraction_bits); }

static double meaning(const format *f, uint16_t bits) { /* of a number that is no NaN */
    const int size = bits & 0x7fff, exponent = size >> f->fraction_bits, fraction = size & ((1 << f->fraction_bits) - 1);
    const int bias = (1 << (f->exponent_bits - 1)) - 1, unit = 1 - bias - f->fraction_bits;
    double value = exponent ? ldexp(fraction + (1 << f->fraction_bits), exponent - 1 + unit) : ldexp(fraction, unit);
    if (size == infinity(f)) value = INFINITY;
    return bits >> 15 ? -value : value;
}

TEST(halves, every_number_widens_exactly_and_comes_back) {
    for (const format *f = formats; f < formats + 2; f++)
        for (int i = 0; i < 0x10000; i++) {
            const uint16_t bits = (uint16_t)i;
            const float wide = f->widen(bits);
            if ((bits & 0x7fff) > infinity(f)) {
                const uint16_t again = f->of_f32(wide);
                CHECK(isnan(wide) && (again & 0x7fff) > infinity(f), "%s %04x is a NaN", tg_dtype_name(f->dtype), bits);
                continue;
            }
            const bool right = (double)wide == meaning(f, bits) && !signbit(wide) == !(bits >> 15);
            if (!right) CHECK(right, "%s %04x is %a, not %a", tg_dtype_name(f->dtype), bits, (double)wide, meaning(f, bits));
            if (f->of_f32(wide) != bits) CHECK_EQ_I(f->of_f32(wide), bits);
            if (f->of_f64((double)wide) != bits) CHECK_EQ_I(f->of_f64((double)wide), bits);
        }
}

static void check_rounding(const format *f, double x, uint16_t want) {
    if ((double)(float)x == x && f->of_f32((float)x) != want) CHECK_EQ_I(f->of_f32((float)x), want);
    if (f->of_f64(x) != want) CHECK(false, "%s: %a becomes %04x, not %04x", tg_dtype_name(f->dtype), x, f->of_f64(x), want);
}

/* Between neighbours a < b: the middle goes to the even one, what is a trace away from it to the nearer one. */
TEST(halves, rounding_is_to_the_nearest_even) {
    for (const format *f = formats; f < formats + 2; f++)
        for (uint16_t a = 0; a < infinity(f); a++) {
            const uint16_t b = (uint16_t)(a + 1), even = a & 1 ? b : a;
            const double low = meaning(f, a);
            const double high = b == infinity(f) ? 2 * low - meaning(f, (uint16_t)(a - 1)) : meaning(f, b);
            const double middle = (low + high) / 2;
            check_rounding(f, middle, even);
            check_rounding(f, -middle, (uint16_t)(even | 0x8000));
            check_rounding(f, nextafter(middle, 0), a);
            check_rounding(f, nextafter(middle, INFINITY), b);
            check_rounding(f, (double)nextafterf((float)middle, 0), a);
            check_rounding(f, (double)nextafterf((float)middle, INFINITY), b);
        }
    CHECK_EQ_I(tg__to_f16_f32(1e6f), 0x7c00);
    CHECK_EQ_I(tg__to_bf16_f64(-1e300), 0xff80);
    CHECK_EQ_I(tg__to_bf16_i64((INT64_C(257) << 54) + 1), tg__to_bf16_f64(0x1.02p62)); /* a middle, and a trace more */
    CHECK_EQ_I(tg__to_bf16_i64(INT64_C(257) << 54), tg__to_bf16_f64(0x1p62));
    CHECK_EQ_I(tg__to_bf16_i64(INT64_MIN), tg__to_bf16_f64(-0x1p63));
    CHECK_EQ_I(tg__to_f16_i64(-2049), tg__to_f16_f64(-2048.0));
    CHECK_EQ_I(tg__to_f16_i32(2051), tg__to_f16_f64(2052.0));
}

TEST(halves, casts_between_all_dtypes) {
    static const double values[] = {0, 1, -1, 2.5, -3, 200, 0.1, 65504};
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f64(values, TG_SHAPE(8)));
    for (int from = 0; from < TG_DTYPE_COUNT; from++)
        for (int to = 0; to < TG_DTYPE_COUNT; to++) {
            tg_tensor a = tg_cast(x, (tg_dtype)from), b = tg_cast(a, (tg_dtype)to);
            tg_tensor wide = tg_cast(tg_cast(a, TG_F64), (tg_dtype)to); /* every dtype here fits in an f64 */
            const size_t bytes = 8 * tg_dtype_size((tg_dtype)to);
            CHECK(tg_dtype_of(b) == (tg_dtype)to && tg_data(b), "%s", tg_message(t));
            if (to == TG_U8 && (from == TG_I32 || from == TG_I64)) continue; /* whole numbers wrap, floats saturate */
            CHECK(!memcmp(tg_data(b), tg_data(wide), bytes), "%s to %s", tg_dtype_name((tg_dtype)from),
                  tg_dtype_name((tg_dtype)to));
        }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ every op */

static int inputs_of(const tg_sample *s) {
    int n = 0;
    while (n < TG_SAMPLE_INPUTS && s->in[n].kind) n++;
    return n;
}

static bool all_floats(const tg_sample *s) {
    for (int i = 0; i < inputs_of(s); i++)
        if (s->in[i].kind != 'f' && s->in[i].kind != 'c') return false;
    return inputs_of(s) > 0;
}

static tg_tensor random_half(tg_tape *t, const tg_sample_in *in, tg_dtype d) {
    const double lo = in->lo == 0 && in->hi == 0 ? -2 : in->lo, hi = in->lo == 0 && in->hi == 0 ? 2 : in->hi;
    return tg_cast(tg_uniform(t, in->shape, TG_F32, lo, hi), d);
}

static bool same_bits(tg_tensor a, tg_tensor b) {
    const size_t bytes = (size_t)tg_numel(a) * tg_dtype_size(tg_dtype_of(a));
    const void *x = tg_data(a), *y = tg_data(b);
    return tg_dtype_of(a) == tg_dtype_of(b) && tg_numel(a) == tg_numel(b) && x && y && (!bytes || !memcmp(x, y, bytes));
}

/* An op on 16-bit floats is the op in f32 on the same numbers, each result rounded once. */
static bool check_sample(tg_tape *t, const tg_op *op, const tg_sample *s, tg_dtype d) {
    tg_tensor in[TG_SAMPLE_INPUTS], wide[TG_SAMPLE_INPUTS], half_out[TG_MAX_OUTPUTS], wide_out[TG_MAX_OUTPUTS];
    const int n = inputs_of(s), n_out = op->n_out > 1 ? op->n_out : 1;
    for (int i = 0; i < n; i++) {
        in[i] = random_half(t, &s->in[i], d);
        wide[i] = tg_cast(in[i], TG_F32);
    }
    tg_apply_n(t, op, s->attr, in, n, half_out);
    tg_apply_n(t, op, s->attr, wide, n, wide_out);
    for (int k = 0; k < n_out; k++) {
        tg_tensor want = tg_dtype_of(wide_out[k]) == TG_F32 ? tg_cast(wide_out[k], d) : wide_out[k];
        if (!CHECK(same_bits(half_out[k], want), "%s, sample '%s', %s, output %d: %s", op->name, s->note, tg_dtype_name(d), k,
                   tg_message(t)))
            return false;
    }
    return true;
}

TEST(halves, every_op_is_the_op_in_f32_rounded_once) {
    int ops = 0;
    for (int i = 0; i < tg_op_count(); i++) {
        const tg_op *op = tg_op_get(i);
        bool any = false;
        if (op->flags & TG_OP_CAN_FAIL) continue; /* on random numbers it may */
        for (const tg_sample *s = op->samples; s && s->note; s++) {
            if (!all_floats(s) || strncmp(op->name, "cast_", 5) == 0) continue;
            tg_tape *t = tg_tape_new();
            any = true;
            if (check_sample(t, op, s, TG_BF16)) check_sample(t, op, s, TG_F16);
            tg_tape_free(t);
        }
        ops += any;
    }
    CHECK(ops > 100, "only %d ops", ops);
}

/* ------------------------------------------------------------------ chains, gradients */

typedef struct outcome {
    uint16_t y[64 * 48], gx[64 * 32], gw[32 * 48];
} outcome;

static void run_chain(outcome *o, tg_dtype d, bool eager, int threads) {
    tg_tape *t = tg_tape_new();
    tg_set_eager(t, eager);
    tg_set_threads(t, threads);
    tg_tensor x = tg_cast(tg_normal(t, TG_SHAPE(64, 32), TG_F32, 0, 1), d);
    tg_tensor w = tg_cast(tg_normal(t, TG_SHAPE(32, 48), TG_F32, 0, 1), d);
    tg_tensor b = tg_cast(tg_normal(t, TG_SHAPE(48), TG_F32, 0, 1), d), in[2] = {x, w}, g[2];
    tg_tensor h = tg_gelu(tg_add(tg_matmul(x, w), b));
    tg_tensor y = tg_mul(tg_sigmoid(tg_scale(h, 0.3)), tg_transpose(tg_transpose(h)));
    tg_grad(tg_mean(tg_square(y), TG_ALL_AXES, false), in, 2, g);
    CHECK(tg_dtype_of(y) == d && tg_dtype_of(g[0]) == d && tg_dtype_of(g[1]) == d, "the results have another dtype");
    tg_run(t, (tg_tensor[]){y, g[0], g[1]}, 3);
    tg_read(y, o->y, sizeof o->y);
    tg_read(g[0], o->gx, sizeof o->gx);
    tg_read(g[1], o->gw, sizeof o->gw);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(halves, chains_have_the_same_bits_planned_and_eager) {
    for (const format *f = formats; f < formats + 2; f++) {
        static outcome plain, planned, threads;
        run_chain(&plain, f->dtype, true, 1);
        run_chain(&planned, f->dtype, false, 1);
        run_chain(&threads, f->dtype, false, 3);
        CHECK(!memcmp(&plain, &planned, sizeof plain), "%s: planned differs from eager", tg_dtype_name(f->dtype));
        CHECK(!memcmp(&plain, &threads, sizeof plain), "%s: 3 threads differ from 1", tg_dtype_name(f->dtype));
        CHECK(plain.gw[5] != 0 && f->widen(plain.gw[5]) == f->widen(plain.gw[5]), "the gradient is there");
    }
}

/* d/dx of x^2 / 2 through bf16 is x to within its precision, and a cast's cotangent is converted back. */
TEST(halves, gradients_pass_through_casts) {
    tg_tape *t = tg_tape_new();
    for (const format *f = formats; f < formats + 2; f++)
        for (double v = -3; v <= 3; v += 0.7) {
            tg_tensor x = tg_input(t, tg_f64(&v, TG_SCALAR)), dx;
            tg_grad(tg_scale(tg_square(tg_cast(x, f->dtype)), 0.5), &x, 1, &dx);
            CHECK(tg_dtype_of(dx) == TG_F64, "the gradient is %s", tg_dtype_name(tg_dtype_of(dx)));
            CHECK(fabs(tg_item(dx) - v) <= 0.01 * fabs(v) + 1e-3, "d/dx at %g: %g", v, tg_item(dx));
        }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(halves, sums_are_taken_in_f32) {
    tg_tape *t = tg_tape_new();
    tg_tensor ones = tg_full(t, TG_SHAPE(4096), 1, TG_BF16), sum = tg_sum(ones, TG_ALL_AXES, false);
    CHECK(tg_item(sum) == 4096, "4096 ones are %g", tg_item(sum)); /* in bf16, 256 + 1 is 256 */
    CHECK(tg_item(tg_matmul(ones, ones)) == 4096, "their product is %g", tg_item(tg_matmul(ones, ones)));
    CHECK(tg_item(tg_scalar(t, 1.00390625, TG_BF16)) == 1, "a number is rounded to even");
    tg_tensor three = tg_full(t, TG_SHAPE(2), 3, TG_BF16); /* 3 * 1.003 is 3.009, nearer to 3.015625 than to 3 */
    CHECK(((const uint16_t *)tg_data(tg_scale(three, 1.003)))[0] == 0x4041, "the number beside it keeps its digits");
    CHECK(tg_dtype_of(tg_dropout(three, 0.5)) == TG_BF16 && tg_dtype_of(tg_norm(three, 3, TG_ALL_AXES, false)) == TG_BF16 &&
              tg_dtype_of(tg_einsum("i,i->", (tg_tensor[]){three, three}, 2)) == TG_BF16,
          "%s", tg_message(t));
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(halves, memory_is_half) {
    uint64_t kept[2];
    for (int half = 0; half < 2; half++) {
        tg_tape *t = tg_tape_new();
        tg_tensor x = tg_cast(tg_uniform(t, TG_SHAPE(1000, 100), TG_F32, 0, 1), half ? TG_BF16 : TG_F32);
        CHECK(tg_data(tg_exp(x)) != NULL, "%s", tg_message(t));
        kept[half] = tg_stats(t).kept_bytes;
        tg_tape_free(t);
    }
    CHECK(kept[1] * 2 <= kept[0] + 4096, "%llu bytes in bf16, %llu in f32", (unsigned long long)kept[1],
          (unsigned long long)kept[0]);
}

TEST(halves, errors_name_the_dtypes) {
    tg_tape *t = tg_tape_new();
    tg_tensor a = tg_full(t, TG_SHAPE(3), 1, TG_BF16), b = tg_full(t, TG_SHAPE(3), 1, TG_F32), c = tg_cast(a, TG_F16);
    tg_add(a, b);
    CHECK_EQ_I(tg_error(t), TG_EDTYPE);
    CHECK_STR(tg_message(t), "operand 0 is bf16 and operand 1 is f32: cast one with tg_cast");
    tg_clear(t);
    tg_mul(a, c);
    CHECK_EQ_I(tg_error(t), TG_EDTYPE);
    CHECK_STR(tg_message(t), "bf16");
    CHECK_STR(tg_message(t), "halves.c:");
    tg_clear(t);
    tg_and(a, a);
    CHECK_EQ_I(tg_error(t), TG_EDTYPE);
    tg_clear(t);
    tg_add(a, tg_full(t, TG_SHAPE(4), 1, TG_BF16));
    CHECK_EQ_I(tg_error(t), TG_ESHAPE);
    CHECK_STR(tg_message(t), "inputs (3) f32, (4) f32");
    tg_tape_free(t);
}

TEST(halves, checks_for_finite_numbers_see_them) {
    tg_tape *t = tg_tape_new();
    tg_check_finite(t, true);
    tg_tensor big = tg_full(t, TG_SHAPE(3), 60000, TG_F16);
    tg_want(tg_add(big, big));
    CHECK_EQ_I(tg_step(t), TG_ENONFINITE);
    CHECK_STR(tg_message(t), "cast_f16");
    tg_tape_free(t);
}
