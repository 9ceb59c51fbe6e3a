/* tapegrad/op.h: what an op is. The library's ops and yours are the same struct.
 *
 * An op says what it does in exactly one of these ways:
 *   micro     elementwise: a loop over n elements, up to three inputs of broadcastable shapes; fuses with its neighbours
 *   view      no computation: another way to look at the first input's memory
 *   kernel    anything else, over whole arrays
 *   define    composition only: applying the op records its definition
 * and how it differentiates: `vjp`, or else through `define`. An op with neither is TG_ENOGRAD when differentiated.
 *
 * Beside one of the first three, `define` (or `ref`) is what tg_op_check compares with. That also needs formula and source, a
 * sample and three wrong inputs; tg_apply needs none of these. examples/cube.c is a program with an op of its own. */
#ifndef TAPEGRAD_OP_H
#define TAPEGRAD_OP_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TG_MAX_OUTPUTS 4
#define TG_MICRO_INPUTS 3

/* ------------------------------------------------------------------ attributes */

typedef enum tg_field_type {
    TG_FIELD_INT,
    TG_FIELD_DTYPE,
    TG_FIELD_SHAPE,
    TG_FIELD_AXES,
    TG_FIELD_DIMS,
    TG_FIELD_PTR
} tg_field_type;

/* One attribute: structure, never a number that changes from step to step (pass those as tensors: tg_scalar).
 * INT int64_t; DTYPE tg_dtype; SHAPE tg_shape; AXES tg_axes; DIMS int64_t[TG_MAX_RANK]; PTR void * (compared by address). */
typedef struct tg_field {
    const char *name;
    tg_field_type type;
    size_t offset;
} tg_field;

/* ------------------------------------------------------------------ recording: shapes and dtypes */

/* infer sees the inputs and fills shape and dtype of each output. It is the only callback that can refuse while recording:
 * return tg_infer_fail(...). What it fills depends on nothing but shapes, dtypes and attributes: an answer is remembered and
 * serves for equal inputs, too. */
typedef struct tg_infer {
    int n_in;
    const tg_shape *const *in_shape;
    const tg_dtype *in_dtype;
    const void *attr;
    tg_shape shape[TG_MAX_OUTPUTS];
    tg_dtype dtype[TG_MAX_OUTPUTS];
    struct tg_infer_state *state; /* the engine's */
} tg_infer;
TG_EXPORT tg_status tg_infer_fail(tg_infer *f, tg_status status, const char *format, ...) TG_PRINTF(3, 4);

/* Helpers for infer. tg_infer_axis: axis in [0, rank), from a possibly negative one, or -1.
 * tg_broadcast: the NumPy broadcast of two shapes; false if they clash (then *bad is the clashing axis of the result). */
TG_EXPORT int tg_infer_axis(int64_t axis, int rank);
TG_EXPORT bool tg_broadcast(const tg_shape *a, const tg_shape *b, tg_shape *out, int *bad);
TG_EXPORT int64_t tg_shape_numel(const tg_shape *s); /* product; -1 if a dimension is negative or the product overflows */
TG_EXPORT bool tg_shape_equal(const tg_shape *a, const tg_shape *b);
TG_EXPORT bool tg_dtype_is_float(tg_dtype d); /* f32 or f64: what kernels compute in; bf16 and f16 never reach an infer */

/* ------------------------------------------------------------------ gradients */

/* vjp records the cotangents of the inputs. For each input i with tg_vjp_needs(v, i) it may call tg_vjp_give(v, i, cotangent)
 * any number of times; contributions are added. In an elementwise op the cotangent has the output's shape and the engine sums
 * it over broadcast axes; elsewhere it has exactly the input's shape. tg_vjp_give_region gives a cotangent for a strided box
 * of the input only: element k of axis a of g belongs to element start[a] + k * step[a] of the input.
 * Inputs and outputs are tensors of the tape: use ops on them. What a rule records must follow from its arguments alone: where
 * a recording repeats the last one, its gradients are taken over without calling the rules again. */
typedef struct tg_vjp_args {
    int n_in, n_out;
    const tg_tensor *in;
    const tg_tensor *out;
    const tg_tensor *g; /* per output; an output that got no cotangent has g[i].owner == NULL, and output 0 alone never has */
    const void *attr;
    struct tg_vjp_state *state; /* the engine's */
} tg_vjp_args;
TG_EXPORT bool tg_vjp_needs(const tg_vjp_args *v, int input);
TG_EXPORT void tg_vjp_give(tg_vjp_args *v, int input, tg_tensor cotangent);
TG_EXPORT void tg_vjp_give_region(tg_vjp_args *v, int input, tg_tensor cotangent, const int64_t *start, const int64_t *step);

/* ------------------------------------------------------------------ computing */

/* Elementwise loop: out[i] = f(a[i], b[i], c[i]) for i < n; unused inputs are NULL. out may be the same memory as an input.
 * A source (no tensor inputs) is called with a = a pointer to the node's 16 bytes of data and first = index of element 0. */
typedef void tg_micro_fn(size_t n, void *out, const void *a, const void *b, const void *c);
typedef void tg_source_fn(size_t n, void *out, const void *data, uint64_t first);

typedef enum tg_isa_level { TG_ISA_ANY, TG_ISA_AVX2, TG_ISA_AVX512, TG_ISA_COUNT } tg_isa_level;

/* fn[instruction set][dtype of the last input]; NULL where there is none (an absent set falls back to TG_ISA_ANY). */
typedef struct tg_micro {
    tg_micro_fn *fn[TG_ISA_COUNT][TG_DTYPE_COUNT];
} tg_micro;

/* An operand of a kernel: strides in elements. Unless the op says strided, it is packed. */
typedef struct tg_operand {
    void *data;
    const tg_shape *shape;
    const int64_t *strides;
    int64_t numel;
    tg_dtype dtype;
} tg_operand;

typedef struct tg_kernel_args {
    int n_in, n_out;
    const tg_operand *in;
    const tg_operand *out;
    const void *attr;
    void *scratch; /* as many bytes as `scratch` asked for, 64-byte aligned */
    int threads;   /* most threads to use; the bits must not depend on it */
    char *message; /* where a kernel that fails says why */
    size_t message_size;
} tg_kernel_args;

typedef tg_status tg_kernel_fn(tg_kernel_args *k);

/* Runs fn(begin, end, ctx) over [0, n) in pieces on up to `threads` threads, or directly where that is no gain: `work` is the
 * whole work in bytes touched or operations. For kernels. */
TG_EXPORT void tg_parallel(int threads, int64_t n, double work, void (*fn)(int64_t begin, int64_t end, void *ctx), void *ctx);

/* view: strides and offset (elements) of the output from those of input 0. Returns false where no strides can say it: then
 * the input is packed first, and view is called again. */
typedef struct tg_view_args {
    const tg_shape *in_shape, *out_shape;
    const int64_t *in_strides;
    const void *attr;
    int64_t *out_strides; /* to fill */
    int64_t offset;       /* to fill: added to the input's */
} tg_view_args;
typedef bool tg_view_fn(tg_view_args *v);

/* Reductions that the planner may hang on the end of a fused block. Their attribute struct begins with a tg_fold_attr. */
typedef enum tg_fold_kind { TG_FOLD_NONE, TG_FOLD_SUM, TG_FOLD_PROD, TG_FOLD_MAX, TG_FOLD_MIN } tg_fold_kind;
typedef struct tg_fold_attr {
    tg_axes axes; /* normalised: ascending, not negative */
    int64_t keepdims;
} tg_fold_attr;

/* ------------------------------------------------------------------ samples: what the tests feed the op */

/* Kinds of an input: 'f' differentiable float, 'c' float without derivative, 'i' i64 whole numbers, 'j' i32, 'b' bool, 'u' u8.
 * Values are drawn from [lo, hi] (lo = hi = 0 means [-2, 2], for 'i' and 'j' they are inclusive bounds); avoid says how far the
 * values of this input stay from each other and from `kink` (for max, relu, ...): 0 for not at all. `diagonal` is added where
 * the last two positions are equal: for matrices that must be regular or positive definite. */
typedef struct tg_sample_in {
    char kind;
    tg_shape shape;
    double lo, hi, avoid, kink, diagonal;
} tg_sample_in;

#define TG_SAMPLE_INPUTS 6
typedef struct tg_sample {
    const char *note;                  /* what it is; NULL ends the list */
    tg_sample_in in[TG_SAMPLE_INPUTS]; /* kind 0 ends the inputs */
    const void *attr;
    /* for `bad`: what it must give */
    tg_status status;
    const char *text; /* found in the message */
} tg_sample;

/* ------------------------------------------------------------------ the descriptor */

typedef enum tg_op_flags {
    TG_OP_STRIDED = 1,     /* the kernel takes any strides for its inputs */
    TG_OP_CAN_FAIL = 2,    /* the kernel can fail: it runs before a step's commit point */
    TG_OP_RANDOM = 4,      /* a source of random numbers: never merged with an equal node */
    TG_OP_BOOL_OUT = 8,    /* elementwise: the result is bool whatever the inputs are */
    TG_OP_FLOAT_ONLY = 16, /* elementwise: inputs must be f32 or f64 */
    TG_OP_COND_FIRST = 32, /* elementwise: input 0 is bool and does not decide the dtype */
    TG_OP_CUT = 64,        /* gradients stop here: zero by definition, as the docs of the op say */
    TG_OP_CHEAP = 128,     /* elementwise: costs about as much as an addition */
    TG_OP_COMMUTES = 256,  /* op(a, b) = op(b, a) bit for bit */
    TG_OP_FENCE = 512,     /* an identity that the planner never looks through or merges */
    TG_OP_BOOL_IN = 1024   /* elementwise: inputs must be bool */
} tg_op_flags;

typedef struct tg_op {
    const char *name;    /* "relu" */
    const char *label;   /* in pictures; NULL: the name */
    const char *formula; /* "y = max(x, 0)" */
    const char *source;  /* paper and equation, or "elementary" */
    int min_in, max_in;  /* number of inputs; max_in < 0: any number from min_in up */
    int n_out;           /* 0 means 1 */
    unsigned flags;      /* tg_op_flags */
    size_t attr_size;
    const tg_field *fields;          /* ends with a NULL name; covers every member of the attribute struct */
    tg_status (*infer)(tg_infer *f); /* may be NULL for elementwise ops */
    void (*vjp)(tg_vjp_args *v);
    tg_tensor (*define)(tg_tape *t, const tg_tensor *in, int n_in, const void *attr); /* output 0 in smaller ops */
    /* Where several cotangents of one tensor are all outputs of this op: records their sum as one node, or returns a handle
     * with owner NULL. */
    tg_tensor (*sum)(const tg_tensor *const *in, const int *n_in, const void *const *attr, int n_nodes);
    const tg_micro *micro;
    tg_source_fn *const *source_fn; /* elementwise source: by dtype */
    tg_view_fn *view;
    tg_kernel_fn *kernel;
    tg_fold_kind fold; /* with kernel */
    /* bytes; not called where all outputs are empty */
    size_t (*scratch)(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads);
    tg_status (*ref)(tg_kernel_args *k); /* f64, packed, naive: for ops without definition. dtype of floats is f64 */
    double (*flops)(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr); /* NULL: one per element */
    const tg_sample *samples, *bad;
} tg_op;

/* tg_apply: records op on n inputs. t may be NULL if an input is on a tape. attr is copied. For several outputs use
 * tg_apply_n, which fills outs[op->n_out]. Errors: those of infer; TG_EARG for a wrong number of inputs. The descriptor must
 * live as long as the tape. */
TG_SITED(tg_tensor, tg_apply, tg_tape *t, const tg_op *op, const void *attr, const tg_tensor *in, int n);
TG_SITED(tg_status, tg_apply_n, tg_tape *t, const tg_op *op, const void *attr, const tg_tensor *in, int n, tg_tensor *outs);
#define tg_apply(...) tg_apply_at(TG_HERE, __VA_ARGS__)
#define tg_apply_n(...) tg_apply_n_at(TG_HERE, __VA_ARGS__)

/* The library's ops: count and descriptors, in the order of their names. tg_op_find: by name, or NULL. */
TG_EXPORT int tg_op_count(void);
TG_EXPORT const tg_op *tg_op_get(int index);
TG_EXPORT const tg_op *tg_op_find(const char *name);

/* tg_op_check: runs the whole battery on one op, yours or the library's: kernel against definition or reference, vjp against
 * central differences with random cotangents, <v, Ju> = <J'v, u>, second order, layouts, f32 against f64, 1, 2, 3 and 8
 * threads bit for bit, each wrong input's error. TG_FULL=1 in the environment asks for every set of inputs to differentiate
 * by and every pair of layouts of two inputs. Lines of the report go to `out` if it is not NULL: failures only, or with
 * verbose every case. Returns the number of failures; -1 if out of memory. */
typedef struct tg_op_report {
    int cases, failures;
    double worst_order1, worst_order2; /* largest relative errors seen, f64 */
    double worst_f32;                  /* f32 against f64, relative to the largest element */
    double ulp_value, ulp_gradient;    /* the same of elementwise ops, in units of the last place of each element: at most 8, or
                                        * what moving the inputs by two units changes (docs/gradients.md) */
    int cells;                         /* of input, dtype and layout that were tried */
    unsigned cell_set[2][TG_SAMPLE_INPUTS]; /* of f32 and f64, by input: bit i is tg_op_check_layout(i) */
    int layouts;                       /* number of layouts tried */
    unsigned layout_set;               /* bit i: tg_op_check_layout(i) was among them */
    char first_failure[256];
} tg_op_report;
TG_EXPORT const char *tg_op_check_layout(int i); /* "transposed storage"; NULL past the last one */
TG_EXPORT int tg_op_check(const tg_op *op, FILE *out, bool verbose, tg_op_report *report);

#ifdef __cplusplus
}
#endif
#endif
