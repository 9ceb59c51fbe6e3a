/* Comparisons and logic */
#include "ops/elementwise.h"

/* ------------------------------------------------------------------ comparisons */

TG_MICRO(eq, 2, TEST, a == b)
REF(eq, a == b)
const tg_op tg__op_eq = {
    ELEMENTWISE(eq, 2, "y = (a == b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT | TG_OP_COMMUTES, any),
    .label = "==",
    RANGE2('j', .lo = -2, .hi = 2),
};

/*| tg_eq: whether two elements are equal; NaN equals nothing.
 *    y = (a == b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_API(tg_tensor, tg_eq, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_eq, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(ne, 2, TEST, a != b)
REF(ne, a != b)
const tg_op tg__op_ne = {
    ELEMENTWISE(ne, 2, "y = (a != b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT | TG_OP_COMMUTES, any),
    .label = "!=",
    RANGE2('j', .lo = -2, .hi = 2),
};

/*| tg_ne: whether two elements differ; NaN differs from everything.
 *    y = (a != b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_API(tg_tensor, tg_ne, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_ne, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(lt, 2, TEST, a < b)
REF(lt, a < b)
const tg_op tg__op_lt = {
    ELEMENTWISE(lt, 2, "y = (a < b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT, any),
    .label = "<",
    RANGE2('j', .lo = -2, .hi = 2),
};

/*| tg_lt: whether a is less than b; false if one is NaN.
 *    y = (a < b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_API(tg_tensor, tg_lt, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_lt, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(le, 2, TEST, a <= b)
REF(le, a <= b)
const tg_op tg__op_le = {
    ELEMENTWISE(le, 2, "y = (a <= b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT, any),
    .label = "<=",
    RANGE2('j', .lo = -2, .hi = 2),
};

/*| tg_le: whether a is at most b; false if one is NaN.
 *    y = (a <= b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_API(tg_tensor, tg_le, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_le, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(gt, 2, TEST, a > b)
REF(gt, a > b)
const tg_op tg__op_gt = {
    ELEMENTWISE(gt, 2, "y = (a > b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT, any),
    .label = ">",
    RANGE2('j', .lo = -2, .hi = 2),
};

/*| tg_gt: whether a is greater than b; false if one is NaN.
 *    y = (a > b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_API(tg_tensor, tg_gt, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_gt, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(ge, 2, TEST, a >= b)
REF(ge, a >= b)
const tg_op tg__op_ge = {
    ELEMENTWISE(ge, 2, "y = (a >= b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT, any),
    .label = ">=",
    RANGE2('j', .lo = -2, .hi = 2),
};

/*| tg_ge: whether a is at least b; false if one is NaN.
 *    y = (a >= b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_API(tg_tensor, tg_ge, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_ge, (tg_tensor[]){a, b}, 2);
}

/* ------------------------------------------------------------------ tests of one element */

TG_MICRO(isnan, 1, TEST, a != a)
REF(isnan, isnan(a) != 0)
const tg_op tg__op_isnan = {
    ELEMENTWISE(isnan, 1, "y = (x is NaN)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT, any),
    RANGE1('c', .lo = -2, .hi = 2),
};

/*| tg_isnan: whether an element is NaN; false for whole numbers.
 *    y = (x is NaN)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_API(tg_tensor, tg_isnan, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_isnan, &x, 1);
}

TG_MICRO(isfinite, 1, TEST, a - a == K(0))
REF(isfinite, isfinite(a) != 0)
const tg_op tg__op_isfinite = {
    ELEMENTWISE(isfinite, 1, "y = (x is neither NaN nor infinite)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT, any),
    RANGE1('c', .lo = -2, .hi = 2),
};

/*| tg_isfinite: whether an element is a finite number; true for whole numbers.
 *    y = (x is neither NaN nor infinite)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_API(tg_tensor, tg_isfinite, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_isfinite, &x, 1);
}

/* ------------------------------------------------------------------ logic */

TG_MICRO(and, 2, LOGIC, a & b)
REF(and, (int)a & (int)b)
const tg_op tg__op_and = {
    ELEMENTWISE(and, 2, "y = (a and b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT | TG_OP_BOOL_IN | TG_OP_COMMUTES, logic),
    RANGE2('b', .lo = 0, .hi = 1),
};

/*| tg_and: whether both are true.
 *    y = (a and b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if one is not bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_and, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_and, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(or, 2, LOGIC, a | b)
REF(or, (int)a | (int)b)
const tg_op tg__op_or = {
    ELEMENTWISE(or, 2, "y = (a or b)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT | TG_OP_BOOL_IN | TG_OP_COMMUTES, logic),
    RANGE2('b', .lo = 0, .hi = 1),
};

/*| tg_or: whether at least one is true.
 *    y = (a or b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if one is not bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_or, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_or, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(xor, 2, LOGIC, a ^ b)
REF(xor, (int)a ^ (int)b)
const tg_op tg__op_xor = {
    ELEMENTWISE(xor, 2, "y = (a and not b, or b and not a)",
                TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT | TG_OP_BOOL_IN | TG_OP_COMMUTES, logic),
    RANGE2('b', .lo = 0, .hi = 1),
};

/*| tg_xor: whether exactly one is true.
 *    y = (a and not b, or b and not a)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if one is not bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_xor, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_xor, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(not, 1, LOGIC, !a)
REF(not, a == 0)
const tg_op tg__op_not = {
    ELEMENTWISE(not, 1, "y = (not x)", TG_OP_CHEAP | TG_OP_CUT | TG_OP_BOOL_OUT | TG_OP_BOOL_IN, logic),
    RANGE1('b', .lo = 0, .hi = 1),
};

/*| tg_not: the opposite.
 *    y = (not x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   bool
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is not bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_not, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_not, &x, 1);
}
