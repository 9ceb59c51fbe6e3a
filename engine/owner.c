/* Shells of tapes and models: kept on a free list for ever, so that a stale handle reads a differing epoch, never freed
 * memory. */
#include <stdatomic.h>

#include "engine.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static tg_owner *free_shells[TG__OWNER_LOST];

static size_t shell_size(tg__owner_kind kind) {
    extern const size_t tg__model_shell_size;
    return kind == TG__OWNER_TAPE ? sizeof(tg_tape) : tg__model_shell_size;
}

/* The memory after the tg_owner part is zeroed. */
tg_owner *tg__owner_take(tg__owner_kind kind) {
    pthread_mutex_lock(&mutex);
    tg_owner *o = free_shells[kind];
    if (o) free_shells[kind] = o->next_free;
    pthread_mutex_unlock(&mutex);
    uint32_t epoch = 1;
    if (o) {
        epoch = o->epoch + 1;
        memset(o, 0, shell_size(kind));
    } else if (!(o = tg__calloc(1, shell_size(kind)))) {
        return NULL;
    } else {
        tg__alloc_for_ever();
    }
    o->epoch = epoch;
    o->kind = kind;
    return o;
}

void tg__owner_give(tg_owner *o) {
    tg__owner_kind kind = o->kind;
    o->epoch++;
    o->kind = TG__OWNER_FREE;
    pthread_mutex_lock(&mutex);
    o->next_free = free_shells[kind];
    free_shells[kind] = o;
    pthread_mutex_unlock(&mutex);
}

static tg_owner lost_owner = {.kind = TG__OWNER_LOST};

tg_tensor tg__lost(const char *site) {
    uint64_t address = (uint64_t)(uintptr_t)(site ? site : "?");
    return (tg_tensor){&lost_owner, (uint32_t)address, (uint32_t)(address >> 32)};
}

const char *tg__lost_site(tg_tensor x) {
    if (x.owner != &lost_owner) return NULL;
    return (const char *)(uintptr_t)((uint64_t)x.epoch << 32 | x.id);
}
