/* Fits a line to five points by gradient descent. */
#include <stdio.h>
#include <tapegrad.h>

int main(void) {
    const float xs[] = {0, 1, 2, 3, 4}, ys[] = {1.1f, 2.9f, 5.2f, 7.1f, 8.8f};
    tg_init zeros = {.kind = TG_INIT_ZEROS};
    tg_sgd_config config = {.lr = 0.05};

    tg_model *m = tg_model_new(1);
    tg_tensor slope = tg_param(m, "slope", TG_SCALAR, TG_F32, zeros);
    tg_tensor offset = tg_param(m, "offset", TG_SCALAR, TG_F32, zeros);
    tg_optim *opt = tg_sgd(m, config);
    tg_tape *t = tg_tape_new();

    for (int step = 1; step <= 400 && tg_ok(t); step++) {
        tg_tensor x = tg_input(t, tg_f32(xs, TG_SHAPE(5)));
        tg_tensor y = tg_input(t, tg_f32(ys, TG_SHAPE(5)));
        tg_tensor loss = tg_mse(tg_add(tg_mul(slope, x), offset), y);
        tg_minimize(opt, loss); /* records gradients and update, and runs all as one plan */
        if (step % 100 == 0) printf("step %d  loss %.4f\n", step, tg_item(loss));
        tg_tape_reset(t);
    }
    if (tg_ok(t))
        printf("y = %.3f x + %.3f\n", tg_item(tg_on(t, slope)), tg_item(tg_on(t, offset)));
    else
        fprintf(stderr, "%s\n", tg_message(t)); /* the first error stays: one check is enough */

    int failed = !tg_ok(t);
    tg_tape_free(t);
    tg_optim_free(opt);
    tg_model_free(m);
    return failed;
}
