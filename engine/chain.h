/* engine/chain.h: a block's micro-ops as a chain of kernels/chain.h. */
#ifndef TG_CHAIN_ENGINE_H
#define TG_CHAIN_ENGINE_H

#include "kernels/chain.h"
#include "planner.h"

#define TG__CHAIN_REGS 512 /* of a block */
#define TG__CHAIN_STEPS 96
#define TG__CHAIN_MOVES 32
#define TG__CHAIN_CELLS 40 /* values of a group between steps, and splats */
#define TG__CHAIN_CELL 1024 /* bytes: the widest group of the widest type */

typedef struct tg__chain {
    const tg__chain_set *set;
    tg__chain_step steps[TG__CHAIN_STEPS];
    tg__chain_move moves[TG__CHAIN_MOVES];
    int n_moves;
    bool past; /* some step stores past the caches */
} tg__chain;

/* Makes the chain of a block, if a chain runs it faster than loops do. base: addresses by storage. */
bool tg__chain_make(tg__chain *c, const tg__plan *plan, const tg__block *b, char *const *base);

/* Points scratch registers and splats of which only a group is needed at a time to cells: TG__CHAIN_CELLS of them. */
void tg__chain_place(const tg__chain *c, const tg__plan *plan, const tg__block *b, void **reg, char *cells);

#endif
