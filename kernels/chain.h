/* kernels/chain.h: a list of elementwise operations run over arrays, a group of elements at a time, with the last result held
 * in vector registers from one operation to the next.
 *
 * A step is a function that takes the eight vectors of the last result as arguments, makes its own of them and of operands in
 * memory, stores it where somebody else reads it, and calls the next step last: a jump with the vectors in place. So an
 * operation costs no loop, and mostly no load and no store of its own. Steps come in equal copies, which a list uses in turn:
 * the processor foresees a jump or a load that is always at the same place of a list, and not one that many places share
 * (replication: Ertl and Gregg 2003, "Optimizing indirect branch prediction accuracy in virtual machine interpreters"). The
 * bits are those of the loops. */
#ifndef TG_CHAIN_H
#define TG_CHAIN_H

#include "kernels/set.h"
#include "tapegrad/op.h"

/* Where the operands a and b of a step are: in memory or the last result. */
typedef enum tg__chain_form {
    TG__LAST_AND_MEMORY,
    TG__MEMORY_AND_LAST,
    TG__BOTH_IN_MEMORY,
    TG__LAST_TWICE,
    TG__CHAIN_FORMS
} tg__chain_form;

#define TG__CHAIN_COPIES 8

typedef void tg__chain_fn(void); /* of its set's own type: called through the table only */

typedef struct tg__chain_step {
    tg__chain_fn *fn;
    uint16_t a, b, c, out; /* registers */
    bool past;             /* what is stored is not soon read: past the caches, where the memory is aligned */
    tg_micro_fn *micro;    /* of a call */
} tg__chain_step;

/* The steps that do what a loop does. */
typedef struct tg__chain_op {
    tg_micro_fn *micro;
    int copies;
    tg__chain_fn *fn[TG__CHAIN_FORMS][2][TG__CHAIN_COPIES]; /* [1]: stores its result, too */
} tg__chain_op;

/* A register whose address moves from group to group. */
typedef struct tg__chain_move {
    uint16_t reg;
    uint32_t bytes; /* of a group */
} tg__chain_move;

typedef struct tg__chain_set tg__chain_set;
struct tg__chain_set {
    int group;              /* elements */
    const tg__chain_op *ops; /* ends with micro NULL */
    tg__chain_fn *call, *end;
    /* Runs the steps over so many groups; reg holds addresses, which stay moved. After steps whose stores go past the caches
     * comes end_past, before others may read the memory. */
    void (*run)(const tg__chain_step *steps, void **reg, const tg__chain_move *moves, int n_moves, int64_t groups);
    void (*end_past)(void);
};

#define TG__CHAIN_DECLARE(set, level) extern const tg__chain_set tg__chain_f32_##set, tg__chain_f64_##set;
TG__SET_MAP(TG__CHAIN_DECLARE)

#endif
