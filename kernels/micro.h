/* kernels/micro.h: elementwise loops, written once in the op's section and compiled for every instruction set.
 *
 * In an op's section stands one line
 *     TG_MICRO(relu, 1, FLOAT, a > K(0) ? a : K(0))
 * name, number of inputs, class, and the expression of one element in a, b, c. Here it only declares tg__micro_relu, the table
 * that the descriptor points to. tools/gen-ops collects these lines into kernels/micro.inc, from which kernels/micro.c makes
 * the loops of each set. An expression may use K(x), the number x in the element type T, and M(f), the function f of
 * kernels/math.h for T: M(exp)(a). Classes, by the dtypes of the inputs and of the result:
 *     FLOAT   T -> T       f32 f64
 *     PERIODIC T -> T      f32 f64: as FLOAT, one input, for a function good up to TG__TRIG_LIMIT; libm's function of the
 *                          op's name takes larger elements
 *     NUM     T -> T       f32 f64 i32 i64
 *     TEST    T -> bool    f32 f64 i32 i64 u8 bool
 *     LOGIC   bool -> bool
 *     SELECT  (bool, T, T) -> T   every dtype: a is the condition, b and c the values
 *     TO_F32, TO_F64, TO_I32, TO_I64, TO_U8, TO_BOOL, TO_BF16, TO_F16   T -> that dtype, from every dtype
 * A float cast to whole numbers saturates and NaN gives 0. Whole numbers must not overflow in an expression: M(add), M(sub),
 * M(mul), M(div), M(abs) wrap around (and x / 0 = 0); for floats they are the plain operations.
 * out may be the memory of an input of the same element size. Loops must give the same bits as the scalar expression: no
 * reassociation, no contraction. */
#ifndef TG_MICRO_H
#define TG_MICRO_H

#include "tapegrad/op.h"

#define TG_MICRO(name, arity, class, ...) extern const tg_micro tg__micro_##name;

#endif
