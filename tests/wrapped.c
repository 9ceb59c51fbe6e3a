/* tests/wrapped.c: tests of parts that count their own failures and print them to a stream. */
#include "tests/kernels_basic.h"
#include "tests/test.h"

#include <stdlib.h>

#define WRAPPED(group, name, function)                        \
    int function(FILE *out);                                  \
    TEST(group, name) {                                       \
        int failures = function(stderr);                      \
        CHECK(failures == 0, "%d failures", failures);        \
    }

WRAPPED(kernels, gemm, tg_test_gemm)
WRAPPED(kernels, basic, tg_test_kernels)

/* The error of every elementwise function over the floats: TG_FLOATS=1 takes all 2^32 (hours), n one chunk in n. */
TEST(kernels, every_float) {
    const char *stride = getenv("TG_FLOATS");
    int failures = test_kernel_every_float(stride ? stdout : NULL, stride ? atoll(stride) : 16384);
    CHECK(failures == 0, "%d functions are beyond their bounds", failures);
}

WRAPPED(io, safetensors, tg_test_safetensors)
WRAPPED(io, idx, tg_test_idx)
WRAPPED(io, model, tg_test_model_file)
