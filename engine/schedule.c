/* The order of the groups. Without effects it is the order of their making. With effects, what can fail comes first, so that
 * the commit point is early; then every update runs as soon as its inputs are there and the old value has been read, so that
 * no two gradients need to be alive together. */
#include "planner.h"

/* What lnode x reads: its operand number i, TG__NONE if it has fewer. */
static inline uint32_t operand_of(const tg__planner *p, uint32_t x, uint32_t i) {
    const tg__lnode *n = &p->nodes[x];
    uint32_t count = n->n_in, y = TG__NONE;
    if (count == TG__WIDE) {
        const uint32_t *in = tg__inputs(p->t, n->node, &count);
        if (i < count) y = p->nodes[p->t->local[in[i]]].same;
    } else if (i < count) {
        y = n->in[i];
    }
    return y != TG__NONE && n->kind == TG__L_KERNEL ? tg__lnode_operand(p, n->node->op, y) : y;
}

#define EACH_OPERAND(p, x, i, y) (uint32_t i = 0, y; (y = operand_of(p, x, i)) != TG__NONE; i++)

static uint32_t maker(const tg__planner *p, uint32_t x) { return p->nodes[p->nodes[x].src].group; }

/* Something that can fail needs the group. Groups need earlier ones only. */
static void mark_early(tg__planner *p) {
    for (uint32_t g = 0; g < p->n_groups; g++) p->groups[g].early = p->groups[g].can_fail;
    for (uint32_t g = p->n_groups; g-- > 0;) {
        if (!p->groups[g].early) continue;
        for (uint32_t x = p->groups[g].node; x != TG__NONE; x = p->nodes[x].next)
            for EACH_OPERAND(p, x, i, y)
                if (maker(p, y) != TG__NONE) p->groups[maker(p, y)].early = true;
    }
}

/* ------------------------------------------------------------------ turns
 *
 * Turn 0 is after the early groups, turn g + 1 that of group g. A group that writes the new value of a variable gets an earlier
 * turn than its own, right after the group there. */

static void wait_for(tg__planner *p, uint32_t g, uint32_t turn) {
    if (turn > p->turns[g]) p->turns[g] = turn;
}

/* What reads the old value of a variable comes before the group that writes the new one. */
static void wait_for_readers(tg__planner *p) {
    for (uint32_t x = 0; x < p->n_nodes; x++) p->written_by[x] = TG__NONE;
    for (uint32_t i = 0; i < p->t->n_effects; i++)
        if (p->effects[i].read != TG__NONE) p->written_by[p->effects[i].read] = p->nodes[p->effects[i].value].group;
    for (uint32_t x = 0; x < p->n_nodes; x++) {
        uint32_t g = p->nodes[x].group;
        if (g == TG__NONE || p->groups[g].early) continue;
        for EACH_OPERAND(p, x, i, y) {
            uint32_t writer = p->written_by[p->nodes[y].src];
            if (writer != TG__NONE && writer != g) wait_for(p, writer, g + 1);
        }
    }
}

static void wait_for_inputs(tg__planner *p, uint32_t g) {
    for (uint32_t x = p->groups[g].node; x != TG__NONE; x = p->nodes[x].next)
        for EACH_OPERAND(p, x, i, y) {
            uint32_t from = maker(p, y);
            if (from != TG__NONE && from != g) wait_for(p, g, p->turns[from]);
        }
}

/* A later turn than its own would be of no use: a reader that comes after it may need it. */
static void choose_turns(tg__planner *p) {
    memset(p->turns, 0, p->n_groups * sizeof *p->turns);
    wait_for_readers(p);
    for (uint32_t g = 0; g < p->n_groups; g++) {
        if (p->groups[g].early) continue;
        if (p->groups[g].writes) wait_for_inputs(p, g);
        if (!p->groups[g].writes || p->turns[g] > g + 1) p->turns[g] = g + 1;
    }
}

/* ------------------------------------------------------------------ the order */

static bool is_left(const tg__planner *p, uint32_t g) { return p->groups[g].kind != TG__G_MERGED; }

static void emit_group(tg__planner *p, uint32_t g) {
    p->groups[g].position = p->n_order;
    p->order[p->n_order++] = g;
}

/* The groups of each turn: first_of[turn] heads a list in next_of, ascending. */
static void list_turns(tg__planner *p) {
    for (uint32_t turn = 0; turn <= p->n_groups; turn++) p->first_of[turn] = TG__NONE;
    for (uint32_t g = p->n_groups; g-- > 0;) {
        if (p->groups[g].early || !is_left(p, g)) continue;
        p->next_of[g] = p->first_of[p->turns[g]];
        p->first_of[p->turns[g]] = g;
    }
}

static void order_groups(tg__planner *p) {
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (p->groups[g].early && is_left(p, g)) emit_group(p, g);
    for (uint32_t turn = 0; turn <= p->n_groups; turn++)
        for (uint32_t g = p->first_of[turn]; g != TG__NONE; g = p->next_of[g]) emit_group(p, g);
}

static bool schedule_step(tg__planner *p) {
    if (!tg__grow(&p->written_by, &p->written_by_cap, p->n_nodes, sizeof *p->written_by) ||
        !tg__grow(&p->turns, &p->turns_cap, p->n_groups, sizeof *p->turns) ||
        !tg__grow(&p->first_of, &p->first_of_cap, (uint64_t)p->n_groups + 1, sizeof *p->first_of) ||
        !tg__grow(&p->next_of, &p->next_of_cap, p->n_groups, sizeof *p->next_of))
        return false;
    mark_early(p);
    choose_turns(p);
    list_turns(p);
    order_groups(p);
    return true;
}

bool tg__schedule(tg__planner *p) {
    if (!tg__grow(&p->order, &p->order_cap, p->n_groups, sizeof *p->order)) return false;
    p->n_order = 0;
    if (p->mode == TG__STEP && p->t->n_effects) return schedule_step(p);
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (is_left(p, g)) emit_group(p, g);
    return true;
}
