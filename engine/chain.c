/* Blocks as chains: which block, in which form each of its micro-ops runs, and which results are stored at all. */
#include "chain.h"

#include "kernels/kernels.h"

#define SHORTEST 2048   /* elements: below, making the chain costs more than it saves */
#define FAST_PER_CALL 2 /* a call for a group costs about what so many steps save */

typedef struct maker {
    const tg__plan *plan;
    const tg__block *b;
    const tg__instr *instrs;
    char *const *base;
    const tg__chain_op *op[TG__CHAIN_STEPS];
    bool stored[TG__CHAIN_STEPS]; /* somebody reads the result in memory */
    bool past[TG__CHAIN_STEPS];   /* but nobody in this block, and it is large */
    uint16_t fixed;               /* the first scratch register */
} maker;

static const tg__chain_op *find(const tg__chain_set *set, tg_micro_fn *fn) {
    const tg__chain_op *op = set->ops;
    while (op->micro && op->micro != fn) op++;
    return op->micro ? op : NULL;
}

static uint32_t find_ops(maker *m, const tg__chain_set *set) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->b->n_instrs; i++) {
        m->op[i] = find(set, m->instrs[i].fn.micro);
        n += m->op[i] != NULL;
    }
    return n;
}

static bool has_source(const maker *m) {
    for (uint32_t i = 0; i < m->b->n_instrs; i++)
        if (m->instrs[i].c == TG__SOURCE_MARK) return true;
    return false;
}

static bool is_scratch(const maker *m, uint16_t reg) { return reg >= m->fixed; }

static bool is_tail(const maker *m, uint16_t reg) {
    for (uint32_t i = 0; i < m->b->n_tails; i++)
        if (m->plan->tails[m->b->tails + i].reg == reg) return true;
    return false;
}

/* A result that takes the memory of an operand over is in the cache anyway. */
static bool takes_over(const maker *m, const tg__out *o) {
    const tg__stream *s = m->plan->streams + m->b->streams, *end = s + m->b->n_streams;
    while (s < end && m->base[s->storage] != m->base[o->storage]) s++;
    return s < end;
}

static bool is_large(const maker *m, uint16_t reg) {
    for (uint32_t i = 0; i < m->b->n_outs; i++) {
        const tg__out *o = &m->plan->outs[m->b->outs + i];
        if (o->reg == reg) return tg__stores_past(m->b->numel * o->size) && !takes_over(m, o);
    }
    return false;
}

/* From the last to the first: a result that the next step alone reads, out of vector registers, is stored nowhere. */
static void choose_stored(maker *m) {
    uint8_t last[TG__CHAIN_REGS]; /* the last step that reads what a register holds; 0: none */
    memset(last, 0, m->b->n_regs);
    for (uint32_t i = m->b->n_instrs; i-- > 0;) {
        const tg__instr *ins = &m->instrs[i];
        uint8_t reader = last[ins->out];
        bool direct = reader == 0 || (reader == i + 1 && m->op[reader]);
        m->past[i] = reader == 0 && !is_tail(m, ins->out) && is_large(m, ins->out);
        m->stored[i] = !m->op[i] || !direct || !is_scratch(m, ins->out) || is_tail(m, ins->out);
        last[ins->out] = 0;
        const uint16_t in[] = {ins->a, ins->b, ins->c};
        for (int k = 0; k < 3; k++)
            if (last[in[k]] == 0) last[in[k]] = (uint8_t)i;
    }
}

static tg__chain_form form_of(const tg__instr *ins, uint16_t held) {
    if (ins->a == held) return ins->b == held ? TG__LAST_TWICE : TG__LAST_AND_MEMORY;
    return ins->b == held ? TG__MEMORY_AND_LAST : TG__BOTH_IN_MEMORY;
}

static void make_steps(tg__chain *c, const maker *m) {
    uint8_t used[16][TG__CHAIN_FORMS][2] = {0};
    uint16_t held = TG__NO_REG; /* what the vectors hold */
    for (uint32_t i = 0; i < m->b->n_instrs; i++) {
        const tg__instr *ins = &m->instrs[i];
        const tg__chain_op *op = m->op[i];
        tg__chain_step *s = &c->steps[i];
        *s = (tg__chain_step){c->set->call, ins->a, ins->b, ins->c, ins->out, m->past[i], ins->fn.micro};
        if (op) {
            c->past |= m->past[i];
            tg__chain_form form = form_of(ins, held);
            uint8_t *copy = &used[op - c->set->ops][form][m->stored[i]];
            s->fn = op->fn[form][m->stored[i]][*copy];
            *copy = (uint8_t)((*copy + 1) % op->copies);
        }
        held = op ? ins->out : TG__NO_REG;
    }
    c->steps[m->b->n_instrs].fn = c->set->end;
}

static void add_move(tg__chain *c, uint16_t reg, uint32_t size) {
    c->moves[c->n_moves++] = (tg__chain_move){reg, size * (uint32_t)c->set->group};
}

static bool is_still(const tg__stream *s) { return s->in_runs && s->one_element; }

static void make_moves(tg__chain *c, const maker *m) {
    for (uint32_t i = 0; i < m->b->n_streams; i++) {
        const tg__stream *s = &m->plan->streams[m->b->streams + i];
        if (s->kind == TG__LINEAR || (s->kind == TG__STRIDED && !is_still(s))) add_move(c, s->reg, s->size);
    }
    for (uint32_t i = 0; i < m->b->n_outs; i++)
        add_move(c, m->plan->outs[m->b->outs + i].reg, m->plan->outs[m->b->outs + i].size);
    for (uint32_t i = 0; i < m->b->n_tails; i++) {
        const tg__tail *t = &m->plan->tails[m->b->tails + i];
        bool again = false;
        for (uint32_t k = 0; k < i; k++) again = again || m->plan->tails[m->b->tails + k].reg == t->reg;
        if (is_scratch(m, t->reg) && !again) add_move(c, t->reg, t->size);
    }
}

static const tg__chain_set *set_of(maker *m, uint32_t *n_fast) {
    const tg__chain_set *f32 = tg__kernels_get()->chain_f32, *f64 = tg__kernels_get()->chain_f64;
    uint32_t n = find_ops(m, f64);
    *n_fast = find_ops(m, f32);
    if (*n_fast >= n) return f32;
    *n_fast = find_ops(m, f64);
    return f64;
}

static bool fits(const tg__block *b) {
    return b->numel >= SHORTEST && b->n_instrs > 1 && b->n_instrs < TG__CHAIN_STEPS && b->n_slots <= TG__CHAIN_CELLS &&
           b->n_streams + b->n_outs + b->n_tails <= TG__CHAIN_MOVES;
}

bool tg__chain_make(tg__chain *c, const tg__plan *plan, const tg__block *b, char *const *base) {
    if (!fits(b)) return false;
    maker m = {.plan = plan, .b = b, .instrs = plan->instrs + b->instrs, .base = base,
               .fixed = (uint16_t)(b->n_regs - b->n_slots)};
    if (has_source(&m)) return false;
    uint32_t n_fast;
    *c = (tg__chain){.set = set_of(&m, &n_fast)};
    if (n_fast < FAST_PER_CALL * (b->n_instrs - n_fast) || b->chunk < c->set->group) return false;
    choose_stored(&m);
    make_steps(c, &m);
    make_moves(c, &m);
    return true;
}

void tg__chain_place(const tg__chain *c, const tg__plan *plan, const tg__block *b, void **reg, char *cells) {
    maker m = {.plan = plan, .b = b, .fixed = (uint16_t)(b->n_regs - b->n_slots)};
    size_t cell = (size_t)c->set->group * 8;
    for (uint32_t i = 0; i < b->n_slots; i++)
        if (!is_tail(&m, (uint16_t)(m.fixed + i))) reg[m.fixed + i] = cells + i * cell;
    for (uint32_t i = 0; i < b->n_streams; i++) {
        const tg__stream *s = &plan->streams[b->streams + i];
        if (s->kind == TG__SPLAT) memcpy(cells + s->slot * cell, reg[s->reg], (size_t)c->set->group * s->size);
        if (s->kind == TG__SPLAT || is_still(s)) reg[s->reg] = cells + s->slot * cell;
    }
}
