/* tests/graph_support.h: what the tests of pictures share: recordings to draw, pictures as text, a folder. */
#ifndef TG_TESTS_GRAPH_SUPPORT_H
#define TG_TESTS_GRAPH_SUPPORT_H

#include "tapegrad.h"
#include "tests/test.h"

typedef struct net {
    tg_tape *t;
    tg_model *m;
    tg_optim *o;
    tg_tensor y; /* the last value recorded */
} net;

void net_free(net *n);
net net_mlp(bool update);                            /* 784, 256, 128, 10 with a loss */
net net_rnn(int steps);                              /* a scope for each step */
net net_random(uint64_t seed, int nodes, int names); /* any graph; `names` of the scopes' names are hostile */

/* The picture; free it with free(). NULL and a failed check where it is not written. */
char *graph_text(net *n, const tg_graph_options *o);
int graph_count(const char *text, const char *part); /* how often part stands in text */

/* A file of that name in a folder of the test, which graph_folder_end removes. The path lives until then. */
const char *graph_path(const char *name);
void graph_folder_end(void);
char *graph_read(const char *path, size_t *size); /* with a NUL behind; NULL: not there */
bool graph_write_file(const char *path, const char *bytes, size_t n);

bool graph_has_dot(void);
/* Seconds that `dot` took to render the text; -1 when it failed or was not done in `limit` seconds. */
double graph_render(const char *dot, int limit);

#endif
