/* Derivatives as matrices: one recording holds a row for each element of y, stacked. */
#include "engine.h"
#include "tapegrad/ops.h"

/* ------------------------------------------------------------------ rows */

typedef struct rows {
    tg_tape *t;
    const char *site;
    tg_tensor y, *cotangents; /* one for each element of y */
    int64_t n;
    bool needs_path; /* an x on which y does not depend is an error */
} rows;

/* The cotangent that picks element i of y: row i of a matrix of ones and zeros. */
static bool rows_start(rows *r) {
    tg_shape shape = tg_shape_of(r->y);
    tg_dtype d = tg_dtype_of(r->y);
    r->cotangents = tg__alloc((size_t)(r->n ? r->n : 1) * sizeof *r->cotangents);
    if (!r->cotangents) {
        tg__fail_nomem(r->t, "jacobian", r->site);
        return false;
    }
    tg_tensor at = tg_arange_at(r->site, r->t, r->n, TG_I64);
    tg_tensor unit = r->n ? tg_one_hot_at(r->site, at, r->n, d) : tg__poison(r->t);
    for (int64_t i = 0; i < r->n && !r->t->base.error.status; i++)
        r->cotangents[i] = tg_reshape_at(r->site, tg_slice_at(r->site, unit, 0, i, i + 1, 1), shape);
    return !r->t->base.error.status;
}

static bool joined_shape(rows *r, tg_tensor x, tg_shape *out) {
    tg_shape a = tg_shape_of(r->y), b = tg_shape_of(x);
    char one[160], two[160];
    if (a.rank + b.rank > TG_MAX_RANK) {
        tg__fail(r->t, TG_ESHAPE, "jacobian", r->site, r->t->scope, "y is %s and x %s: together more than rank %d",
                 tg__shape_text(&a, one, sizeof one), tg__shape_text(&b, two, sizeof two), TG_MAX_RANK);
        return false;
    }
    *out = a;
    for (int i = 0; i < b.rank; i++) out->dims[out->rank++] = b.dims[i];
    return true;
}

/* parts[i n + k]: the cotangent of x number k in row i; none where y does not depend on it. */
static tg_tensor stack_rows(rows *r, const tg_tensor *parts, tg_tensor x, int k, int n) {
    tg_shape whole, row = {2, {1, tg_numel(x)}};
    tg_dtype d = tg_dtype_of(x);
    if (!joined_shape(r, x, &whole)) return tg__poison(r->t);
    if (r->n == 0 || tg__is_none(parts[k])) return tg__constant(r->t, 0, &whole, d);
    tg_tensor *flat = tg__alloc((size_t)r->n * sizeof *flat);
    if (!flat) {
        tg__fail_nomem(r->t, "jacobian", r->site);
        return tg__poison(r->t);
    }
    for (int64_t i = 0; i < r->n; i++) flat[i] = tg_reshape_at(r->site, parts[i * n + k], row);
    tg_tensor matrix = tg_concat_at(r->site, flat, (int)r->n, 0);
    tg__free(flat);
    return tg_reshape_at(r->site, matrix, whole);
}

/* The derivatives of y by each x, of shape (y's..., x's...). */
static tg_status jacobian(const char *site, tg_tensor y, bool needs_path, const tg_tensor *xs, int n, tg_tensor *js) {
    rows r = {tg_tape_of(y), site, y, NULL, tg_numel(y), needs_path};
    tg_tape *t = r.t;
    uint64_t n_parts;
    bool ok = r.n <= INT32_MAX && !__builtin_mul_overflow((uint64_t)r.n, (uint64_t)n, &n_parts) && n_parts <= INT32_MAX;
    if (!ok) return tg__fail(t, TG_ESHAPE, "jacobian", site, t->scope, "y has %lld elements", (long long)r.n);
    tg_tensor *parts = tg__calloc(n_parts + (uint64_t)n, sizeof *parts);
    if (!parts) return tg__fail_nomem(t, "jacobian", site);
    if (rows_start(&r)) {
        for (int64_t i = 0; i < r.n && !t->base.error.status; i++)
            (r.needs_path ? tg_vjp_at : tg__vjp_where)(site, y, r.cotangents[i], xs, n, parts + i * n);
        for (int k = 0; k < n && !t->base.error.status; k++) js[k] = stack_rows(&r, parts, xs[k], k, n);
    }
    tg__free(parts);
    tg__free(r.cotangents);
    return t->base.error.status;
}

/* ------------------------------------------------------------------ what the user asks */

/* The xs as y reads them. */
static bool resolve_xs(tg_tape *t, const char *site, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *out) {
    for (int i = 0; i < n; i++) {
        out[i] = tg__grad_target(site, y, xs[i], i);
        if (t->base.error.status) return false;
    }
    return true;
}

static bool list_given(tg_tape *t, const char *op, const char *site, const void *xs, const void *out, int n) {
    if (n >= 0 && (n == 0 || (xs && out))) return true;
    tg__fail(t, TG_EARG, op, site, t->scope, "the list of tensors or the place for the results is missing");
    return false;
}

static tg_status poisoned(tg_tape *t, tg_tensor *out, int64_t n) {
    for (int64_t i = 0; out && i < n; i++) out[i] = t ? tg__poison(t) : (tg_tensor){0};
    return t ? t->base.error.status : TG_EARG;
}

TG_API(tg_status, tg_jacobian, (tg_tensor y, const tg_tensor *xs, int n, tg_tensor *js), (y, xs, n, js)) {
    tg_tape *t = tg_tape_of(y);
    if (poisoned(t, js, n) || !list_given(t, "jacobian", site, xs, js, n)) return poisoned(t, js, n);
    tg_tensor *targets = tg__alloc((size_t)(n ? n : 1) * sizeof *targets);
    if (!targets) return tg__fail_nomem(t, "jacobian", site);
    if (resolve_xs(t, site, y, xs, n, targets)) jacobian(site, y, true, targets, n, js);
    tg__free(targets);
    return t->base.error.status ? poisoned(t, js, n) : TG_OK;
}

TG_API(tg_status, tg_hessian, (tg_tensor y, const tg_tensor *xs, int n, tg_tensor *hs), (y, xs, n, hs)) {
    tg_tape *t = tg_tape_of(y);
    int64_t blocks = n > 0 ? (int64_t)n * n : 0;
    if (poisoned(t, hs, blocks) || !list_given(t, "hessian", site, xs, hs, n)) return poisoned(t, hs, blocks);
    tg_tensor *targets = tg__alloc((size_t)(n ? n : 1) * 2 * sizeof *targets), *gs = targets ? targets + n : NULL;
    if (!targets) return tg__fail_nomem(t, "hessian", site);
    if (resolve_xs(t, site, y, xs, n, targets) && !tg_grad_at(site, y, targets, n, gs))
        for (int i = 0; i < n && !t->base.error.status; i++) jacobian(site, gs[i], false, targets, n, hs + (int64_t)i * n);
    tg__free(targets);
    return t->base.error.status ? poisoned(t, hs, blocks) : TG_OK;
}

/* ------------------------------------------------------------------ straight through */

static void pass_through(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)xs, (void)n, (void)user;
    gs[0] = g;
}

TG_API(tg_tensor, tg_straight_through, (tg_tensor y, tg_tensor x), (y, x)) {
    tg_tape *t = tg__tape_from(NULL, (tg_tensor[]){y, x}, 2);
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    uint32_t ids[2] = {tg__resolve(t, y, "straight_through", site, 0), 0};
    if (ids[0]) ids[1] = tg__resolve(t, x, "straight_through", site, 1);
    if (!ids[1]) return tg__poison(t);
    char one[200], two[200];
    if (t->nodes[ids[0]].shape != t->nodes[ids[1]].shape || t->nodes[ids[0]].dtype != t->nodes[ids[1]].dtype) {
        tg__fail(t, TG_ESHAPE, "straight_through", site, t->scope, "y is %s, and x, which takes its gradient, %s",
                 tg__node_text(t, ids[0], one, sizeof one), tg__node_text(t, ids[1], two, sizeof two));
        return tg__poison(t);
    }
    tg_tensor target = tg__handle(t, ids[1]);
    return tg_custom_grad_at(site, tg__handle(t, ids[0]), &target, 1, pass_through, NULL);
}
