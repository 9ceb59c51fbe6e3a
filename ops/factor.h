/* ops/factor.h: what factorisations and solvers share. Each works on the last two axes; those before are a batch, whose
 * matrices are shared out among threads, one thread to a matrix. All is computed in f64, and rounded for f32. */
#ifndef TG_FACTOR_H
#define TG_FACTOR_H

#include "kernels/lapack.h"
#include "ops/op_file.h"

/* f32 or f64 matrices, square if asked: of input i. Without LAPACK TG_EUNSUPPORTED, after all else is right. */
tg_status tg__matrix_infer(tg_infer *f, int i, bool square);
tg_status tg__lapack_needed(tg_infer *f);

/* ------------------------------------------------------------------ kernels */

typedef struct tg__matrices {
    tg_kernel_args *k;
    int64_t m, n, work; /* of input 0; doubles of scratch for each matrix */
    /* Returns 0, or a code that `failure` puts into words. */
    int (*one)(const struct tg__matrices *a, int64_t matrix, double *work);
    void (*failure)(int code, char *text, size_t size);
} tg__matrices;

tg_status tg__for_each_matrix(tg__matrices *a);

/* Element (i, j) of a matrix goes to to[i + j rows], or with `transposed` to to[j + i columns]; and back. */
void tg__load(const tg_operand *x, int64_t matrix, int64_t rows, int64_t columns, bool transposed, double *to);
void tg__store(const tg_operand *y, int64_t matrix, int64_t rows, int64_t columns, bool transposed, const double *from);
/* (A + A^T) / 2 */
void tg__load_symmetric(const tg_operand *x, int64_t matrix, int64_t n, double *to);

/* ------------------------------------------------------------------ rules */

/* Triangles of x, 0 elsewhere; strict: without the diagonal. */
tg_tensor tg__lower_part(tg_tensor x, bool strict);
tg_tensor tg__upper_part(tg_tensor x, bool strict);
tg_tensor tg__eye_like(tg_tensor x); /* (n, n) for x (..., n, n) */
tg_tensor tg__symmetric_part(tg_tensor x);

#endif
