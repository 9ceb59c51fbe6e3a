/* engine/planner.h: the working memory of a run, and what a plan is. */
#ifndef TG_PLANNER_H
#define TG_PLANNER_H

#include "engine.h"
#include "kernels/kernels.h"

/* The nodes of a run, numbered from 0 in recording order (local numbers). Filled by live.c. */
typedef struct tg__live {
    uint32_t *ids, n, ids_cap;       /* local -> node id; leaves among them */
    uint32_t *leaves, n_leaves, leaves_cap; /* ids */
    uint64_t *key, hash[2];          /* canonical words of the structure */
    uint32_t n_key, key_cap;
} tg__live;

/* Collects what the roots need and has no value yet. Fills t->local too. */
bool tg__live_collect(tg_tape *t, tg__live *live, const uint32_t *roots, uint32_t n_roots);
/* The key of the collected structure. */
bool tg__live_key(tg_tape *t, tg__live *live, tg__run_mode mode, const uint32_t *roots, uint32_t n_roots);

tg_status tg__check_borrowed(tg_tape *t, const tg__live *live);

/* The node of output k of a node of several outputs. */
uint32_t tg__sibling(const tg_tape *t, uint32_t primary, int k);

/* Calls a kernel; its failure becomes the error of node id. */
tg_status tg__call_kernel(tg_tape *t, uint32_t id, const tg_operand *in, int n_in, const tg_operand *out, int n_out, void *scratch);

#endif
