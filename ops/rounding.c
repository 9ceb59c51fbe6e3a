/* Rounding */
#include "ops/elementwise.h"

UNARY_CUT(floor, FLOAT, TG_OP_CHEAP, M(floor)(a), floor(a),
          "the largest whole number that is not above x", "y = floor(x)", "elementary",
          RANGE1('c', .lo = -4, .hi = 4))

UNARY_CUT(ceil, FLOAT, TG_OP_CHEAP, M(ceil)(a), ceil(a),
          "the smallest whole number that is not below x", "y = ceil(x)", "elementary",
          RANGE1('c', .lo = -4, .hi = 4))

UNARY_CUT(round, FLOAT, TG_OP_CHEAP, M(rint)(a), rint(a),
          "the nearest whole number, of two the even one", "y = round(x)", "elementary",
          RANGE1('c', .lo = -4, .hi = 4))

UNARY_CUT(trunc, FLOAT, TG_OP_CHEAP, M(trunc)(a), trunc(a),
          "the whole part, rounded towards 0", "y = trunc(x)", "elementary",
          RANGE1('c', .lo = -4, .hi = 4))

UNARY(frac, FLOAT, TG_OP_CHEAP, a - M(trunc)(a), a - trunc(a), g,
      "what is behind the point, with the sign of x", "y = x - trunc(x)", "dx = g, at whole numbers, too", "elementary",
      RANGE1('f', .lo = 2.1, .hi = 2.9))
