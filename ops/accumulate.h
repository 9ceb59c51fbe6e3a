/* ops/accumulate.h: ops without a public function that other ops record. Those that the engine records too (tg__accumulate,
 * tg__sum_to, tg__identity, tg__fence) are declared in engine/engine.h. */
#ifndef TG_ACCUMULATE_H
#define TG_ACCUMULATE_H

#include "engine/engine.h"

/* The box of x that `size` and a region say. */
tg_tensor tg__slice_region(tg_tensor x, const tg_shape *size, const tg__region *region);

#endif
