/* ops/op_file.h: what a file of ops includes. */
#ifndef TG_OP_FILE_H
#define TG_OP_FILE_H

#include <math.h>
#include <string.h>

#include "engine/engine.h"
#include "kernels/kernels.h"
#include "kernels/micro.h"
#include "tapegrad/op.h"
#include "tapegrad/ops.h"

/* Defines a public op: the plain function (for function pointers and other languages) and, with the body that follows, its
 * _at form, where `site` is the caller's place. tools/gen-ops makes the prototypes and the macro from this line. */
#define TG__OPEN(...) __VA_ARGS__
#define TG_API(ret, name, params, args)                               \
    ret(name)(TG__OPEN params) { return name##_at(NULL, TG__OPEN args); } \
    ret name##_at(const char *site, TG__OPEN params)

#endif
