/* tapegrad: automatic differentiation for C. This header brings in the whole public API.
 *
 * Read it in this order: core.h (tapes, tensors, errors, running), ops.h (every op; generated from ops/; their options
 * are in options.h), model.h (parameters and layers), optim.h (optimizers), io.h (files), graph.h (pictures), op.h (writing
 * your own op), check.h (checking derivatives). */
#ifndef TAPEGRAD_H
#define TAPEGRAD_H

#include "tapegrad/core.h"
#include "tapegrad/ops.h"
#include "tapegrad/model.h"
#include "tapegrad/optim.h"
#include "tapegrad/io.h"
#include "tapegrad/graph.h"
#include "tapegrad/op.h"
#include "tapegrad/check.h"

#endif
