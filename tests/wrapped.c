/* tests/wrapped.c: tests of parts that count their own failures and print them to a stream. */
#include "tests/test.h"

#define WRAPPED(group, name, function)                        \
    int function(FILE *out);                                  \
    TEST(group, name) {                                       \
        int failures = function(stderr);                      \
        CHECK(failures == 0, "%d failures", failures);        \
    }

#if __has_include("tests/kernels_gemm.c")
WRAPPED(kernels, gemm, tg_test_gemm)
#endif
#if __has_include("tests/kernels_basic.c")
WRAPPED(kernels, basic, tg_test_kernels)
#endif
#if __has_include("tests/io_safetensors.c")
WRAPPED(io, safetensors, tg_test_safetensors)
#endif
#if __has_include("tests/io_idx.c")
WRAPPED(io, idx, tg_test_idx)
#endif
