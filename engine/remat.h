/* engine/remat.h: steps of a draft that run a second time. remat.c chooses them, redo.c makes their copies. */
#ifndef TG_REMAT_H
#define TG_REMAT_H

#include "planner.h"

/* A step that runs again, for some of its outputs. */
typedef struct tg__again {
    uint32_t step;
    uint64_t wanted; /* outputs */
    uint64_t instrs; /* micro-ops of a block that the copy needs */
    uint64_t read;   /* outputs of a block that the copy reads, since they are still there */
} tg__again;

/* What brings back the outputs of one step: copies of the steps that they need, and last of the step itself. */
typedef struct tg__revival {
    uint32_t before; /* the step that reads them next */
    uint32_t first, n; /* in agains */
} tg__revival;

typedef struct tg__remat {
    tg__planner *p;
    tg__again *agains;
    tg__revival *revivals;
    uint32_t n_agains, agains_cap, n_revivals, revivals_cap;
    uint32_t *revived; /* by storage: the step from which on its copy is read; TG__NONE: it has none */
} tg__remat;

uint32_t tg__n_inputs(const tg__plan *d, const tg__step *s);
uint32_t *tg__input_storage(const tg__plan *d, const tg__step *s, uint32_t i);
uint32_t tg__n_outputs(const tg__plan *d, const tg__step *s); /* tails are not among them */
uint32_t *tg__output_storage(const tg__plan *d, const tg__step *s, uint32_t i);

/* n + 1 of TG__NONE; NULL: no memory. */
uint32_t *tg__all_none(uint32_t n);

/* Puts the copies into the draft. */
bool tg__redo(tg__remat *r);

#endif
