/* tapegrad/graph.h: pictures and saved graphs. */
#ifndef TAPEGRAD_GRAPH_H
#define TAPEGRAD_GRAPH_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What tg_graph_write draws: by default the forward graph. */
typedef struct tg_graph_options {
    const char *title;        /* NULL: none */
    const tg_tensor *outputs; /* draw only what these need; NULL: everything recorded */
    int n_outputs;
    bool gradient;            /* also the gradient graph and the updates, apart from the forward graph */
    bool plan;                /* also what is fused and which memory is shared, as a run of the outputs would do it */
    int max_nodes;            /* more nodes than this: fold repeated scopes, then cut with a note; 0: 300; negative: no limit */
} tg_graph_options;

/* tg_graph_write: the recording as a Graphviz DOT graph: `dot -Tsvg FILE` draws it. It is of what has been recorded since the
 * last reset, run or not: call it before tg_tape_reset. Node names are stable: scope path and a number, never addresses; all
 * text is escaped. The file is the caller's. Returns the tape's error, TG_EIO if writing fails. o may be NULL. */
TG_EXPORT tg_status tg_graph_write(tg_tape *t, FILE *file, const tg_graph_options *o);

/* tg_tape_save: the recording's structure (no values) as a small JSON file that the tool tg-graph draws later; crash-safe.
 *   Whether gradients are drawn is asked then; the plan must be asked for here.
 * tg_graph_draw: reads such a file and writes DOT to `out`. Errors: TG_EIO, TG_EFORMAT with the place; message may be NULL. */
TG_EXPORT tg_status tg_tape_save(tg_tape *t, const char *path, const tg_graph_options *o);
TG_EXPORT tg_status tg_graph_draw(const char *path, FILE *out, const tg_graph_options *o, char *message, size_t message_size);

#ifdef __cplusplus
}
#endif
#endif
