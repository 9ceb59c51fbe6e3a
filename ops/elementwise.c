/* What elementwise ops share. */
#include "ops/elementwise.h"
#include "kernels/math.h"

static double element(const tg_operand *x, int64_t i) {
    switch (x->dtype) {
    case TG_F32: return ((const float *)x->data)[i];
    case TG_F64: return ((const double *)x->data)[i];
    case TG_I32: return ((const int32_t *)x->data)[i];
    case TG_I64: return (double)((const int64_t *)x->data)[i];
    case TG_BF16: return (double)tg__to_f32_bf16(((const uint16_t *)x->data)[i]);
    case TG_F16: return (double)tg__to_f32_f16(((const uint16_t *)x->data)[i]);
    default: return ((const uint8_t *)x->data)[i];
    }
}

static void set_element(const tg_operand *x, int64_t i, double value) {
    switch (x->dtype) {
    case TG_F32: ((float *)x->data)[i] = (float)value; break;
    case TG_F64: ((double *)x->data)[i] = value; break;
    case TG_I32: ((int32_t *)x->data)[i] = (int32_t)value; break;
    case TG_I64: ((int64_t *)x->data)[i] = (int64_t)value; break;
    case TG_BF16: ((uint16_t *)x->data)[i] = tg__to_bf16_f64(value); break;
    case TG_F16: ((uint16_t *)x->data)[i] = tg__to_f16_f64(value); break;
    default: ((uint8_t *)x->data)[i] = (uint8_t)value;
    }
}

/* Where element i of the output is found in an input that is broadcast to it. */
static int64_t broadcast_index(const tg_operand *x, const tg_shape *out, int64_t i) {
    int64_t at = 0, step = 1;
    for (int k = 1; k <= out->rank; k++) {
        int64_t position = i % out->dims[out->rank - k];
        i /= out->dims[out->rank - k];
        if (k > x->shape->rank) continue;
        int64_t dim = x->shape->dims[x->shape->rank - k];
        if (dim != 1) at += position * step;
        step *= dim;
    }
    return at;
}

tg_status tg__ref_elementwise(tg_kernel_args *k, double (*f)(double a, double b, double c)) {
    const tg_operand *y = &k->out[0];
    for (int64_t i = 0; i < y->numel; i++) {
        double x[TG_MICRO_INPUTS] = {0};
        for (int j = 0; j < k->n_in; j++) x[j] = element(&k->in[j], broadcast_index(&k->in[j], y->shape, i));
        set_element(y, i, f(x[0], x[1], x[2]));
    }
    return TG_OK;
}

tg_tensor tg__number_for(const char *site, const char *op, tg_tensor x, double value) {
    tg_tape *t = tg_tape_of(x);
    tg_dtype d = tg_dtype_of(x);
    if (t && !tg__is_float(d))
        tg__fail(t, TG_EDTYPE, op, site, t->scope, "the tensor must be a float, not %s", tg_dtype_name(d));
    return tg_scalar_at(site, t, value, tg__computed_in(d));
}

/* ------------------------------------------------------------------ wrong inputs */

#define ONE(kind) INPUTS(IN(kind, (3)))
#define TWO(kind) INPUTS(IN(kind, (3)), IN(kind, (3)))
#define BAD_TABLE(name, ...) const tg_sample name[] = {__VA_ARGS__, {.note = NULL}};
#define COMMON_1(kind)                                                                                \
    BAD("two inputs", TG_EARG, "not 2", TWO(kind)), BAD("no input", TG_EARG, "not 0", .attr = NULL), \
    BAD("three inputs", TG_EARG, "not 3", INPUTS(IN(kind, (3)), IN(kind, (3)), IN(kind, (3))))
#define COMMON_2(kind)                                                                                      \
    BAD("one input", TG_EARG, "not 1", ONE(kind)),                                                          \
    BAD("shapes that clash", TG_ESHAPE, "axis 1 clashes", INPUTS(IN(kind, (2, 3)), IN(kind, (2, 4)))),   \
    BAD("shapes that clash in front", TG_ESHAPE, "axis 0", INPUTS(IN(kind, (2, 3)), IN(kind, (4, 3)))),     \
    BAD("a wrong rank", TG_ESHAPE, "axis 1 clashes", INPUTS(IN(kind, (2, 3)), IN(kind, (2))))
#define THREE(kind) INPUTS(IN(kind, (3)), IN(kind, (3)), IN(kind, (3)))
#define COMMON_3                                                                                            \
    BAD("two inputs", TG_EARG, "not 2", TWO('f')),                                                          \
    BAD("shapes that clash", TG_ESHAPE, "axis 1 clashes",                                                  \
        INPUTS(IN('f', (2, 3)), IN('f', (2, 4)), IN('f', ()))),                                             \
    BAD("a last shape that clashes", TG_ESHAPE, "axis 0", INPUTS(IN('f', (2, 3)), IN('f', ()), IN('f', (4, 3)))), \
    BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3)), IN('i', (3)), IN('f', (3)))),            \
    BAD("bool", TG_EDTYPE, "not bool", THREE('b'))
#define MIXED BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3)), IN('i', (3))))

BAD_TABLE(tg__bad_float1, COMMON_1('f'),
          BAD("whole numbers", TG_EDTYPE, "not i64", ONE('i')), BAD("bool", TG_EDTYPE, "not bool", ONE('b')))
BAD_TABLE(tg__bad_num1, COMMON_1('f'),
          BAD("bool", TG_EDTYPE, "not bool", ONE('b')), BAD("u8", TG_EDTYPE, "not u8", ONE('u')))
BAD_TABLE(tg__bad_any1, COMMON_1('f'),
          BAD("four inputs", TG_EARG, "not 4", INPUTS(IN('f', (3)), IN('f', (3)), IN('i', (3)), IN('b', (3)))),
          BAD("five inputs", TG_EARG, "not 5", INPUTS(IN('f', (3)), IN('f', ()), IN('i', (3)), IN('b', (3)), IN('f', (3)))))
BAD_TABLE(tg__bad_logic1, COMMON_1('b'),
          BAD("a float", TG_EDTYPE, "must be bool", ONE('f')), BAD("u8", TG_EDTYPE, "must be bool", ONE('u')))
BAD_TABLE(tg__bad_float2, COMMON_2('f'), MIXED,
          BAD("whole numbers", TG_EDTYPE, "not i64", TWO('i')), BAD("bool", TG_EDTYPE, "not bool", TWO('b')))
BAD_TABLE(tg__bad_num2, COMMON_2('f'), MIXED,
          BAD("bool", TG_EDTYPE, "not bool", TWO('b')), BAD("u8", TG_EDTYPE, "not u8", TWO('u')))
BAD_TABLE(tg__bad_any2, COMMON_2('f'), MIXED)
BAD_TABLE(tg__bad_logic2, COMMON_2('b'),
          BAD("a float", TG_EDTYPE, "must be bool", TWO('f')), BAD("whole numbers", TG_EDTYPE, "must be bool", TWO('i')),
          BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('b', (3)), IN('f', (3)))))
BAD_TABLE(tg__bad_float3, COMMON_3, BAD("whole numbers", TG_EDTYPE, "not i64", THREE('i')))
BAD_TABLE(tg__bad_num3, COMMON_3, BAD("u8", TG_EDTYPE, "not u8", THREE('u')))
