/* Rotary embedding */
#include "ops/op_file.h"

/*| tg_rotary: turns pairs of elements of each vector by angles that grow with its position, so that products of turned vectors
 *  depend on the distance of their positions. Element i is paired with i + D / 2. Rows have the positions first, first + 1, ...
 *    (y[t, i], y[t, i + D / 2]) = (x[t, i], x[t, i + D / 2]) turned by (first + t) base^(-2 i / D)
 *  Shapes:   x (..., T, D), D even -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: g turned back by the same angles
 *  Errors:   TG_ESHAPE if x has rank less than 2 or D is odd; TG_EARG if base is not positive; TG_EDTYPE for other dtypes
 *  Source:   Su, Lu, Pan, Murtadha, Wen, Liu 2021, RoFormer, arXiv:2104.09864, eq. 15 and 34 */
TG_API(tg_tensor, tg_rotary, (tg_tensor x, int64_t first, double base), (x, first, base)) {
    tg_tape *t = tg_tape_of(x);
    tg_shape s = tg_shape_of(x);
    tg_dtype d = tg_dtype_of(x);
    if (!t) return tg__lost(site);
    if (tg__is_half(d)) return tg_cast_at(site, tg_rotary_at(site, tg_cast_at(site, x, TG_F32), first, base), d);
    if (!tg_valid(x)) return tg_stop_gradient_at(site, x); /* says why */
    bool fits = s.rank >= 2 && s.dims[s.rank - 1] % 2 == 0, positive = base > 0 && base < INFINITY;
    if (!fits || !positive || !tg_dtype_is_float(d)) {
        tg__fail(t,
                 !fits       ? TG_ESHAPE
                 : !positive ? TG_EARG
                             : TG_EDTYPE,
                 "rotary", site, t->scope,
                 !fits       ? "x must be (..., length, an even size)"
                 : !positive ? "the base must be positive and finite"
                             : "x must be f32 or f64");
        return tg__poison(t);
    }
    int64_t rows = s.dims[s.rank - 2], half = s.dims[s.rank - 1] / 2;
    tg_tensor position = tg_add_scalar_at(site, tg_arange_at(site, t, rows, TG_F64), (double)first);
    tg_tensor power = tg_scale_at(site, tg_arange_at(site, t, half, TG_F64), half ? -log(base) / (double)half : 0);
    tg_tensor angle = tg_mul_at(site, tg_unsqueeze_at(site, position, TG_AXES(-1)), tg_exp_at(site, power));
    tg_tensor cosine = tg_cast_at(site, tg_cos_at(site, angle), d), sine = tg_cast_at(site, tg_sin_at(site, angle), d);
    tg_tensor a = tg_slice_at(site, x, -1, 0, half, 1), b = tg_slice_at(site, x, -1, half, 2 * half, 1);
    tg_tensor y[2] = {tg_sub_at(site, tg_mul_at(site, a, cosine), tg_mul_at(site, b, sine)),
                      tg_add_at(site, tg_mul_at(site, a, sine), tg_mul_at(site, b, cosine))};
    return tg_concat_at(site, y, 2, -1);
}
