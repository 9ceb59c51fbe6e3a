/* tapegrad/core.h: tapes, tensors, errors, gradients, running.
 *
 * You call ops; each records a node on a tape and computes nothing. Asking for a value (tg_item, tg_data, tg_read),
 * tg_run and tg_step compute what they need. The rules of running are in docs/design.md, section "Running".
 *
 * Threads: a tape and its tensors belong to one thread at a time; any number of tapes may live in any number of threads.
 * A model may be shared by any number of tapes (see model.h).
 *
 * Errors: no function of this library prints, aborts or exits. The first error of a tape stays until tg_clear; until then
 * ops return a poison tensor, nothing runs and no parameter changes. Check tg_ok(t) where it suits you: once is enough. */
#ifndef TAPEGRAD_CORE_H
#define TAPEGRAD_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TG_EXPORT __attribute__((visibility("default")))
#define TG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define TG_EXPORT
#define TG_PRINTF(fmt, args)
#endif

/* The caller's place in the source, "file:line"; a string of static storage. */
#define TG__TEXT_(x) #x
#define TG__TEXT(x) TG__TEXT_(x)
#define TG_HERE __FILE__ ":" TG__TEXT(__LINE__)

/* A function whose errors name the caller's line stands here three times: the _at form takes the place first (a string that
 * outlives the recording; NULL: unknown); the function of the plain name, which knows no place, is for function pointers and
 * other languages; and a macro of the plain name passes your line. */
#define TG_SITED(ret, name, ...)                            \
    TG_EXPORT ret name##_at(const char *site, __VA_ARGS__); \
    TG_EXPORT ret name(__VA_ARGS__)

/* ------------------------------------------------------------------ status */

/* X(name, text): one row per status; the enum, tg_status_name and tg_status_text are expanded from it. */
#define TG_STATUS_MAP(X)                                                         \
    X(OK, "no error")                                                            \
    X(ESHAPE, "shapes do not fit")                                               \
    X(EDTYPE, "element types do not fit")                                        \
    X(EARG, "an argument is not allowed")                                        \
    X(EINDEX, "an index is out of range")                                        \
    X(ESTALE, "a tensor was used after its tape was reset, rewound or freed")    \
    X(EMIXED, "tensors of different tapes were mixed")                           \
    X(ENOGRAD, "a derivative does not exist")                                    \
    X(ENOMEM, "out of memory")                                                   \
    X(ECHANGED, "an input or a parameter changed between recording and running") \
    X(EPENDING, "recorded effects never ran")                                    \
    X(ENONFINITE, "a NaN or an infinity was computed")                           \
    X(EIO, "a file could not be read or written")                                \
    X(EFORMAT, "a file is malformed")                                            \
    X(EUNSUPPORTED, "this build lacks an optional library")                      \
    X(EINTERNAL, "an invariant of the library or of a user's op is broken")

typedef enum tg_status {
#define TG__ROW(name, text) TG_##name,
    TG_STATUS_MAP(TG__ROW)
#undef TG__ROW
        TG_STATUS_COUNT
} tg_status;

TG_EXPORT const char *tg_status_name(tg_status s); /* "TG_ESHAPE"; static storage; "?" for a number that is no status */
TG_EXPORT const char *tg_status_text(tg_status s); /* "shapes do not fit"; static storage */

/* ------------------------------------------------------------------ dtypes, shapes, arrays */

/* X(name, short name, C type, bytes): one row per element type. bf16 and f16 are for storing: an op on them computes in f32
 * and rounds its result to them, ties to even; both steps are nodes of the recording. A uint16_t holds their bits. */
#define TG_DTYPE_MAP(X)          \
    X(F32, "f32", float, 4)      \
    X(F64, "f64", double, 8)     \
    X(I32, "i32", int32_t, 4)    \
    X(I64, "i64", int64_t, 8)    \
    X(U8, "u8", uint8_t, 1)      \
    X(BOOL, "bool", uint8_t, 1)  \
    X(BF16, "bf16", uint16_t, 2) \
    X(F16, "f16", uint16_t, 2)

typedef enum tg_dtype {
#define TG__ROW(name, text, type, bytes) TG_##name,
    TG_DTYPE_MAP(TG__ROW)
#undef TG__ROW
        TG_DTYPE_COUNT
} tg_dtype;

TG_EXPORT const char *tg_dtype_name(tg_dtype d); /* "f32"; "?" for a number that is no dtype */
TG_EXPORT size_t tg_dtype_size(tg_dtype d);      /* bytes per element; 0 for a number that is no dtype */

#define TG_MAX_RANK 8

/* Row-major; dimension 0 is the outermost. Rank 0 is a scalar; a dimension may be 0. */
typedef struct tg_shape {
    int32_t rank;
    int64_t dims[TG_MAX_RANK];
} tg_shape;

/* A set of axes; negative axes count from the end; n < 0 means all axes. */
typedef struct tg_axes {
    int32_t n;
    int32_t axis[TG_MAX_RANK];
} tg_axes;

#ifdef __cplusplus
} /* extern "C" */
template <class... D> inline tg_shape tg__make_shape(D... d) {
    tg_shape s = {(int32_t)sizeof...(d), {}};
    const int64_t v[] = {(int64_t)d..., 0};
    for (int i = 0; i < s.rank && i < TG_MAX_RANK; i++) s.dims[i] = v[i];
    return s;
}
template <class... D> inline tg_axes tg__make_axes(D... d) {
    tg_axes a = {(int32_t)sizeof...(d), {}};
    const int32_t v[] = {(int32_t)d..., 0};
    for (int i = 0; i < a.n && i < TG_MAX_RANK; i++) a.axis[i] = v[i];
    return a;
}
#define TG_SHAPE(...) tg__make_shape(__VA_ARGS__)
#define TG_AXES(...) tg__make_axes(__VA_ARGS__)
#define TG_SCALAR (tg__make_shape())
#define TG_ALL_AXES (tg_axes{-1, {}})
extern "C" {
#else
#define TG_SHAPE(...) ((tg_shape){(int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define TG_AXES(...) ((tg_axes){(int32_t)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), {__VA_ARGS__}})
#define TG_SCALAR ((tg_shape){0, {0}})
#define TG_ALL_AXES ((tg_axes){-1, {0}})
#endif

/* Ends of a slice (tg_slice): past the last element, and before the first one. */
#define TG_END INT64_MAX
#define TG_BEGIN INT64_MIN

/* How tg_pad continues an axis: with a number; mirrored at the last element; with the last element; from its other end. The
 * sizes are elements at the ends of each axis. */
typedef enum tg_pad_mode { TG_PAD_CONSTANT, TG_PAD_REFLECT, TG_PAD_REPLICATE, TG_PAD_CIRCULAR } tg_pad_mode;
typedef struct tg_padding {
    int64_t before[TG_MAX_RANK], after[TG_MAX_RANK];
    tg_pad_mode mode;
    double value;
} tg_padding;

/* How tg_interpolate finds a value between elements: one of them; or a weighted mean of the two next ones along each axis. */
typedef enum tg_interpolation { TG_NEAREST, TG_LINEAR } tg_interpolation;

/* Windows that slide along axes (tg_unfold, tg_fold). Entry i of the arrays is for the i-th of the axes: how many elements a
 * window has, how far it moves, how far apart its elements are. 0 means 1. */
typedef struct tg_windows {
    tg_axes axes;
    int64_t size[TG_MAX_RANK], step[TG_MAX_RANK], dilation[TG_MAX_RANK];
} tg_windows;

/* The caller's memory: packed, row-major. The pointer is read only while the call that takes the array runs, unless that
 * call says otherwise. */
typedef struct tg_array {
    tg_dtype dtype;
    tg_shape shape;
    const void *data;
} tg_array;

static inline tg_array tg_f32(const float *data, tg_shape shape) {
    tg_array a = {TG_F32, shape, data};
    return a;
}
static inline tg_array tg_f64(const double *data, tg_shape shape) {
    tg_array a = {TG_F64, shape, data};
    return a;
}
static inline tg_array tg_i32(const int32_t *data, tg_shape shape) {
    tg_array a = {TG_I32, shape, data};
    return a;
}
static inline tg_array tg_i64(const int64_t *data, tg_shape shape) {
    tg_array a = {TG_I64, shape, data};
    return a;
}
static inline tg_array tg_u8(const uint8_t *data, tg_shape shape) {
    tg_array a = {TG_U8, shape, data};
    return a;
}
static inline tg_array tg_bools(const uint8_t *data, tg_shape shape) {
    tg_array a = {TG_BOOL, shape, data};
    return a;
}
static inline tg_array tg_bf16(const uint16_t *bits, tg_shape shape) {
    tg_array a = {TG_BF16, shape, bits};
    return a;
}
static inline tg_array tg_f16(const uint16_t *bits, tg_shape shape) {
    tg_array a = {TG_F16, shape, bits};
    return a;
}

/* ------------------------------------------------------------------ handles */

typedef struct tg_tape tg_tape;   /* recorder, planner, memory, random state and error state of one thread of work */
typedef struct tg_model tg_model; /* named parameters and buffers (model.h) */

/* A value on a tape, or a parameter of a model. Passed by value, never freed. A tape's tensor lives until the tape is
 * reset or rewound past it, a parameter until its model is freed; use after that is the named error TG_ESTALE. */
typedef struct tg_tensor {
    struct tg_owner *owner;
    uint32_t id, epoch;
} tg_tensor;

/* ------------------------------------------------------------------ options of linear algebra */

/* What a triangular matrix is, for tg_triangular_solve: or them together. Without TG_LOWER it is upper. */
typedef enum tg_triangle { TG_LOWER = 1, TG_TRANSPOSED = 2, TG_UNIT = 4 /* the diagonal is ones, and not read */ } tg_triangle;

/* tg_matrix_norm: the root of the sum of squares, the sum and the largest of the singular values, the largest column and row
 * sum of absolute values. */
typedef enum tg_matrix_norm_kind { TG_FROBENIUS, TG_NUCLEAR, TG_SPECTRAL, TG_COLUMN_SUM, TG_ROW_SUM } tg_matrix_norm_kind;

/* ------------------------------------------------------------------ options of losses */

typedef enum tg_reduction { TG_REDUCE_MEAN, TG_REDUCE_SUM, TG_REDUCE_NONE } tg_reduction;

/* How a loss is summed up, the same for every loss that takes it; {0} is the plain mean. A tensor whose owner is NULL is not
 * given. The loss of a row (or of an element, where the loss says so) is multiplied by `weight` and counts where `mask` is
 * true; both broadcast to the losses. What is masked out reaches neither the value nor a gradient, NaN or not. The mean is
 * over what counts: weights do not change the number that it is divided by, but class weights do; the mean of nothing is 0.
 * A field that a loss has no use for must be zero: TG_EARG. */
typedef struct tg_loss_options {
    tg_reduction reduction;
    tg_tensor weight, mask;
    tg_tensor class_weight; /* (C), of each class: with labels the mean is divided by the sum of their weights */
    double smoothing;       /* of labels, in [0, 1]: this part of the probability is spread evenly over the classes */
    bool ignore;            /* labels equal to `ignored` do not count; they need not be classes */
    int64_t ignored;
} tg_loss_options;

/* ------------------------------------------------------------------ tapes */

/* tg_tape_new: an empty tape. Returns NULL only when out of memory. TG_EAGER=1 in the environment starts it in eager mode.
 * tg_tape_free: frees the tape and all that it holds; NULL is allowed. Its tensors become stale. */
TG_EXPORT tg_tape *tg_tape_new(void);
TG_EXPORT void tg_tape_free(tg_tape *t);

/* tg_tape_reset: drops every node; memory is kept for the next recording. Kept plans, states (tg_state_new) and the random
 * state go on. Effects that never ran are the error TG_EPENDING, naming the first one's site (tg_discard_effects first says
 * that it is meant). Returns the tape's status. */
TG_EXPORT tg_status tg_tape_reset(tg_tape *t);
TG_EXPORT void tg_discard_effects(tg_tape *t);

/* A point of the recording. tg_rewind drops the nodes recorded since the mark, except tensors marked by tg_keep, whose
 * values it computes first if need be. A mark of another tape or from before a reset is TG_ESTALE. */
typedef struct tg_mark {
    uint32_t id, epoch;
} tg_mark;
TG_EXPORT tg_mark tg_tape_mark(tg_tape *t);
TG_EXPORT tg_status tg_rewind(tg_tape *t, tg_mark m);

/* Scopes name parts of a model in errors and pictures: "enc.0.attn". Push and pop in pairs; reset closes all. */
TG_EXPORT void tg_push_scope(tg_tape *t, const char *name);
TG_EXPORT void tg_pop_scope(tg_tape *t);

/* tg_set_eager: run every node at once, unfused, from here on: for debugging. Each op reads its parameters as it is
 * recorded, so that a model which another tape steps meanwhile may be seen at two of its steps: serve from a snapshot then
 * (tg_model_publish). */
TG_EXPORT void tg_set_eager(tg_tape *t, bool on);
TG_EXPORT void tg_set_threads(tg_tape *t, int threads); /* most threads a kernel may use; 0: OpenMP's number (default) */
TG_EXPORT void tg_seed(tg_tape *t, uint64_t seed);      /* restart the random numbers of this tape; the default seed is 0 */
/* Where a tape's random numbers are: its seed, and how many random tensors it has recorded since. Two numbers to save and
 * restore as they are; the tensors recorded after tg_random_set are those that followed tg_random_get, for any number of
 * threads. Set it between recordings: a recording that fails gives its random tensors back at the reset. */
typedef struct tg_random_state {
    uint64_t seed, stream;
} tg_random_state;
TG_EXPORT tg_random_state tg_random_get(const tg_tape *t); /* zeros for NULL */
TG_EXPORT void tg_random_set(tg_tape *t, tg_random_state state);
/* tg_check_finite: when on, a step whose new values or roots hold a NaN or an infinity changes nothing and is TG_ENONFINITE;
 * the message names the op, site, element and inputs where the first one was born. Costs all gradients alive at once. */
TG_EXPORT void tg_check_finite(tg_tape *t, bool on);

/* ------------------------------------------------------------------ errors */

TG_EXPORT bool tg_ok(const tg_tape *t);             /* no error since the last tg_clear; false for NULL */
TG_EXPORT tg_status tg_error(const tg_tape *t);     /* TG_OK or the first error's code */
TG_EXPORT const char *tg_message(const tg_tape *t); /* the first error, "" if none; valid until the next call on the tape */
TG_EXPORT void tg_clear(tg_tape *t);                /* forget the error. Nodes recorded before it are still there */

/* The first error in parts, for programs. Strings are valid until the next call on the tape; "" where unknown. */
typedef struct tg_error_info {
    tg_status status;
    const char *op, *site, *scope, *message;
} tg_error_info;
TG_EXPORT tg_error_info tg_error_get(const tg_tape *t);

/* ------------------------------------------------------------------ leaves */

/* tg_input: records an input and copies its bytes at once.
 * tg_borrow: does not copy: the bytes must not change or go away until the tape is reset. With TG_CHECK=1 in the environment
 *   they are hashed when recorded and compared when run: TG_ECHANGED.
 * tg_scalar: a number of a float dtype, rank 0. It is data, not structure: a new value never makes a new plan.
 * tg_on: reads a parameter on this tape: the newest recorded assignment, else the model's value. Handles of parameters may
 *   be given to ops directly; tg_on is for ops on parameters alone, and to name the version that a gradient means. Without it
 *   such an op knows no tape to hold an error: its result is no tensor (tg_item gives NaN), and the first op that meets it on
 *   a tape says so.
 * tg_state_new: a state of this tape, all zeros: survives resets, written by tg_assign, gradients stop at it. An op on states
 *   and parameters alone needs tg_on, too. */
TG_SITED(tg_tensor, tg_input, tg_tape *t, tg_array a);
TG_SITED(tg_tensor, tg_borrow, tg_tape *t, tg_array a);
TG_SITED(tg_tensor, tg_scalar, tg_tape *t, double value, tg_dtype dtype);
TG_SITED(tg_tensor, tg_on, tg_tape *t, tg_tensor parameter);
TG_SITED(tg_tensor, tg_state_new, tg_tape *t, tg_shape shape, tg_dtype dtype);
#define tg_input(...) tg_input_at(TG_HERE, __VA_ARGS__)
#define tg_borrow(...) tg_borrow_at(TG_HERE, __VA_ARGS__)
#define tg_scalar(...) tg_scalar_at(TG_HERE, __VA_ARGS__)
#define tg_on(...) tg_on_at(TG_HERE, __VA_ARGS__)
#define tg_state_new(...) tg_state_new_at(TG_HERE, __VA_ARGS__)

/* ------------------------------------------------------------------ facts of a tensor */

TG_EXPORT tg_shape tg_shape_of(tg_tensor x); /* rank 0 for a bad handle */
TG_EXPORT tg_dtype tg_dtype_of(tg_tensor x); /* TG_F32 for a bad handle */
TG_EXPORT int64_t tg_numel(tg_tensor x);     /* 0 for a bad handle */
TG_EXPORT bool tg_valid(tg_tensor x);        /* a live handle, not poison */
TG_EXPORT tg_tape *tg_tape_of(tg_tensor x);  /* NULL for a parameter and for a bad handle */

/* ------------------------------------------------------------------ asking, running, stepping */

/* Asking computes what the value needs and keeps what it wrote until the reset; it never runs an effect.
 * tg_item: the one element of x as a double; NaN on error.
 * tg_data: the elements, packed and row-major; NULL on error. The memory is the tape's (or, for a parameter, the model's)
 *   and lives as long as the handle.
 * tg_read: copies them to dst, which must have room for exactly `bytes` = elements times element size. */
TG_SITED(double, tg_item, tg_tensor x);
TG_SITED(const void *, tg_data, tg_tensor x);
TG_SITED(tg_status, tg_read, tg_tensor x, void *dst, size_t bytes);
#define tg_item(...) tg_item_at(TG_HERE, __VA_ARGS__)
#define tg_data(...) tg_data_at(TG_HERE, __VA_ARGS__)
#define tg_read(...) tg_read_at(TG_HERE, __VA_ARGS__)

/* tg_run: computes exactly these n outputs, reusing memory by liveness: inference. Their values can then be asked for. */
TG_SITED(tg_status, tg_run, tg_tape *t, const tg_tensor *outs, int n);
#define tg_run(...) tg_run_at(TG_HERE, __VA_ARGS__)

/* tg_assign: records that target (parameter, buffer, state) takes the value when the tape steps. Shape and dtype must be
 *   equal. Returns the tape's status.
 * tg_want: x must be computed by the next step, and kept.   tg_keep: if x is computed, keep it; survives tg_rewind.
 * tg_drop: ends tg_keep.
 * tg_step: runs all recorded effects and wants as one plan. All or nothing: on an error no parameter has changed. */
TG_SITED(tg_status, tg_assign, tg_tensor target, tg_tensor value);
TG_SITED(tg_tensor, tg_want, tg_tensor x);
TG_SITED(tg_tensor, tg_keep, tg_tensor x);
TG_EXPORT void tg_drop(tg_tensor x);
TG_SITED(tg_status, tg_step, tg_tape *t);
#define tg_assign(...) tg_assign_at(TG_HERE, __VA_ARGS__)
#define tg_want(...) tg_want_at(TG_HERE, __VA_ARGS__)
#define tg_keep(...) tg_keep_at(TG_HERE, __VA_ARGS__)
#define tg_step(...) tg_step_at(TG_HERE, __VA_ARGS__)

/* ------------------------------------------------------------------ gradients */

/* tg_grad: records dy/dx for each of the n tensors xs and writes the handles to gs. y must have one element; use tg_vjp to
 *   give a cotangent. Gradients are ordinary tensors: differentiate them again for higher orders.
 *   Errors: TG_ENOGRAD if y does not depend on an x, or through an op that has no derivative, naming op and site.
 * tg_vjp: the same for any y, with a cotangent of y's shape.
 * tg_jvp: records dy = (dy/dx) dx for tangents dxs of the xs' shapes (vjp of the vjp, which is linear in its cotangent).
 * tg_hvp: records H v for scalar y, where H is the Hessian over the xs together; v's as tangents, hs receives n tensors.
 * All return TG_OK or the tape's error; on an error the output handles are poison. */
TG_SITED(tg_status, tg_grad, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs);
TG_SITED(tg_status, tg_vjp, tg_tensor y, tg_tensor cotangent, const tg_tensor *xs, int n, tg_tensor *gs);
TG_SITED(tg_tensor, tg_jvp, tg_tensor y, const tg_tensor *xs, const tg_tensor *dxs, int n);
TG_SITED(tg_status, tg_hvp, tg_tensor y, const tg_tensor *xs, const tg_tensor *vs, int n, tg_tensor *hs);
#define tg_grad(...) tg_grad_at(TG_HERE, __VA_ARGS__)
#define tg_vjp(...) tg_vjp_at(TG_HERE, __VA_ARGS__)
#define tg_jvp(...) tg_jvp_at(TG_HERE, __VA_ARGS__)
#define tg_hvp(...) tg_hvp_at(TG_HERE, __VA_ARGS__)

/* tg_jacobian: records dy/dx for each of the n xs: js[k] has the shape (y's..., x's...). One recording holds a row for each
 *   element of y: good to some hundred rows.
 * tg_hessian: records the second derivatives of scalar y over the xs together, in n times n blocks: hs[i n + j] has the shape
 *   (x i's..., x j's...) and holds d2y / dx_i dx_j.
 * Errors: those of tg_grad; TG_ESHAPE if both shapes have more than TG_MAX_RANK dimensions together. */
TG_SITED(tg_status, tg_jacobian, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *js);
TG_SITED(tg_status, tg_hessian, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *hs);
#define tg_jacobian(...) tg_jacobian_at(TG_HERE, __VA_ARGS__)
#define tg_hessian(...) tg_hessian_at(TG_HERE, __VA_ARGS__)

/* tg_depends: whether y depends on x through differentiable paths (so that tg_grad would not be TG_ENOGRAD for want of one). */
TG_EXPORT bool tg_depends(tg_tensor y, tg_tensor x);

/* tg_custom_grad: y with a gradient of your own. Returns a tensor equal to y; tg_grad through it calls fn, which records the
 * cotangents of the n inputs xs from g, the cotangent of y, and writes them to gs (leave an entry as it is for no gradient).
 * Gradients of y's own ops are not used. fn and user must live as long as the recording. n is at most 15. */
typedef void (*tg_custom_fn)(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user);
TG_SITED(tg_tensor, tg_custom_grad, tg_tensor y, const tg_tensor *xs, int n, tg_custom_fn fn, void *user);
#define tg_custom_grad(...) tg_custom_grad_at(TG_HERE, __VA_ARGS__)

/* tg_straight_through: y, with the gradient of x: the cotangent of the result goes to x as it is, none to y. x and y have one
 * shape and dtype (TG_ESHAPE). For steps and rounding: tg_straight_through(tg_sign(x), x).
 * Source: Bengio, Leonard, Courville 2013, arXiv:1308.3432, section 2 */
TG_SITED(tg_tensor, tg_straight_through, tg_tensor y, tg_tensor x);
#define tg_straight_through(...) tg_straight_through_at(TG_HERE, __VA_ARGS__)

/* tg_checkpoint: y = fn(t, xs, n, user), whose inner values are not kept for the gradient: it records them a second time, where
 * they are needed. Less memory, about a third more work, the same bits. fn records ops on its tensors, and may use parameters
 * and any other tensor of the tape: gradients flow to all of them. It is called once, here; user need not live longer. Random
 * numbers are those of the first time, and assignments that fn records happen once. Checkpoints nest, to a depth of about 4.
 * t may be NULL if an x is on a tape. Returns poison on an error. */
typedef tg_tensor (*tg_part_fn)(tg_tape *t, const tg_tensor *xs, int n, void *user);
TG_SITED(tg_tensor, tg_checkpoint, tg_tape *t, tg_part_fn fn, void *user, const tg_tensor *xs, int n);
#define tg_checkpoint(...) tg_checkpoint_at(TG_HERE, __VA_ARGS__)

/* ------------------------------------------------------------------ what a tape did */

/* Counters since the tape was made; sizes in bytes. */
typedef struct tg_tape_stats {
    uint64_t nodes, nodes_recorded;                                 /* live now; ever */
    uint64_t runs, plans_made, plan_hits, plans_cached, plan_bytes; /* plan_bytes: held by the cache now */
    uint64_t gradient_hits;                                         /* gradients taken over from an equal recording */
    uint64_t pool_bytes, kept_bytes; /* pool: values of one step, by liveness; kept: asked and kept values */
    uint64_t steps, blocks, kernels,
        micro_ops; /* of the last plan run: all steps; fused blocks; kernels; micro-ops in blocks */
} tg_tape_stats;
TG_EXPORT tg_tape_stats tg_stats(const tg_tape *t);

/* A profile of the kernels that ran: one row per op (fused blocks are the row "block"). tg_profile switches it on (clearing
 * what was there) or off; tg_profile_rows copies up to n rows, the most time first, and returns how many there are. */
typedef struct tg_profile_row {
    const char *name;
    uint64_t calls, ns, bytes; /* bytes read and written, by the shapes */
} tg_profile_row;
TG_EXPORT void tg_profile(tg_tape *t, bool on);
TG_EXPORT int tg_profile_rows(const tg_tape *t, tg_profile_row *rows, int n);

/* Environment variables:
 *   TG_EAGER=1                     tapes begin in eager mode (tg_set_eager)
 *   TG_TRAP=1                      the first error of a tape traps, so that a debugger stops at the guilty call
 *   TG_CHECK=1                     borrowed bytes are hashed and compared (tg_borrow)
 *   TG_POISON=1                    memory that is not in use holds NaNs, with guards around each value: slow, for tests
 *   TG_REMAT=never, always         values of a large run are never made twice to save memory, or whatever it costs
 *   TG_ISA=baseline, avx2, avx512  the instruction set, if the CPU has it
 *   TG_MATMUL=f32, bf16            f32 products without AMX, or on AMX from operands in bf16 (tg_matmul)
 *   TG_CONV=plain                  convolutions without Winograd's filtering (tg_conv2d)
 *   OMP_NUM_THREADS, OMP_WAIT_POLICY=passive   OpenMP's: threads, and that those without work sleep */

#define TG_VERSION "0.1.0"              /* also the package's: the Makefile reads it here */
TG_EXPORT const char *tg_version(void); /* TG_VERSION of the library that runs */
TG_EXPORT const char *tg_isa(void);     /* the instruction set in use: "baseline", "avx2", "avx512" */

#ifdef __cplusplus
}
#endif
#endif
