/* A recording that repeats the last one: its gradients are taken over, not derived again.
 *
 * A gradient is a function of the nodes before it and of what is asked. Its nodes stay in memory when a tape is reset or
 * rewound, so that the same question at the same place, after the same nodes, finds the answer already written. A node that is
 * recorded and differs from the one that was there ends what was known beyond it (tg__repeat_end). Values are no part of this:
 * numbers, inputs and parameters change from step to step. */
#include "engine.h"

/* What the gradient depends on beside the nodes: words at the end of the stack, which become the repeat's if it is noted. */
static bool push_question(tg_tape *t, const tg__question *q) {
    uint64_t n = 5 + 2 * (uint64_t)q->n_roots + (uint64_t)q->n_xs;
    uint32_t at = t->n_repeats ? t->repeats[t->n_repeats - 1].words_end : 0;
    if (!tg__grow(&t->repeat_words, &t->repeat_words_cap, at + n + (uint64_t)q->n_xs, sizeof *t->repeat_words)) return false;
    uint32_t *w = t->repeat_words + at;
    *w++ = t->scope;
    *w++ = t->flags_override;
    *w++ = t->for_tangents;
    *w++ = (uint32_t)q->n_roots;
    *w++ = (uint32_t)q->n_xs;
    for (int i = 0; i < q->n_roots; i++) {
        *w++ = q->roots[i];
        *w++ = q->cotangents[i].id;
    }
    for (int i = 0; i < q->n_xs; i++) *w++ = q->xs[i];
    t->n_question = (uint32_t)n;
    return true;
}

static const tg__repeat *repeat_at(const tg_tape *t, uint32_t begin) {
    uint32_t low = 0, high = t->n_repeats;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (t->repeats[middle].begin < begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n_repeats && t->repeats[low].begin == begin ? &t->repeats[low] : NULL;
}

static bool asks_the_same(const tg_tape *t, const tg__repeat *r) {
    const uint32_t *now = t->repeat_words + t->repeats[t->n_repeats - 1].words_end, *then = t->repeat_words + r->words;
    return r->site == t->site_override && r->spill_begin == t->n_spill && r->answer - r->words == t->n_question &&
           memcmp(now, then, t->n_question * sizeof *now) == 0;
}

bool tg__repeat_find(tg_tape *t, const tg__question *q, uint32_t *gs) {
    const tg__repeat *r = t->eager || t->n_held ? NULL : repeat_at(t, t->n);
    if (!r || !push_question(t, q) || !asks_the_same(t, r)) return false;
    for (uint32_t id = r->begin; id < r->end; id++) {
        tg__node *n = &t->nodes[id];
        n->epoch = t->base.epoch;
        n->data = NULL;
        n->flags &= (uint8_t)~(TG__KEEP | TG__WANT);
    }
    memcpy(gs, t->repeat_words + r->answer, (size_t)q->n_xs * sizeof *gs);
    t->n = r->end;
    t->n_spill = r->spill_end;
    return true;
}

/* Whether the node says all there is: nothing beside it was changed when it was recorded. */
static bool stands_alone(const tg__node *n) {
    if (n->op->source_fn) return false;
    return !(n->flags & TG__IS_LEAF) || n->op == &tg__leaf_const || n->op == &tg__leaf_number;
}

void tg__repeat_note(tg_tape *t, const tg__question *q, uint32_t begin, uint32_t spill_begin, const uint32_t *gs) {
    tg__repeat_end(t, begin);
    if (t->eager || t->n_held || !push_question(t, q)) return;
    for (uint32_t id = begin; id < t->n; id++)
        if (!stands_alone(&t->nodes[id])) return;
    if (!tg__grow(&t->repeats, &t->repeats_cap, t->n_repeats + 1, sizeof *t->repeats)) return; /* derived again, then */
    uint32_t words = t->n_repeats ? t->repeats[t->n_repeats - 1].words_end : 0, answer = words + t->n_question;
    memcpy(t->repeat_words + answer, gs, (size_t)q->n_xs * sizeof *gs);
    t->repeats[t->n_repeats++] = (tg__repeat){.begin = begin,
                                              .end = t->n,
                                              .spill_begin = spill_begin,
                                              .spill_end = t->n_spill,
                                              .words = words,
                                              .answer = answer,
                                              .words_end = answer + (uint32_t)q->n_xs,
                                              .site = t->site_override};
    t->repeats_end = t->n;
}

void tg__repeat_end(tg_tape *t, uint32_t id) {
    while (t->n_repeats && t->repeats[t->n_repeats - 1].end > id) t->n_repeats--;
    t->repeats_end = t->n_repeats ? t->repeats[t->n_repeats - 1].end : 0;
}
