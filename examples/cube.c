/* An op of the program's own, y = x^3: its loop, its derivative rule, and what tg_op_check finds. */
#include <stdio.h>
#include <tapegrad.h>

static void cube_f32(size_t n, void *out, const void *a, const void *b, const void *c) {
    const float *x = a;
    (void)b, (void)c; /* of ops of more inputs */
    for (size_t i = 0; i < n; i++) ((float *)out)[i] = x[i] * x[i] * x[i];
}

static void cube_f64(size_t n, void *out, const void *a, const void *b, const void *c) {
    const double *x = a;
    (void)b, (void)c;
    for (size_t i = 0; i < n; i++) ((double *)out)[i] = x[i] * x[i] * x[i];
}

static const tg_micro cube_loops = {.fn = {[TG_ISA_ANY] = {[TG_F32] = cube_f32, [TG_F64] = cube_f64}}};

/* dx = 3 x^2 g, in ops: so it can be differentiated again */
static void cube_vjp(tg_vjp_args *v) {
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_mul(v->g[0], tg_scale(tg_square(v->in[0]), 3)));
}

/* The same in ops of the library: tg_op_check compares the loop with it. */
static tg_tensor cube_define(tg_tape *t, const tg_tensor *in, int n, const void *attr) {
    (void)t, (void)n, (void)attr;
    return tg_mul(in[0], tg_square(in[0]));
}

static const tg_sample samples[] = {{.note = "a matrix", .in = {{.kind = 'f', .shape = {2, {3, 5}}}}}, {.note = NULL}};
static const tg_sample wrong[] = {
    {.note = "whole numbers", .in = {{.kind = 'i', .shape = {1, {3}}}}, .status = TG_EDTYPE, .text = "not i64"},
    {.note = "no input", .status = TG_EARG, .text = "not 0"},
    {.note = "two inputs", .in = {{.kind = 'f'}, {.kind = 'f'}}, .status = TG_EARG, .text = "not 2"},
    {.note = NULL},
};

static const tg_op cube = {
    .name = "cube",
    .formula = "y = x^3",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .flags = TG_OP_FLOAT_ONLY,
    .micro = &cube_loops,
    .vjp = cube_vjp,
    .define = cube_define,
    .samples = samples,
    .bad = wrong,
};

int main(void) {
    tg_op_report report;
    if (tg_op_check(&cube, stderr, false, &report)) return 1;
    printf("passed %d cases\n", report.cases);

    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_scalar(t, 2, TG_F32), y = tg_apply(NULL, &cube, NULL, &x, 1), dx, dxx;
    tg_grad(y, &x, 1, &dx);
    tg_grad(dx, &x, 1, &dxx);
    printf("y %g  dy/dx %g  d2y/dx2 %g\n", tg_item(y), tg_item(dx), tg_item(dxx));
    int failed = !tg_ok(t);
    if (failed) fprintf(stderr, "%s\n", tg_message(t));
    tg_tape_free(t);
    return failed;
}
