/* tests/wrapped.c: tests of parts that count their own failures and print them to a stream. */
#include "tests/test.h"

#define WRAPPED(group, name, function)                        \
    int function(FILE *out);                                  \
    TEST(group, name) {                                       \
        int failures = function(stderr);                      \
        CHECK(failures == 0, "%d failures", failures);        \
    }

WRAPPED(kernels, gemm, tg_test_gemm)
WRAPPED(kernels, basic, tg_test_kernels)
WRAPPED(io, safetensors, tg_test_safetensors)
WRAPPED(io, idx, tg_test_idx)
WRAPPED(io, model, tg_test_model_file)
