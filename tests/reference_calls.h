/* tests/reference_calls.h: functions that are more than one op, as ops with samples, for tests/reference.c. */
#ifndef TG_TESTS_REFERENCE_CALLS_H
#define TG_TESTS_REFERENCE_CALLS_H

#include "tapegrad/op.h"

const tg_op *reference_call(int i); /* NULL past the last */

#endif
