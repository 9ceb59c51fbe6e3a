/* bench/proto_block.h: blocks of micro-ops written by hand, as the planner would make them, and run as the library runs them:
 * as a chain where one is made, else loop by loop, a row of elements at a time. For the prototypes. */
#ifndef TG_PROTO_BLOCK_H
#define TG_PROTO_BLOCK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/chain.h"

#define TG_MICRO(name, arity, class, ...) extern const tg_micro tg__micro_##name;
#include "kernels/micro.inc"
#undef TG_MICRO

enum { PROTO_REGS = 64, PROTO_LINES = 48, PROTO_ARRAYS = 16 };

/* One micro-op on registers: first the arrays, in the order of `arrays`, then numbers, then scratch. */
typedef struct proto_line {
    const tg_micro *op;
    uint16_t out, a, b;
} proto_line;

typedef struct proto_array {
    float *data; /* NULL: not in use */
    int64_t stride; /* elements from row to row */
    bool written;
} proto_array;

typedef struct proto_block {
    proto_array arrays[PROTO_ARRAYS];
    float numbers[8];
    proto_line lines[PROTO_LINES];
    int n_arrays, n_numbers, n_regs, n_lines, sum; /* sum: register that is summed over all rows; 0: none */
    int64_t row, rows;
    /* made of it */
    tg__instr instrs[PROTO_LINES];
    tg__stream streams[PROTO_ARRAYS];
    tg__out outs[PROTO_ARRAYS];
    tg__tail tail;
    tg__plan plan;
    tg__block block;
    tg__chain chain;
    bool chained;
    float *leaves, *scratch, total;
} proto_block;

static inline void proto_make(proto_block *p) {
    const int scratch = p->n_arrays + p->n_numbers;
    for (int i = 0; i < p->n_lines; i++) {
        const proto_line *l = &p->lines[i];
        p->instrs[i] = (tg__instr){.fn.micro = tg__micro_get(l->op, TG_F32), .out = l->out, .a = l->a, .b = l->b, .c = l->a};
    }
    p->block = (tg__block){.numel = p->row * p->rows, .chunk = p->row, .n_instrs = (uint32_t)p->n_lines,
                           .n_regs = (uint32_t)p->n_regs, .n_slots = (uint32_t)(p->n_regs - scratch), .n_tails = p->sum != 0};
    for (int i = 0; i < p->n_arrays; i++) {
        if (!p->arrays[i].data) continue;
        if (p->arrays[i].written)
            p->outs[p->block.n_outs++] = (tg__out){.reg = (uint16_t)i, .size = sizeof(float)};
        else
            p->streams[p->block.n_streams++] = (tg__stream){.kind = TG__LINEAR, .size = sizeof(float), .reg = (uint16_t)i};
    }
    p->tail = (tg__tail){.fold = tg__kernels_get()->fold[TG__SUM][TG_F32], .reg = (uint16_t)p->sum, .size = sizeof(float)};
    p->plan = (tg__plan){.instrs = p->instrs, .streams = p->streams, .outs = p->outs, .tails = &p->tail};
    p->chained = tg__chain_make(&p->chain, &p->plan, &p->block, (char *const[1]){NULL});
    p->leaves = calloc((size_t)p->rows, sizeof *p->leaves);
    p->scratch = aligned_alloc(64, (size_t)(p->n_regs - p->n_arrays) * (size_t)p->row * sizeof(float));
    if (!p->leaves || !p->scratch) exit(1);
    for (int i = 0; i < p->n_numbers; i++)
        for (int64_t j = 0; j < p->row; j++) p->scratch[i * p->row + j] = p->numbers[i];
}

static inline void proto_run(proto_block *p) {
    _Alignas(64) char cells[TG__CHAIN_CELLS * TG__CHAIN_CELL];
    void *reg[PROTO_REGS];
    for (int i = p->n_arrays; i < p->n_regs; i++) reg[i] = p->scratch + (i - p->n_arrays) * p->row;
    if (p->chained) tg__chain_place(&p->chain, &p->plan, &p->block, reg, cells);
    for (int64_t r = 0; r < p->rows; r++) {
        for (int i = 0; i < p->n_arrays; i++)
            if (p->arrays[i].data) reg[i] = p->arrays[i].data + r * p->arrays[i].stride;
        if (p->chained) {
            const tg__chain *c = &p->chain;
            const int64_t groups = p->row / c->set->group;
            c->set->run(c->steps, reg, c->moves, c->n_moves, groups);
            for (const tg__chain_move *m = c->moves; m < c->moves + c->n_moves; m++)
                reg[m->reg] = (char *)reg[m->reg] - groups * m->bytes;
        } else {
            for (const tg__instr *i = p->instrs; i < p->instrs + p->n_lines; i++)
                i->fn.micro((size_t)p->row, reg[i->out], reg[i->a], reg[i->b], reg[i->c]);
        }
        if (p->sum) p->tail.fold->leaf(reg[p->sum], p->row, p->leaves + r);
    }
    if (p->sum) p->tail.fold->combine(p->leaves, p->rows, &p->total);
}

static inline void proto_free(proto_block *p) {
    free(p->leaves);
    free(p->scratch);
}

static inline float *proto_floats(int64_t n) {
    float *x = aligned_alloc(64, (size_t)(n + 15) / 16 * 64);
    if (!x) exit(1);
    for (int64_t i = 0; i < n; i++) x[i] = (float)((uint64_t)i * 2654435761u >> 8 & 0xffff) / 32768 - 1;
    return x;
}

static inline double proto_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int proto_ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Times both in turn, so that both see the same machine, and prints medians and the ratio of them. */
static inline void proto_compare(const char *name, void (*ours)(void *), void (*rival)(void *), void *ctx, int calls) {
    enum { REPEATS = 15 };
    double times[2][REPEATS];
    for (int r = 0; r < REPEATS; r++)
        for (int k = 0; k < 2; k++) {
            const double start = proto_now();
            for (int c = 0; c < calls; c++) (k ? rival : ours)(ctx);
            times[k][r] = (proto_now() - start) / calls * 1e6;
        }
    for (int k = 0; k < 2; k++) qsort(times[k], REPEATS, sizeof *times[k], proto_ascending);
    printf("{\"name\": \"%s\", \"threads\": 1, \"median\": %.1f, \"rival\": %.1f, \"ratio\": %.3f, \"unit\": \"us\"}\n", name,
           times[0][REPEATS / 2], times[1][REPEATS / 2], times[0][REPEATS / 2] / times[1][REPEATS / 2]);
}

#endif
