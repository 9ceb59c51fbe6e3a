/* Learns exclusive or with one hidden layer, and shows what a wrong shape looks like. */
#include <stdio.h>
#include <tapegrad.h>

int main(void) {
    const float xs[] = {0, 0, 0, 1, 1, 0, 1, 1}, ys[] = {0, 1, 1, 0};
    tg_model *m = tg_model_new(3);
    tg_linear hidden = tg_linear_new(m, "hidden", 2, 8), out = tg_linear_new(m, "out", 8, 1);
    tg_optim *opt = tg_adam(m, (tg_adam_config){.lr = 0.05});
    tg_tape *t = tg_tape_new();

    for (int step = 1; step <= 300 && tg_ok(t); step++) {
        tg_tensor x = tg_input(t, tg_f32(xs, TG_SHAPE(4, 2)));
        tg_tensor y = tg_input(t, tg_f32(ys, TG_SHAPE(4, 1)));
        tg_tensor guess = tg_sigmoid(tg_linear_apply(out, tg_tanh(tg_linear_apply(hidden, x))));
        tg_tensor loss = tg_mse(guess, y);
        tg_keep(guess);
        tg_minimize(opt, loss);
        if (step % 100 == 0 && tg_ok(t)) {
            const float *g = tg_data(guess);
            printf("step %d  loss %.5f  0^0 %.2f  0^1 %.2f  1^0 %.2f  1^1 %.2f\n", step, tg_item(loss), g[0], g[1], g[2], g[3]);
        }
        tg_tape_reset(t);
    }
    int failed = !tg_ok(t);
    if (failed) fprintf(stderr, "%s\n", tg_message(t));

    tg_linear_apply(hidden, tg_input(t, tg_f32(xs, TG_SHAPE(8, 1)))); /* an error is a message and a tape that stands still */
    printf("a wrong shape: %s\n", tg_message(t));

    tg_tape_free(t);
    tg_optim_free(opt);
    tg_model_free(m);
    return failed;
}
