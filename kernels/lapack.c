/* LAPACK's routines behind the names of kernels/lapack.h. */
#define _GNU_SOURCE
#include "kernels/lapack.h"

#ifdef TG_HAVE_LAPACK
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

/* Fortran's interface: everything by address; the lengths of strings come last. */
typedef const int *in;
void dpotrf_(const char *uplo, in n, double *a, in lda, int *info, size_t);
void dgetrf_(in m, in n, double *a, in lda, int *pivots, int *info);
void dgetrs_(const char *trans, in n, in nrhs, const double *a, in lda, in pivots, double *b, in ldb, int *info, size_t);
void dtrtrs_(const char *uplo, const char *trans, const char *diag, in n, in nrhs, const double *a, in lda, double *b, in ldb,
             int *info, size_t, size_t, size_t);
void dgeqrf_(in m, in n, double *a, in lda, double *tau, double *work, in lwork, int *info);
void dorgqr_(in m, in n, in k, double *a, in lda, const double *tau, double *work, in lwork, int *info);
void dsyev_(const char *jobz, const char *uplo, in n, double *a, in lda, double *w, double *work, in lwork, int *info, size_t,
            size_t);
void dgesdd_(const char *jobz, in m, in n, double *a, in lda, double *s, double *u, in ldu, double *vt, in ldvt, double *work,
             in lwork, int *iwork, int *info, size_t);

/* ------------------------------------------------------------------ one thread */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int users, threads_before;

/* OpenBLAS, where it is what stands behind LAPACK; other libraries have no such functions. */
static int openblas_threads(void) {
    int (*get)(void) = NULL;
    *(void **)&get = dlsym(RTLD_DEFAULT, "openblas_get_num_threads");
    return get ? get() : 1;
}
static void set_openblas_threads(int n) {
    void (*set)(int) = NULL;
    *(void **)&set = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
    if (set) set(n);
}

void tg__lapack_begin(void) {
    pthread_mutex_lock(&lock);
    if (users++ == 0 && (threads_before = openblas_threads()) > 1) set_openblas_threads(1);
    pthread_mutex_unlock(&lock);
}

void tg__lapack_end(void) {
    pthread_mutex_lock(&lock);
    if (--users == 0 && threads_before > 1) set_openblas_threads(threads_before);
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ the routines */

#define BLOCK 32 /* columns that LAPACK works on at a time, for which there must be room */

static int least_of(int a, int b) { return a < b ? a : b; }
static int most_of(int a, int b) { return a > b ? a : b; }

int tg__lapack_cholesky(int n, double *a) {
    int info = 0;
    dpotrf_("U", &n, a, &n, &info, 1);
    return info;
}

int tg__lapack_lu(int n, double *a, int *pivots) {
    int info = 0;
    dgetrf_(&n, &n, a, &n, pivots, &info);
    return info;
}

int tg__lapack_lu_solve(int n, int columns, const double *lu, const int *pivots, double *b) {
    int info = 0;
    dgetrs_("N", &n, &columns, lu, &n, pivots, b, &n, &info, 1);
    return info;
}

int tg__lapack_triangular_solve(int n, int columns, bool lower, bool transposed, bool unit, const double *a, double *b) {
    int info = 0;
    dtrtrs_(lower ? "L" : "U", transposed ? "T" : "N", unit ? "U" : "N", &n, &columns, a, &n, b, &n, &info, 1, 1, 1);
    return info;
}

/* The factors of the reflectors, then LAPACK's own work space. */
int64_t tg__lapack_qr_work(int m, int n) { return least_of(m, n) + (int64_t)BLOCK * most_of(n, 1); }

int tg__lapack_qr(int m, int n, double *a, double *work) {
    int info = 0, lwork = BLOCK * most_of(n, 1);
    dgeqrf_(&m, &n, a, &m, work, work + least_of(m, n), &lwork, &info);
    return info;
}

int tg__lapack_qr_q(int m, int k, double *a, double *work) {
    int info = 0, lwork = BLOCK * most_of(k, 1);
    dorgqr_(&m, &k, &k, a, &m, work, work + k, &lwork, &info);
    return info;
}

int64_t tg__lapack_eigh_work(int n) { return (int64_t)(BLOCK + 2) * most_of(n, 1); }

int tg__lapack_eigh(int n, double *a, double *w, double *work) {
    int info = 0, lwork = (int)tg__lapack_eigh_work(n);
    dsyev_("V", "L", &n, a, &n, w, work, &lwork, &info, 1, 1);
    return info;
}

static int svd_lwork(int m, int n) {
    int k = least_of(m, n);
    int64_t size = 4 * (int64_t)k * k + 7 * (int64_t)k + most_of(m, n) + (int64_t)BLOCK * (m + n);
    return size > INT32_MAX ? INT32_MAX : (int)size;
}

/* 8 k integers after the doubles. */
int64_t tg__lapack_svd_work(int m, int n) { return (int64_t)svd_lwork(m, n) + 4 * (int64_t)least_of(m, n) + 1; }

int tg__lapack_svd(int m, int n, double *a, double *s, double *u, double *vt, double *work) {
    int info = 0, k = least_of(m, n), lwork = svd_lwork(m, n);
    dgesdd_("S", &m, &n, a, &m, s, u, &m, vt, &k, work, &lwork, (int *)(void *)(work + lwork), &info, 1);
    return info;
}
#else
#define ABSENT -1
void tg__lapack_begin(void) {}
void tg__lapack_end(void) {}
int tg__lapack_cholesky(int n, double *a) { return (void)n, (void)a, ABSENT; }
int tg__lapack_lu(int n, double *a, int *pivots) { return (void)n, (void)a, (void)pivots, ABSENT; }
int tg__lapack_lu_solve(int n, int columns, const double *lu, const int *pivots, double *b) {
    return (void)n, (void)columns, (void)lu, (void)pivots, (void)b, ABSENT;
}
int tg__lapack_triangular_solve(int n, int columns, bool lower, bool transposed, bool unit, const double *a, double *b) {
    return (void)n, (void)columns, (void)lower, (void)transposed, (void)unit, (void)a, (void)b, ABSENT;
}
int64_t tg__lapack_qr_work(int m, int n) { return (void)m, (void)n, 0; }
int tg__lapack_qr(int m, int n, double *a, double *work) { return (void)m, (void)n, (void)a, (void)work, ABSENT; }
int tg__lapack_qr_q(int m, int k, double *a, double *work) { return (void)m, (void)k, (void)a, (void)work, ABSENT; }
int64_t tg__lapack_eigh_work(int n) { return (void)n, 0; }
int tg__lapack_eigh(int n, double *a, double *w, double *work) {
    return (void)n, (void)a, (void)w, (void)work, ABSENT;
}
int64_t tg__lapack_svd_work(int m, int n) { return (void)m, (void)n, 0; }
int tg__lapack_svd(int m, int n, double *a, double *s, double *u, double *vt, double *work) {
    return (void)m, (void)n, (void)a, (void)s, (void)u, (void)vt, (void)work, ABSENT;
}
#endif
