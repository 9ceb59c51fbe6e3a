/* Arrays that the caller owns, and lists of them. */
#include <string.h>

#include "engine/alloc.h"
#include "tapegrad/io.h"

tg_array tg_blob_array(const tg_blob *b) {
    tg_array a = {TG_F32, {1, {0}}, NULL};
    if (b) a = (tg_array){b->dtype, b->shape, b->data};
    return a;
}

void tg_blob_free(tg_blob *b) {
    if (!b) return;
    tg__free(b->data);
    memset(b, 0, sizeof *b);
}

const tg_blob *tg_array_list_find(const tg_array_list *list, const char *name) {
    if (!list || !name) return NULL;
    for (int i = 0; i < list->n; i++)
        if (!strcmp(list->items[i].name, name)) return &list->items[i].blob;
    return NULL;
}

void tg_array_list_free(tg_array_list *list) {
    if (!list) return;
    for (int i = 0; i < list->n; i++) {
        tg__free(list->items[i].name);
        tg_blob_free(&list->items[i].blob);
    }
    tg__free(list->items);
    memset(list, 0, sizeof *list);
}
