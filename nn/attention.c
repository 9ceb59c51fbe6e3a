/* nn/attention.c: multi-head self-attention. */
#include "nn/nn.h"
#include "tapegrad/ops.h"

static tg_linear part(tg_model *m, const char *name, const char *which, int64_t in, int64_t out) {
    char full[256]; /* longer than any allowed name */
    snprintf(full, sizeof full, "%s.%s", name ? name : "", which);
    return tg_linear_new(m, full, in, out);
}

tg_self_attention tg_self_attention_new(tg_model *m, const char *name, int64_t size, int64_t heads, bool causal) {
    tg_self_attention l = {.heads = heads, .config = {.causal = causal}};
    if (m && (heads < 1 || size % heads))
        tg__model_fail(m, TG_EARG, "tg_self_attention_new %s: %lld heads do not divide %lld", name ? name : "",
                       (long long)heads, (long long)size);
    l.qkv = part(m, name, "qkv", size, 3 * size);
    l.out = part(m, name, "out", size, size);
    return l;
}

/* (..., T, size) -> (..., heads, T, size / heads), and back */
static tg_tensor to_heads(const char *site, tg_tensor x, int64_t heads, int64_t size) {
    tg_shape s = tg_shape_of(x);
    s.rank++;
    s.dims[s.rank - 1] = size / heads;
    s.dims[s.rank - 2] = heads;
    tg_axes swap = {s.rank, {0}};
    for (int i = 0; i < s.rank; i++) swap.axis[i] = i;
    swap.axis[s.rank - 3] = s.rank - 2, swap.axis[s.rank - 2] = s.rank - 3;
    return tg_permute_at(site, tg_reshape_at(site, x, s), swap);
}

static tg_tensor from_heads(const char *site, tg_tensor x, tg_shape whole) {
    int rank = whole.rank + 1;
    tg_axes swap = {rank, {0}};
    for (int i = 0; i < rank; i++) swap.axis[i] = i;
    swap.axis[rank - 3] = rank - 2, swap.axis[rank - 2] = rank - 3;
    return tg_reshape_at(site, tg_permute_at(site, x, swap), whole);
}

TG_API(tg_tensor, tg_self_attention_apply, (tg_self_attention l, tg_tensor x), (l, x)) {
    tg_tape *t = tg_tape_of(x);
    tg_shape s = tg_shape_of(x);
    int64_t size = tg_shape_of(l.out.weight).dims[0];
    if (!t) return tg__lost(site);
    if (!tg_valid(x)) return tg_stop_gradient_at(site, x); /* says why */
    if (!tg_valid(l.out.weight)) return tg_linear_apply_at(site, l.out, x);
    if (l.heads < 1 || size % l.heads) {
        tg__fail(t, TG_EARG, "self_attention", site, t->scope, "%lld heads do not divide %lld", (long long)l.heads,
                 (long long)size);
        return tg__poison(t);
    }
    if (s.rank < 2 || s.rank > TG_MAX_RANK - 2 || s.dims[s.rank - 1] != size) {
        tg__fail(t, TG_ESHAPE, "self_attention", site, t->scope, "x must be (..., length, %lld), of rank 2 to %d",
                 (long long)size, TG_MAX_RANK - 2);
        return tg__poison(t);
    }
    tg_tensor all = tg_linear_apply_at(site, l.qkv, x), heads[3];
    for (int i = 0; i < 3; i++)
        heads[i] = to_heads(site, tg_slice_at(site, all, -1, i * size, (i + 1) * size, 1), l.heads, size);
    tg_tensor y = tg_attention_at(site, heads[0], heads[1], heads[2], l.config);
    return tg_linear_apply_at(site, l.out, from_heads(site, y, s));
}
