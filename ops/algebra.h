/* ops/algebra.h: parts of linear algebra that several files of ops use. */
#ifndef TG_ALGEBRA_H
#define TG_ALGEBRA_H

#include "ops/op_file.h"

tg_tensor tg__diagonal(tg_tensor x); /* (..., m, n) -> (..., min(m, n)): views */

#endif
