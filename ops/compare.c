/* Comparisons and logic */
#include "ops/elementwise.h"

/* ------------------------------------------------------------------ comparisons */

BINARY_CUT(eq, TEST, TG_OP_COMMUTES, a == b, a == b,
           "whether two elements are equal; NaN equals nothing", "y = (a == b)", "elementary",
           .label = "==", RANGE2('j', .lo = -2, .hi = 2))

BINARY_CUT(ne, TEST, TG_OP_COMMUTES, a != b, a != b,
           "whether two elements differ; NaN differs from everything", "y = (a != b)", "elementary",
           .label = "!=", RANGE2('j', .lo = -2, .hi = 2))

BINARY_CUT(lt, TEST, 0, a < b, a < b,
           "whether a is less than b; false if one is NaN", "y = (a < b)", "elementary",
           .label = "<", RANGE2('j', .lo = -2, .hi = 2))

BINARY_CUT(le, TEST, 0, a <= b, a <= b,
           "whether a is at most b; false if one is NaN", "y = (a <= b)", "elementary",
           .label = "<=", RANGE2('j', .lo = -2, .hi = 2))

BINARY_CUT(gt, TEST, 0, a > b, a > b,
           "whether a is greater than b; false if one is NaN", "y = (a > b)", "elementary",
           .label = ">", RANGE2('j', .lo = -2, .hi = 2))

BINARY_CUT(ge, TEST, 0, a >= b, a >= b,
           "whether a is at least b; false if one is NaN", "y = (a >= b)", "elementary",
           .label = ">=", RANGE2('j', .lo = -2, .hi = 2))

/* ------------------------------------------------------------------ tests of one element */

UNARY_CUT(isnan, TEST, 0, a != a, isnan(a) != 0,
          "whether an element is NaN; false for whole numbers", "y = (x is NaN)", "elementary",
          RANGE1('c', .lo = -2, .hi = 2))

UNARY_CUT(isinf, TEST, 0, (a == a) & !(a - a == K(0)), isinf(a) != 0,
          "whether an element is infinite; false for whole numbers", "y = (|x| is infinite)", "elementary",
          RANGE1('c', .lo = -2, .hi = 2))

UNARY_CUT(isfinite, TEST, 0, a - a == K(0), isfinite(a) != 0,
          "whether an element is a finite number; true for whole numbers", "y = (x is neither NaN nor infinite)",
          "elementary",
          RANGE1('c', .lo = -2, .hi = 2))

/* ------------------------------------------------------------------ logic */

BINARY_CUT(and, LOGIC, TG_OP_COMMUTES, a & b, (int)a & (int)b,
           "whether both are true", "y = (a and b)", "elementary",
           RANGE2('b', .lo = 0, .hi = 1))

BINARY_CUT(or, LOGIC, TG_OP_COMMUTES, a | b, (int)a | (int)b,
           "whether at least one is true", "y = (a or b)", "elementary",
           RANGE2('b', .lo = 0, .hi = 1))

BINARY_CUT(xor, LOGIC, TG_OP_COMMUTES, a ^ b, (int)a ^ (int)b,
           "whether exactly one is true", "y = (a and not b, or b and not a)", "elementary",
           RANGE2('b', .lo = 0, .hi = 1))

UNARY_CUT(not, LOGIC, 0, !a, a == 0,
          "the opposite", "y = (not x)", "elementary",
          RANGE1('b', .lo = 0, .hi = 1))
