// tests/user.cpp: a user's program in C++20: a layer trained on the sign of a sum; ops as values. Run by tests/languages.
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include <tapegrad.h>

static tg_tensor network(tg_linear hidden, tg_linear out, tg_tensor x, const std::function<tg_tensor(tg_tensor)> &activation) {
    return tg_linear_apply(out, activation(tg_linear_apply(hidden, x)));
}

int main() {
    std::vector<float> xs;
    std::vector<int64_t> labels;
    for (int i = 0; i < 64; i++) {
        float a = std::sin(float(i)), b = std::cos(1.7f * float(i));
        xs.insert(xs.end(), {a, b});
        labels.push_back(a + b > 0);
    }
    tg_model *m = tg_model_new(7);
    tg_linear hidden = tg_linear_new(m, "hidden", 2, 8), out = tg_linear_new(m, "out", 8, 2);
    tg_adam_config config{};
    config.lr = 0.05;
    tg_optim *opt = tg_adam(m, config);
    tg_tape *t = tg_tape_new();

    double first = 0, last = 0;
    for (int step = 0; step < 100 && tg_ok(t); step++, tg_tape_reset(t)) {
        tg_tensor x = tg_input(t, tg_f32(xs.data(), TG_SHAPE(64, 2))), y = tg_input(t, tg_i64(labels.data(), TG_SHAPE(64)));
        tg_tensor loss = tg_cross_entropy(network(hidden, out, x, tg_relu), y);
        tg_minimize(opt, loss);
        (step == 0 ? first : last) = tg_item(loss);
    }
    std::printf("loss %.3f, then %.3f\n", first, last);
    bool learnt = tg_ok(t) && last < 0.1 && first > 0.3;

    std::array<tg_tensor (*)(tg_tensor, tg_tensor), 3> ops{tg_add, tg_mul, tg_pow};
    tg_tensor three = tg_scalar(t, 3, TG_F64), two = tg_scalar(t, 2, TG_F64);
    double values[3];
    for (int i = 0; i < 3; i++) values[i] = tg_item(ops[i](three, two));
    tg_tensor sum = tg_sum(tg_zeros(t, TG_SHAPE(2, 3), TG_F32), TG_AXES(0, -1), false);
    learnt = learnt && values[0] == 5 && values[1] == 6 && values[2] == 9 && tg_item(sum) == 0;
    if (!tg_ok(t)) std::fprintf(stderr, "%s\n", tg_message(t));
    tg_tape_free(t);
    tg_optim_free(opt);
    tg_model_free(m);
    return learnt ? 0 : 1;
}
