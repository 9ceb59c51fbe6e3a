// tests/headers.cpp: the public headers and their macros in C++. Compiled by tools/lint, not run.
#include <tapegrad.h>

const char *use() {
    tg_tape *t = tg_tape_new();
    const float values[6] = {1, 2, 3, 4, 5, 6};
    tg_tensor x = tg_input(t, tg_f32(values, TG_SHAPE(2, 3)));
    tg_tensor s = tg_scalar(t, 0.5, TG_F32);
    tg_shape scalar = TG_SCALAR;
    tg_axes last = TG_AXES(-1), all = TG_ALL_AXES;
    tg_tensor g = {};
    tg_grad(s, &x, 1, &g);
    double value = tg_item(s);
    tg_tape_free(t);
    return scalar.rank == 0 && last.n == 1 && all.n < 0 && value == value ? tg_version() : "";
}
