/* Bad input: each case has its status, a message that names op, shapes and the caller's line, and after tg_clear work goes on.
 * By the plain executor and by the planner. */
#include "engine/engine.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <tapegrad.h>

typedef struct world {
    tg_tape *t, *other;
    tg_model *m;
    tg_optim *o;
    tg_tensor w;                /* (3) f32 */
    tg_tensor a, b, v, d, i, e; /* (2, 3) f32, (4, 5) f32, (3) f32, (3) f64, (3) i64, (0, 3) f32 */
} world;

static void record_inputs(world *w) {
    static const float f[20] = {1, 2, 3, 4, 5, 6};
    static const double d[3] = {1, 2, 3};
    static const int64_t i[3] = {0, 1, 2};
    w->a = tg_input(w->t, tg_f32(f, TG_SHAPE(2, 3)));
    w->b = tg_input(w->t, tg_f32(f, TG_SHAPE(4, 5)));
    w->v = tg_input(w->t, tg_f32(f, TG_SHAPE(3)));
    w->d = tg_input(w->t, tg_f64(d, TG_SHAPE(3)));
    w->i = tg_input(w->t, tg_i64(i, TG_SHAPE(3)));
    w->e = tg_input(w->t, tg_f32(f, TG_SHAPE(0, 3)));
}

static void train(world *w) { tg_minimize(w->o, tg_sum(tg_square(tg_on(w->t, w->w)), TG_ALL_AXES, false)); }

/* After an error: nothing is recorded, nothing runs, no parameter changes; after tg_clear all of it does. */
static void goes_on(world *w, int line) {
    float before[3], after[3];
    tg_tensor poison = tg_add(w->v, w->v);
    uint64_t nodes = tg_stats(w->t).nodes;
    tg_read(w->w, before, sizeof before);
    train(w);
    tg_read(w->w, after, sizeof after);
    CHECK(!tg_valid(poison), "line %d: an op worked on a tape with an error", line);
    CHECK(isnan(tg_item(poison)), "line %d: poison has a value", line);
    CHECK(!memcmp(before, after, sizeof after), "line %d: a parameter changed on a tape with an error", line);
    CHECK(tg_stats(w->t).nodes == nodes, "line %d: something was recorded", line);
    tg_clear(w->t);
    CHECK(!*tg_message(w->t), "line %d: a message after tg_clear", line);
    tg_discard_effects(w->t);
    tg_tape_reset(w->t);
    tg_tensor two = tg_add(tg_scalar(w->t, 1, TG_F32), tg_scalar(w->t, 1, TG_F32));
    CHECK(tg_item(two) == 2, "line %d: 1 + 1 is %g: %s", line, tg_item(two), tg_message(w->t));
    train(w);
    tg_read(w->w, after, sizeof after);
    CHECK(memcmp(before, after, sizeof after), "line %d: no step after tg_clear: %s", line, tg_message(w->t));
    CHECK(tg_ok(w->t), "line %d: %s", line, tg_message(w->t));
    tg_tape_reset(w->t);
    record_inputs(w);
}

static void fails(world *w, int line, tg_status status, const char *op, const char *parts) {
    char here[40], part[160];
    snprintf(here, sizeof here, "errors.c:%d", line);
    tg_error_info e = tg_error_get(w->t);
    CHECK(e.status == status, "line %d: %s: %s", line, tg_status_name(e.status), e.message);
    CHECK(strcmp(e.op, op) == 0, "line %d: the op is '%s', not '%s'", line, e.op, op);
    CHECK(strstr(e.message, op) == e.message, "line %d: '%s' does not begin with the op", line, e.message);
    CHECK(strstr(e.site, here) && strstr(e.message, here), "line %d: the site is '%s' in '%s'", line, e.site, e.message);
    for (const char *p = parts; *p; p += strspn(p, "|")) {
        size_t n = strcspn(p, "|");
        snprintf(part, sizeof part, "%.*s", (int)n, p);
        CHECK(strstr(e.message, part), "line %d: '%s' is not in '%s'", line, part, e.message);
        p += n;
    }
    goes_on(w, line);
}

/* The call must fail so; parts that the message must have are divided by |. */
#define FAILS(status, op, parts, ...)               \
    do {                                            \
        (void)(__VA_ARGS__);                        \
        fails(w, __LINE__, TG_##status, op, parts); \
    } while (0)

static void with_world(void (*body)(world *w)) {
    for (int eager = 1; eager >= 0; eager--) {
        world w = {.t = tg_tape_new(), .other = tg_tape_new(), .m = tg_model_new(1)};
        tg_set_eager(w.t, eager);
        w.w = tg_param(w.m, "w", TG_SHAPE(3), TG_F32, (tg_init){.kind = TG_INIT_CONSTANT, .a = 1});
        w.o = tg_sgd(w.m, (tg_sgd_config){0});
        record_inputs(&w);
        body(&w);
        CHECK(tg_ok(w.t), "%s", tg_message(w.t));
        tg_optim_free(w.o);
        tg_tape_free(w.t);
        tg_tape_free(w.other);
        tg_model_free(w.m);
    }
}

#define ERRORS(name)                                  \
    static void errors_##name(world *w);              \
    TEST(errors, name) { with_world(errors_##name); } \
    static void errors_##name(world *w)

static tg_tensor total(tg_tensor x) { return tg_sum(x, TG_ALL_AXES, false); }

/* ------------------------------------------------------------------ shapes */

ERRORS(shapes_that_clash) {
    tg_tensor pair[2], out[4];
    FAILS(ESHAPE, "add", "(2, 3)|(4, 5)", tg_add(w->a, w->b));
    FAILS(ESHAPE, "where", "(2, 3)|(4, 5)", tg_where(tg_gt(w->a, w->a), w->a, w->b));
    FAILS(ESHAPE, "matmul", "(2, 3)|(4, 5)", tg_matmul(w->a, w->b));
    FAILS(ESHAPE, "matmul", "", tg_matmul(tg_scalar(w->t, 1, TG_F32), w->b));
    FAILS(ESHAPE, "reshape", "(2, 3)", tg_reshape(w->a, TG_SHAPE(4)));
    FAILS(ESHAPE, "reshape", "(2, 3)", tg_reshape(w->a, TG_SHAPE(-1, 4)));
    FAILS(ESHAPE, "expand", "(2, 3)|(2, 4)", tg_expand(w->a, TG_SHAPE(2, 4)));
    FAILS(ESHAPE, "transpose", "(3)", tg_transpose(w->v));
    FAILS(ESHAPE, "squeeze", "(2, 3)", tg_squeeze(w->a, TG_AXES(0)));
    pair[0] = w->a, pair[1] = w->b;
    FAILS(ESHAPE, "concat", "(2, 3)|(4, 5)", tg_concat(pair, 2, 0));
    pair[0] = w->a, pair[1] = w->b;
    FAILS(ESHAPE, "stack", "(2, 3)|(4, 5)", tg_stack(pair, 2, 0));
    FAILS(ESHAPE, "split", "axis 1 of size 5", tg_split(w->b, 1, 4, out));
    FAILS(ESHAPE, "mse", "(2, 3)|(3)", tg_mse(w->a, w->v));
    FAILS(ESHAPE, "cross_entropy", "(2, 3)|(3)", tg_cross_entropy(w->a, w->i));
    FAILS(ESHAPE, "item", "(2, 3)", tg_item(w->a));
    FAILS(ESHAPE, "assign", "w is (3)|(2, 3)", tg_assign(w->w, w->a), 0);
    FAILS(ESHAPE, "grad", "(2, 3)", tg_grad(tg_square(w->a), &w->a, 1, out));
    FAILS(ESHAPE, "vjp", "(2, 3)|(4, 5)", tg_vjp(tg_square(w->a), w->b, &w->a, 1, out));
    FAILS(ESHAPE, "jvp", "(2, 3)|(4, 5)", tg_jvp(tg_square(w->a), &w->a, &w->b, 1));
    FAILS(ESHAPE, "hvp", "(2, 3)|(4, 5)", tg_hvp(total(tg_square(w->a)), &w->a, &w->b, 1, out));
    FAILS(ESHAPE, "update", "(3)|(2, 3)", tg_update_grads(w->o, &w->w, &w->a, 1));
}

ERRORS(sizes_negative_or_too_large) {
    const int64_t huge = (int64_t)1 << 40;
    tg_tensor deep = tg_zeros(w->t, TG_SHAPE(1, 1, 1, 1, 1, 1, 1, 2), TG_F32);
    FAILS(ESHAPE, "unsqueeze", "8", tg_unsqueeze(deep, TG_AXES(0)));
    FAILS(ESHAPE, "input", "(2, -3)", tg_input(w->t, tg_f32((float[]){1}, TG_SHAPE(2, -3))));
    FAILS(ESHAPE, "borrow", "(-1)", tg_borrow(w->t, tg_f32((float[]){1}, TG_SHAPE(-1))));
    FAILS(ESHAPE, "input", "rank 9", tg_input(w->t, (tg_array){TG_F32, {9, {1}}, &huge}));
    FAILS(ESHAPE, "input", "rank -1", tg_input(w->t, (tg_array){TG_F32, {-1, {1}}, &huge}));
    FAILS(ESHAPE, "input", "memory can hold", tg_input(w->t, tg_f32((float[]){1}, TG_SHAPE(huge, huge))));
    FAILS(ESHAPE, "zeros", "(-4)", tg_zeros(w->t, TG_SHAPE(-4), TG_F32));
    FAILS(ESHAPE, "ones", "memory can hold", tg_ones(w->t, TG_SHAPE(huge, huge), TG_F32));
    FAILS(ESHAPE, "zeros", "rank 9", tg_zeros(w->t, (tg_shape){9, {1}}, TG_F32));
    FAILS(ESHAPE, "full", "(-1)", tg_full(w->t, TG_SHAPE(-1), 3, TG_F32));
    FAILS(ESHAPE, "uniform", "(3, -1)", tg_uniform(w->t, TG_SHAPE(3, -1), TG_F32, 0, 1));
    FAILS(ESHAPE, "normal", "memory can hold", tg_normal(w->t, TG_SHAPE(huge, huge), TG_F32, 0, 1));
    FAILS(ESHAPE, "expand", "memory can hold", tg_expand(w->v, TG_SHAPE(huge, huge, 3)));
    FAILS(ESHAPE, "expand", "", tg_expand(w->v, (tg_shape){12, {1, 1}}));
    FAILS(ESHAPE, "reshape", "", tg_reshape(w->v, (tg_shape){-2, {1, 1}}));
    FAILS(ESHAPE, "reshape", "", tg_reshape(w->v, TG_SHAPE(-3, -1)));
    FAILS(ESHAPE, "state", "(-2)", tg_state_new(w->t, TG_SHAPE(-2), TG_F32));
    FAILS(EARG, "one_hot", "-1", tg_one_hot(w->i, -1, TG_F32));
    FAILS(EARG, "arange", "-1", tg_arange(w->t, -1, TG_F32));
    FAILS(EARG, "arange", "", tg_arange(w->t, huge, TG_I32));
    FAILS(ENOMEM, "data", "", tg_data(tg_zeros(w->t, TG_SHAPE(huge, 1024), TG_F32)));
    FAILS(ENOMEM, w->t->eager ? "uniform" : "run", "", tg_data(tg_uniform(w->t, TG_SHAPE(huge, 1024), TG_F32, 0, 1)));
}

ERRORS(an_empty_batch) {
    const int64_t none[1] = {0};
    tg_tensor no_rows = tg_input(w->t, tg_i64(none, TG_SHAPE(0)));
    FAILS(ESHAPE, "mean", "(0, 3)", tg_mean(w->e, TG_ALL_AXES, false));
    FAILS(ESHAPE, "max", "(0, 3)", tg_max(w->e, TG_AXES(0), false));
    FAILS(ESHAPE, "min", "(0, 3)", tg_min(w->e, TG_AXES(0), false));
    FAILS(ESHAPE, "argmax", "(0, 3)", tg_argmax(w->e, 0));
    FAILS(ESHAPE, "softmax", "size 0|(0, 3) f32", tg_softmax(w->e, 0));
    FAILS(ESHAPE, "log_softmax", "size 0|(0, 3) f32", tg_log_softmax(w->e, -2));
    FAILS(ESHAPE, "mse", "(0, 3)", tg_mse(w->e, w->e));
    no_rows = tg_input(w->t, tg_i64(none, TG_SHAPE(0)));
    FAILS(ESHAPE, "cross_entropy", "(0, 3)", tg_cross_entropy(w->e, no_rows));
    tg_tensor y = total(tg_matmul(w->e, tg_reshape(tg_on(w->t, w->w), TG_SHAPE(3, 1)))); /* a sum of nothing is 0 */
    CHECK_EQ_I(tg_minimize(w->o, y), TG_OK);
    CHECK_NEAR(tg_item(y), 0, 0);
}

static tg_status refuse(tg_kernel_args *k) {
    snprintf(k->message, k->message_size, "no %s today", "luck");
    return TG_EARG;
}

static tg_status refuse_at_length(tg_infer *f) {
    char text[390];
    memset(text, 'x', sizeof text);
    return tg_infer_fail(f, TG_EARG, "%.*s", (int)sizeof text, text);
}

/* Every input is named, of many the first 8; a message too long is cut, but not its place (fails looks for that). */
ERRORS(many_and_long_shapes) {
    static const tg_op wordy = {.name = "wordy", .min_in = 1, .max_in = -1, .infer = refuse_at_length, .kernel = refuse};
    const int64_t n = 123;
    tg_tensor many[12];
    for (int i = 0; i < 12; i++) many[i] = i < 7 ? w->a : w->b;
    FAILS(ESHAPE, "concat", "(2, 3) f32, (4, 5) f32, ... (12)", tg_concat(many, 12, 0));
    for (int i = 0; i < 6; i++) many[i] = i < 3 ? w->a : w->b;
    FAILS(ESHAPE, "concat", "(2, 3) f32, (2, 3) f32, (2, 3) f32, (4, 5) f32, (4, 5) f32, (4, 5) f32", tg_concat(many, 6, 0));
    for (int i = 0; i < 8; i++) many[i] = tg_zeros(w->t, TG_SHAPE(n, n, n, n, n, n, n, n), TG_F32);
    FAILS(EARG, "wordy", "xxxx; inputs (123, 123, ", tg_apply(w->t, &wordy, NULL, many, 8));
}

/* ------------------------------------------------------------------ dtypes */

ERRORS(dtypes_that_clash) {
    tg_tensor pair[2], g;
    FAILS(EDTYPE, "add", "f32|f64", tg_add(w->v, w->d));
    FAILS(EDTYPE, "matmul", "f32|f64", tg_matmul(w->v, w->d));
    FAILS(EDTYPE, "exp", "i64", tg_exp(w->i));
    FAILS(EDTYPE, "and", "f32", tg_and(w->v, w->v));
    FAILS(EDTYPE, "not", "f32", tg_not(w->v));
    FAILS(EDTYPE, "where", "f32", tg_where(w->v, w->v, w->v));
    FAILS(EDTYPE, "gather", "f32", tg_gather(w->v, 0, w->v));
    FAILS(EDTYPE, "one_hot", "f32", tg_one_hot(w->v, 3, TG_F32));
    FAILS(EDTYPE, "softmax", "i64", tg_softmax(w->i, 0));
    FAILS(EDTYPE, "softmax", "(2, 3) i64", tg_softmax(tg_cast(w->a, TG_I64), 0));
    FAILS(EDTYPE, "cross_entropy", "f32", tg_cross_entropy(w->a, tg_slice(w->v, 0, 0, 2, 1)));
    FAILS(EDTYPE, "mean", "i64", tg_mean(w->i, TG_ALL_AXES, false));
    FAILS(EDTYPE, "sum", "bool", tg_sum(tg_gt(w->v, w->v), TG_ALL_AXES, false));
    pair[0] = w->v, pair[1] = w->d;
    FAILS(EDTYPE, "concat", "f32|f64", tg_concat(pair, 2, 0));
    FAILS(EDTYPE, "scale", "i64", tg_scale(w->i, 2));
    FAILS(EDTYPE, "cast", "77", tg_cast(w->v, (tg_dtype)77));
    FAILS(EDTYPE, "input", "-1", tg_input(w->t, (tg_array){(tg_dtype)-1, TG_SCALAR, &g}));
    FAILS(EDTYPE, "scalar", "i32", tg_scalar(w->t, 1, TG_I32));
    FAILS(EDTYPE, "zeros", "99", tg_zeros(w->t, TG_SCALAR, (tg_dtype)99));
    FAILS(EDTYPE, "uniform", "i32", tg_uniform(w->t, TG_SCALAR, TG_I32, 0, 1));
    FAILS(EDTYPE, "state", "99", tg_state_new(w->t, TG_SCALAR, (tg_dtype)99));
    FAILS(EDTYPE, "assign", "w is (3) f32|f64", tg_assign(w->w, w->d), 0);
    FAILS(EDTYPE, "grad", "i64", tg_grad(tg_sum(w->i, TG_ALL_AXES, false), &w->v, 1, &g));
    FAILS(EDTYPE, "grad", "i64", tg_grad(total(w->v), &w->i, 1, &g));
    FAILS(EDTYPE, "update", "f32|f64", tg_update_grads(w->o, &w->w, &w->d, 1));
}

/* ------------------------------------------------------------------ arguments */

static void no_gradient(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)xs, (void)n, (void)user;
    gs[0] = tg_slice(g, 0, 0, 1, 1); /* of the wrong shape */
}

ERRORS(arguments_out_of_range) {
    tg_tensor many[16], out[4], g;
    for (int i = 0; i < 16; i++) many[i] = w->v;
    FAILS(EARG, "custom_grad", "16", tg_custom_grad(w->v, many, 16, no_gradient, NULL));
    FAILS(EARG, "custom_grad", "", tg_custom_grad(w->v, &w->v, 1, NULL, NULL));
    FAILS(EARG, "sum", "2", tg_sum(w->a, TG_AXES(2), false));
    FAILS(EARG, "sum", "", tg_sum(w->a, TG_AXES(0, -2), false));
    FAILS(EARG, "sum", "", tg_sum(w->a, (tg_axes){77, {0}}, false));
    FAILS(EARG, "argmax", "-3", tg_argmax(w->a, -3));
    FAILS(EARG, "softmax", "5", tg_softmax(w->a, 5));
    FAILS(EARG, "permute", "", tg_permute(w->a, TG_AXES(0, 0)));
    FAILS(EARG, "permute", "", tg_permute(w->a, TG_AXES(0)));
    FAILS(EARG, "slice", "0", tg_slice(w->a, 0, 0, 1, 0));
    FAILS(EARG, "slice", "2", tg_slice(w->a, 2, 0, 1, 1));
    FAILS(EARG, "slice_box", "", tg_slice_box(w->a, NULL, NULL, NULL));
    FAILS(EARG, "split", "", tg_split(w->a, 0, 0, out));
    FAILS(EARG, "split", "", tg_split(w->a, 0, 2, NULL));
    FAILS(EARG, "concat", "", tg_concat(&w->a, 1, 7));
    CHECK(!tg_valid(tg_concat(&w->a, 0, 0)) && !tg_valid(tg_stack(&w->a, -1, 0)), "a join of nothing"); /* on no tape */
    FAILS(EARG, "gather", "3", tg_gather(w->a, 3, w->i));
    FAILS(EARG, "dropout", "1", tg_dropout(w->a, 1));
    FAILS(EARG, "dropout", "[0, 1)", tg_dropout(w->a, NAN));
    FAILS(EARG, "unsqueeze", "out of range|(2, 3)", tg_unsqueeze(w->a, TG_AXES(4)));
    FAILS(EARG, "read", "24 bytes|23", tg_read(w->a, out, 23));
    tg_tensor y = tg_custom_grad(tg_square(w->v), &w->v, 1, no_gradient, NULL);
    int line = __LINE__ - 1;
    tg_grad(total(y), &w->v, 1, &g);
    fails(w, line, TG_EINTERNAL, "custom_grad", "(1)|(3)");
}

/* ------------------------------------------------------------------ an op of the user that fails */

static tg_status same_infer(tg_infer *f) {
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

ERRORS(ops_of_the_user) {
    static const tg_op nothing = {.name = "nothing", .min_in = 1, .max_in = 1, .infer = same_infer};
    static const tg_op unlucky = {
        .name = "unlucky", .min_in = 1, .max_in = 1, .infer = same_infer, .kernel = refuse, .flags = TG_OP_CAN_FAIL};
    tg_tensor pair[2] = {w->v, w->v};
    FAILS(EARG, "unlucky", "2", tg_apply(NULL, &unlucky, NULL, pair, 2));
    FAILS(EARG, "unlucky", "0", tg_apply(w->t, &unlucky, NULL, NULL, 0));
    FAILS(EINTERNAL, "nothing", "", tg_apply(NULL, &nothing, NULL, &w->v, 1));
    FAILS(EARG, "unlucky", "no luck today|(3) f32", tg_data(tg_apply(NULL, &unlucky, NULL, &w->v, 1)));
    CHECK(!tg_valid(tg_apply(NULL, &unlucky, NULL, NULL, 1)), "an op on nothing");
    FAILS(EARG, "unlucky", "", tg_apply(w->t, &unlucky, NULL, NULL, 1));
    FAILS(EARG, "apply", "", tg_apply(w->t, NULL, NULL, &w->v, 1));
}

/* ------------------------------------------------------------------ handles */

ERRORS(handles_that_are_none) {
    tg_tensor none = {0}, g, pair[2] = {w->a, none};
    FAILS(EARG, "add", "operand 1|handle of zeros", tg_add(w->a, none));
    FAILS(EARG, "matmul", "operand 0|handle of zeros", tg_matmul(none, w->a));
    pair[0] = w->a;
    FAILS(EARG, "concat", "operand 1", tg_concat(pair, 2, 0));
    FAILS(EARG, "grad", "", tg_grad(total(w->v), &none, 1, &g));
    FAILS(EARG, "grad", "missing", tg_grad(total(w->v), NULL, 1, &g));
    FAILS(EARG, "grad", "missing", tg_grad(total(w->v), &w->v, 1, NULL));
    FAILS(EARG, "grad", "missing", tg_grad(total(w->v), &w->v, -1, &g));
    FAILS(EARG, "assign", "", tg_assign(none, w->v), 0);
    FAILS(EARG, "assign", "", tg_assign(w->v, w->v), 0);
    FAILS(EARG, "run", "missing", tg_run(w->t, NULL, 1));
    FAILS(EARG, "run", "missing", tg_run(w->t, &w->v, -1));
    FAILS(EARG, "run", "", tg_run(w->t, &none, 1));
    FAILS(EARG, "read", "NULL", tg_read(w->v, NULL, 12));
    FAILS(EARG, "input", "NULL|(3)", tg_input(w->t, tg_f32(NULL, TG_SHAPE(3))));
    FAILS(EARG, "borrow", "NULL|(3)", tg_borrow(w->t, tg_f32(NULL, TG_SHAPE(3))));
    FAILS(EARG, "on", "", tg_on(w->t, none));
    FAILS(EARG, "update", "NULL", tg_update(NULL, total(w->v)));
    FAILS(EARG, "update", "path", tg_update(w->o, total(w->v)));
    FAILS(EARG, "update", "", tg_update_grads(w->o, NULL, &w->v, 1));
    FAILS(EARG, "update", "", tg_update_grads(w->o, &w->v, &w->v, 1));
    tg_tensor twice[2] = {w->w, w->w}, gs[2] = {w->v, w->v};
    FAILS(EARG, "update", "twice", tg_update_grads(w->o, twice, gs, 2));
}

ERRORS(handles_that_are_stale) {
    tg_tensor old = w->v, g;
    tg_tape_reset(w->t);
    record_inputs(w);
    FAILS(ESTALE, "add", "operand 1|reset", tg_add(w->v, old));
    FAILS(ESTALE, "exp", "reset", tg_exp(old));
    FAILS(ESTALE, "item", "", tg_item(old));
    FAILS(ESTALE, "data", "", tg_data(old));
    FAILS(ESTALE, "keep", "", tg_keep(old));
    FAILS(ESTALE, "want", "", tg_want(old));
    FAILS(ESTALE, "grad", "", tg_grad(total(w->v), &old, 1, &g));
    FAILS(ESTALE, "assign", "", tg_assign(w->w, old), 0);

    tg_mark mark = tg_tape_mark(w->t);
    old = tg_exp(w->v);
    tg_rewind(w->t, mark);
    CHECK(!tg_valid(old), "a handle from after the mark");
    tg_exp(w->d); /* takes its place */
    FAILS(ESTALE, "add", "operand 1", tg_add(w->v, old));

    tg_tape *gone = tg_tape_new();
    old = tg_scalar(gone, 1, TG_F32);
    tg_tape_free(gone);
    CHECK(!tg_valid(old) && tg_numel(old) == 0, "a handle of a freed tape");
    FAILS(ESTALE, "add", "operand 1|freed", tg_add(w->v, old));
    gone = tg_tape_new(); /* the same memory, perhaps */
    tg_scalar(gone, 1, TG_F32);
    CHECK(!tg_valid(old), "a handle of a freed tape");
    FAILS(ESTALE, "add", "operand 0|freed", tg_add(old, w->v));
    tg_tape_free(gone);

    tg_model *m = tg_model_new(0);
    old = tg_param(m, "p", TG_SHAPE(3), TG_F32, (tg_init){0});
    tg_model_free(m);
    FAILS(ESTALE, "add", "operand 1|model that was freed", tg_add(w->v, old));
    CHECK_EQ_I(tg_param_write(old, tg_f32((float[]){1, 2, 3}, TG_SHAPE(3))), TG_ESTALE);
    CHECK(!*tg_param_name(old) && !tg_data(old) && isnan(tg_item(old)), "a parameter of a freed model");
}

ERRORS(tapes_that_are_mixed) {
    tg_tensor x = tg_input(w->other, tg_f32((float[]){1, 2, 3}, TG_SHAPE(3))), g;
    FAILS(EMIXED, "add", "operand 1|another tape", tg_add(w->v, x));
    FAILS(EMIXED, "grad", "another tape", tg_grad(total(w->v), &x, 1, &g));
    FAILS(EMIXED, "run", "another tape", tg_run(w->t, &x, 1));
    tg_tensor pair[2] = {w->v, x};
    FAILS(EMIXED, "concat", "operand 1|another tape", tg_concat(pair, 2, 0));
    FAILS(EMIXED, "where", "operand 2|another tape", tg_where(tg_gt(w->v, w->v), w->v, x));
    FAILS(EMIXED, "vjp", "another tape", tg_vjp(tg_exp(w->v), x, &w->v, 1, &g));
    FAILS(EMIXED, "jvp", "another tape", tg_jvp(tg_exp(w->v), &w->v, &x, 1));
    FAILS(EMIXED, "hvp", "another tape", tg_hvp(total(tg_exp(w->v)), &w->v, &x, 1, &g));
    FAILS(EMIXED, "custom_grad", "operand 1|another tape", tg_custom_grad(w->v, &x, 1, no_gradient, NULL));
    FAILS(EMIXED, "on", "another tape", tg_on(w->t, x));
}

ERRORS(marks_that_are_none) {
    tg_mark outer = tg_tape_mark(w->t);
    tg_exp(w->v);
    tg_mark inner = tg_tape_mark(w->t), foreign = tg_tape_mark(w->other);
    tg_rewind(w->t, outer);
    CHECK_EQ_I(tg_rewind(w->t, inner), TG_ESTALE);
    CHECK_STR(tg_message(w->t), "rewind");
    goes_on(w, __LINE__);
    CHECK_EQ_I(tg_rewind(w->t, foreign), TG_ESTALE);
    goes_on(w, __LINE__);
    CHECK_EQ_I(tg_rewind(w->t, outer), TG_ESTALE); /* goes_on has reset the tape */
    goes_on(w, __LINE__);
}

/* ------------------------------------------------------------------ parameters alone, and those that could not be made */

ERRORS(parameters) {
    tg_tensor lost = tg_exp(w->w); /* no tape could hold the error */
    CHECK(!tg_valid(lost), "an op on a parameter alone gave a tensor");
    FAILS(EARG, "add", "operand 1|parameters or states alone|tg_on", tg_add(w->v, lost));

    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    tg_init zeros = {0};
    struct bad {
        const char *name;
        tg_shape shape;
        tg_dtype dtype;
        tg_init init;
        tg_status status;
    } bad[] = {{"w", TG_SHAPE(3), TG_F32, zeros, TG_EARG},
               {"", TG_SHAPE(3), TG_F32, zeros, TG_EARG},
               {NULL, TG_SHAPE(3), TG_F32, zeros, TG_EARG},
               {name, TG_SHAPE(3), TG_F32, zeros, TG_EARG},
               {"p", TG_SHAPE(3), TG_I32, zeros, TG_EARG},
               {"p", TG_SHAPE(3), TG_F32, {.kind = (tg_init_kind)99}, TG_EARG},
               {"p", TG_SHAPE(3, -1), TG_F32, zeros, TG_ESHAPE},
               {"p", {9, {1}}, TG_F32, zeros, TG_ESHAPE},
               {"p", TG_SHAPE((int64_t)1 << 40, (int64_t)1 << 40), TG_F32, zeros, TG_ESHAPE},
               {"p", TG_SHAPE((int64_t)1 << 50), TG_F32, zeros, TG_ENOMEM}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int before = tg_model_count(w->m);
        tg_tensor p = tg_param(w->m, bad[i].name, bad[i].shape, bad[i].dtype, bad[i].init);
        CHECK(tg_model_error(w->m) == bad[i].status, "case %zu: %s: %s", i, tg_status_name(tg_model_error(w->m)),
              tg_model_message(w->m));
        CHECK(!tg_valid(p) && tg_model_count(w->m) == before, "case %zu: a parameter was made", i);
        FAILS(EARG, "add", "operand 1|could not be made", tg_add(w->v, p));
        tg_model_clear(w->m);
    }
}

/* ------------------------------------------------------------------ derivatives that do not exist */

ERRORS(derivatives) {
    tg_tensor xs[2] = {w->v, w->v}, gs[2], y;
    FAILS(ENOGRAD, "grad", "does not depend on x number 0|(2, 3) f32", tg_grad(total(w->v), &w->a, 1, gs));
    xs[0] = w->v, xs[1] = w->a;
    FAILS(ENOGRAD, "grad", "x number 1", tg_grad(total(tg_square(w->v)), xs, 2, gs));
    CHECK(!tg_valid(gs[0]) && !tg_valid(gs[1]), "handles of gradients that do not exist");
    FAILS(ENOGRAD, "grad", "does not depend", tg_grad(total(tg_stop_gradient(w->v)), &w->v, 1, gs));
    y = tg_cast(tg_argmax(w->v, 0), TG_F32);
    FAILS(ENOGRAD, "grad", "does not depend", tg_grad(y, &w->v, 1, gs));
    FAILS(ENOGRAD, "grad", "w", tg_grad(total(w->v), &w->w, 1, gs));
}

/* ------------------------------------------------------------------ what only a run can find */

ERRORS(indices_out_of_range) {
    const int64_t far[] = {0, 3}, negative[] = {-1, 0};
    const int32_t small[] = {1, 70};
    tg_tensor at = tg_input(w->t, tg_i64(far, TG_SHAPE(2)));
    FAILS(EINDEX, "gather", "3|(2)", tg_data(tg_gather(w->v, 0, at)));
    at = tg_input(w->t, tg_i64(negative, TG_SHAPE(2)));
    FAILS(EINDEX, "gather", "-1", tg_data(tg_gather(w->v, 0, at)));
    at = tg_input(w->t, tg_i32(small, TG_SHAPE(2)));
    FAILS(EINDEX, "cross_entropy_each", "70", tg_data(tg_cross_entropy_each(w->a, at)));
}

/* A step that fails when run: parameters, state and step count are as before. */
ERRORS(a_step_that_fails) {
    const int64_t far[] = {0, 9};
    float before[3], after[3];
    int64_t steps = tg_optim_steps(w->o);
    tg_read(w->w, before, sizeof before);
    tg_tensor rows = tg_gather(tg_on(w->t, w->w), 0, tg_input(w->t, tg_i64(far, TG_SHAPE(2))));
    int line = __LINE__ - 1;
    CHECK_EQ_I(tg_minimize(w->o, total(tg_square(rows))), TG_EINDEX);
    tg_read(w->w, after, sizeof after);
    CHECK(!memcmp(before, after, sizeof after), "the parameter changed");
    CHECK_EQ_I(tg_optim_steps(w->o), steps);
    fails(w, line, TG_EINDEX, "gather", "9");
}

ERRORS(what_changed_in_between) {
    const float values[] = {4, 5, 6};
    tg_tensor y = tg_exp(tg_on(w->t, w->w));
    int line = __LINE__ - 1;
    tg_assign(w->w, y);
    tg_param_write(w->w, tg_f32(values, TG_SHAPE(3)));
    CHECK_EQ_I(tg_step(w->t), TG_ECHANGED);
    CHECK(!memcmp(tg_data(w->w), values, sizeof values), "a step on changed parameters wrote");
    CHECK_STR(tg_message(w->t), "w was written");
    if (!w->t->eager)
        fails(w, line, TG_ECHANGED, "parameter", "w was written");
    else
        goes_on(w, line);

    float lent[3] = {1, 2, 3};
    w->t->check_borrowed = true;
    tg_tensor x = tg_borrow(w->t, tg_f32(lent, TG_SHAPE(3))), z = tg_exp(x);
    line = __LINE__ - 1;
    lent[1] = 7;
    tg_tensor both = w->t->eager ? tg_exp(x) : z;
    CHECK(!tg_data(both), "the value of a borrowed input that changed");
    CHECK_EQ_I(tg_error(w->t), TG_ECHANGED);
    CHECK_STR(tg_message(w->t), "borrowed");
    w->t->check_borrowed = false;
    goes_on(w, line);
}

ERRORS(effects_that_never_ran) {
    tg_assign(w->w, w->v);
    int line = __LINE__ - 1;
    CHECK_EQ_I(tg_tape_reset(w->t), TG_EPENDING);
    record_inputs(w);
    fails(w, line, TG_EPENDING, "tape_reset", "w|tg_step|tg_discard_effects");
    tg_assign(w->w, w->v);
    tg_discard_effects(w->t);
    CHECK_EQ_I(tg_tape_reset(w->t), TG_OK);
    record_inputs(w);
}

/* What was assigned before the mark stays pending, and runs. */
ERRORS(effects_that_a_rewind_loses) {
    tg_model *m = tg_model_new(2);
    tg_tensor p[3];
    char name[] = "p0";
    for (int i = 0; i < 3; i++, name[1]++) p[i] = tg_param(m, name, TG_SHAPE(3), TG_F32, (tg_init){.kind = TG_INIT_ZEROS});
    tg_tensor early = tg_exp(tg_on(w->t, p[1]));
    tg_assign(p[0], early);
    tg_mark mark = tg_tape_mark(w->t);
    tg_assign(p[2], tg_add(w->v, w->v));
    int line = __LINE__ - 1;
    tg_assign(p[1], early);
    CHECK_EQ_I(tg_rewind(w->t, mark), TG_EPENDING);
    CHECK_STR(tg_message(w->t), "1 recorded assignments");
    CHECK_STR(tg_message(w->t), "p2");
    CHECK(strtol(strrchr(tg_message(w->t), ':') + 1, NULL, 10) == line, "%s", tg_message(w->t));
    tg_clear(w->t);
    CHECK_NEAR(((const float *)tg_data(tg_on(w->t, p[0])))[0], 1, 0); /* as assigned */
    CHECK_NEAR(((const float *)tg_data(tg_on(w->t, p[2])))[0], 0, 0);
    tg_assign(p[2], tg_scale(early, 2));
    tg_assign(p[1], tg_scale(early, 3)); /* in the place of the one before */
    CHECK_EQ_I(tg_step(w->t), TG_OK);
    static const float then[] = {1, 3, 2};
    for (int i = 0; i < 3; i++) CHECK_NEAR(((const float *)tg_data(p[i]))[0], then[i], 0);
    tg_tape_reset(w->t);
    record_inputs(w);
    tg_model_free(m);
}

/* ------------------------------------------------------------------ the first error counts; scopes; poison after clear */

ERRORS(the_first_error_stays) {
    tg_push_scope(w->t, "enc");
    tg_push_scope(w->t, "0");
    tg_tensor bad = tg_add(w->a, w->b);
    int line = __LINE__ - 1;
    tg_push_scope(w->t, "also with an error");
    for (int i = 0; i < 3; i++) tg_pop_scope(w->t);
    CHECK_EQ_I(w->t->scope, 0);
    tg_matmul(bad, w->a);
    tg_exp(bad);
    CHECK_STR(tg_error_get(w->t).scope, "enc.0");
    fails(w, line, TG_ESHAPE, "add", "(2, 3)|(4, 5)|[in enc.0]");
    FAILS(EARG, "exp", "failed before tg_clear", tg_exp(bad));
}

/* ------------------------------------------------------------------ files */

ERRORS(files_that_cannot_be_written) {
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        setbuf(full, NULL);
        CHECK_EQ_I(tg_graph_write(w->t, full, NULL), TG_EIO);
        fclose(full);
        goes_on(w, __LINE__);
    }
    tg_file_error e;
    CHECK_EQ_I(tg_tape_save(w->t, "/no/such/folder/graph.json", NULL), TG_EIO);
    CHECK_STR(tg_message(w->t), "/no/such/folder");
    goes_on(w, __LINE__);
    CHECK_EQ_I(tg_save(w->m, "/no/such/folder/model", &e), TG_EIO);
    CHECK_STR(e.message, "/no/such/folder/model");
    CHECK_EQ_I(tg_load(w->m, "/no/such/file", &e), TG_EIO);
    CHECK_STR(e.message, "/no/such/file");
}

/* ------------------------------------------------------------------ NULL everywhere */

TEST(errors, null_tapes_and_handles) {
    tg_tensor none = {0}, gs[2], xs[2] = {none, none};
    tg_array a = tg_f32((float[]){1}, TG_SCALAR);
    tg_tape_free(NULL);
    CHECK_EQ_I(tg_tape_reset(NULL), TG_EARG);
    tg_discard_effects(NULL);
    tg_mark mark = tg_tape_mark(NULL);
    CHECK_EQ_I(tg_rewind(NULL, mark), TG_EARG);
    tg_push_scope(NULL, NULL);
    tg_pop_scope(NULL);
    tg_set_eager(NULL, true);
    tg_set_threads(NULL, 1);
    tg_seed(NULL, 1);
    tg_check_finite(NULL, true);
    CHECK(!tg_ok(NULL), "a NULL tape is fine");
    CHECK_EQ_I(tg_error(NULL), TG_EARG);
    CHECK_STR(tg_message(NULL), "NULL");
    tg_clear(NULL);
    CHECK_EQ_I(tg_error_get(NULL).status, TG_EARG);
    tg_tensor made[] = {tg_input(NULL, a),
                        tg_borrow(NULL, a),
                        tg_scalar(NULL, 1, TG_F32),
                        tg_on(NULL, none),
                        tg_state_new(NULL, TG_SCALAR, TG_F32),
                        tg_zeros(NULL, TG_SCALAR, TG_F32),
                        tg_ones(NULL, TG_SCALAR, TG_F32),
                        tg_full(NULL, TG_SCALAR, 1, TG_F32),
                        tg_arange(NULL, 1, TG_F32),
                        tg_uniform(NULL, TG_SCALAR, TG_F32, 0, 1),
                        tg_normal(NULL, TG_SCALAR, TG_F32, 0, 1),
                        tg_add(none, none),
                        tg_exp(none),
                        tg_concat(NULL, 0, 0),
                        tg_concat(NULL, 2, 0),
                        tg_stack(NULL, 2, 0),
                        tg_sum(none, TG_ALL_AXES, false),
                        tg_where(none, none, none),
                        tg_matmul(none, none),
                        tg_reshape(none, TG_SCALAR),
                        tg_slice(none, 0, 0, 1, 1),
                        tg_slice_box(none, NULL, NULL, NULL),
                        tg_gather(none, 0, none),
                        tg_dropout(none, .5),
                        tg_cross_entropy(none, none),
                        tg_jvp(none, NULL, NULL, 1),
                        tg_custom_grad(none, NULL, 1, NULL, NULL),
                        tg_apply(NULL, NULL, NULL, NULL, 0),
                        tg_linear_apply((tg_linear){none, none}, none),
                        tg_keep(none),
                        tg_want(none)};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) CHECK(!tg_valid(made[i]), "number %zu is a tensor", i);
    CHECK(tg_shape_of(none).rank == 0 && tg_numel(none) == 0 && !tg_tape_of(none), "facts of no tensor");
    CHECK_EQ_I(tg_dtype_of(none), TG_F32);
    CHECK(isnan(tg_item(none)) && !tg_data(none), "values of no tensor");
    CHECK(tg_read(none, NULL, 0) != TG_OK, "no tensor was read");
    CHECK_EQ_I(tg_run(NULL, NULL, 0), TG_EARG);
    CHECK_EQ_I(tg_step(NULL), TG_EARG);
    tg_assign(none, none);
    tg_drop(none);
    CHECK_EQ_I(tg_grad(none, NULL, 1, NULL), TG_EARG);
    CHECK_EQ_I(tg_grad(none, xs, 2, gs), TG_EARG);
    CHECK_EQ_I(tg_vjp(none, none, NULL, 0, NULL), TG_EARG);
    CHECK_EQ_I(tg_hvp(none, NULL, NULL, 1, NULL), TG_EARG);
    CHECK(!tg_depends(none, none), "nothing depends on nothing");
    CHECK(tg_split(none, 0, 2, NULL) != TG_OK, "nothing was split");
    CHECK(tg_apply_n(NULL, NULL, NULL, NULL, 0, NULL) != TG_OK, "no op was applied");
    CHECK_EQ_I(tg_stats(NULL).nodes, 0);
    tg_profile(NULL, true);
    CHECK_EQ_I(tg_profile_rows(NULL, NULL, 3), 0);
}

TEST(errors, null_models_and_optimizers) {
    tg_tensor none = {0};
    tg_array a = tg_f32((float[]){1}, TG_SCALAR);
    tg_model_free(NULL);
    CHECK(!tg_model_ok(NULL) && tg_model_error(NULL) == TG_EARG && *tg_model_message(NULL), "a NULL model is fine");
    tg_model_clear(NULL);
    CHECK(!tg_valid(tg_param(NULL, "w", TG_SCALAR, TG_F32, (tg_init){0})), "a parameter of no model");
    CHECK(!tg_valid(tg_buffer(NULL, "w", TG_SCALAR, TG_F32)), "a buffer of no model");
    CHECK_EQ_I(tg_model_count(NULL), 0);
    CHECK(!tg_valid(tg_model_at(NULL, 0)) && !tg_valid(tg_model_find(NULL, NULL)), "parameters of no model");
    CHECK(!*tg_param_name(none) && !tg_param_trainable(none) && !tg_param_version(none), "facts of no parameter");
    CHECK_EQ_I(tg_model_size(NULL), 0);
    CHECK(tg_param_write(none, a) != TG_OK, "no parameter was written");
    CHECK(!tg_model_publish(NULL), "a copy of no model");
    CHECK(!tg_valid(tg_linear_new(NULL, NULL, 1, 1).weight), "a layer of no model");
    tg_model *m = tg_model_new(0);
    CHECK(!tg_valid(tg_model_at(m, -1)) && !tg_valid(tg_model_at(m, 3)) && !tg_valid(tg_model_find(m, NULL)),
          "no such parameter");
    CHECK(!tg_valid(tg_linear_new(m, "l", -1, 1).weight) && !tg_model_ok(m), "a layer of negative size");
    tg_model_free(m);
    CHECK(!tg_sgd(NULL, (tg_sgd_config){0}) && !tg_adam(NULL, (tg_adam_config){0}) && !tg_adamw(NULL, (tg_adamw_config){0}),
          "an optimizer of no model");
    tg_optim_free(NULL);
    tg_optim_set_lr(NULL, 1);
    CHECK(isnan(tg_optim_lr(NULL)) && !tg_optim_steps(NULL) && !tg_optim_state(NULL), "facts of no optimizer");
    CHECK(tg_update(NULL, none) != TG_OK && tg_minimize(NULL, none) != TG_OK, "an update of nothing");
    CHECK(tg_update_grads(NULL, NULL, NULL, 3) != TG_OK, "an update of nothing");
}

TEST(errors, null_files_and_ops) {
    tg_file_error e;
    tg_blob blob;
    tg_array_list list;
    char text[80];
    tg_blob_free(NULL);
    CHECK_EQ_I(tg_blob_array(NULL).dtype, TG_F32);
    CHECK_EQ_I(tg_read_idx(NULL, &blob, &e), TG_EARG);
    CHECK_EQ_I(tg_read_idx("x", NULL, NULL), TG_EARG);
    CHECK_EQ_I(tg_save_arrays(NULL, NULL, 1, &e), TG_EARG);
    CHECK_EQ_I(tg_load_arrays(NULL, &list, &e), TG_EARG);
    CHECK_EQ_I(tg_load_arrays("x", NULL, NULL), TG_EARG);
    CHECK(!tg_array_list_find(NULL, NULL), "an array of no list");
    tg_array_list_free(NULL);
    CHECK_EQ_I(tg_save(NULL, NULL, NULL), TG_EARG);
    CHECK_EQ_I(tg_load(NULL, NULL, &e), TG_EARG);
    CHECK_EQ_I(tg_graph_write(NULL, NULL, NULL), TG_EARG);
    CHECK_EQ_I(tg_tape_save(NULL, NULL, NULL), TG_EARG);
    CHECK(tg_graph_draw(NULL, NULL, NULL, text, sizeof text) != TG_OK, "no file was drawn");
    CHECK(tg_graph_draw(NULL, NULL, NULL, NULL, 0) != TG_OK, "no file was drawn");
    CHECK(!tg_op_find(NULL) && !tg_op_get(-1) && !tg_op_get(100000), "an op of no name");
    CHECK(strcmp(tg_status_name((tg_status)-1), "?") == 0 && strcmp(tg_status_text((tg_status)99), "?") == 0, "no status");
    CHECK(strcmp(tg_dtype_name((tg_dtype)99), "?") == 0 && tg_dtype_size((tg_dtype)-1) == 0, "no dtype");
    tg_tape *t = tg_tape_new();
    CHECK_EQ_I(tg_graph_write(t, NULL, NULL), TG_EARG);
    tg_clear(t);
    CHECK_EQ_I(tg_tape_save(t, NULL, NULL), TG_EARG);
    tg_clear(t);
    tg_tensor x = tg_scalar_at(NULL, t, 2, TG_F32); /* no site */
    CHECK_NEAR(tg_item_at(NULL, tg_square_at(NULL, x)), 4, 0);
    tg_tape_free(t);
}
