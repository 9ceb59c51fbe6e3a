/* kernels/lapack.h: factorisations of matrices, by LAPACK (Anderson et al. 1999, LAPACK users' guide). Matrices are of doubles
 * and in columns: element (i, j) of m rows is a[i + j m]. Each function returns 0, or what LAPACK calls info. One thread works
 * on one matrix, so that bits do not depend on the number of threads.
 *
 * Without LAPACK (TG_HAVE_LAPACK is not defined) each returns -1; no op that needs them can be recorded then. */
#ifndef TG_LAPACK_H
#define TG_LAPACK_H

#include <stdbool.h>
#include <stdint.h>

/* Around all calls of a batch: keeps a threaded library (OpenBLAS) to one thread. Calls nest. */
void tg__lapack_begin(void);
void tg__lapack_end(void);

#define TG__LAPACK_MOST 20000 /* rows or columns: LAPACK counts in int, work space is of some times n^2 */

int tg__lapack_cholesky(int n, double *a);                             /* a to its upper factor U, a = U' U */
int tg__lapack_lu(int n, double *a, int *pivots);                      /* info > 0: U(info, info) is 0 */
int tg__lapack_lu_solve(int n, int columns, const double *lu, const int *pivots, double *b);
int tg__lapack_triangular_solve(int n, int columns, bool lower, bool transposed, bool unit, const double *a, double *b);
int64_t tg__lapack_qr_work(int m, int n);                              /* in doubles */
int tg__lapack_qr(int m, int n, double *a, double *work);              /* a to R in its upper triangle, and reflectors */
int tg__lapack_qr_q(int m, int k, double *a, double *work);            /* after tg__lapack_qr, the same work: a to Q */
int64_t tg__lapack_eigh_work(int n);
int tg__lapack_eigh(int n, double *a, double *w, double *work);        /* a to the eigenvectors, w rising */
int64_t tg__lapack_svd_work(int m, int n);
/* u (m, k), vt (k, n), k = min(m, n); s falling. */
int tg__lapack_svd(int m, int n, double *a, double *s, double *u, double *vt, double *work);

#endif
