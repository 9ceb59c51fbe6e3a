/* Variables and models: see var.h. */
#define _GNU_SOURCE /* the rwlock kind that does not starve writers */
#include <stdatomic.h>

#include "engine.h"
#include "tapegrad/model.h"

struct tg_model {
    tg_owner base;
    tg__var **vars;
    uint32_t n, cap;
    pthread_rwlock_t lock;
    uint64_t seed;
    tg_model *snapshot; /* the newest published copy; this model holds one count of it */
    uint64_t snapshot_version;
    _Atomic int count; /* holders */
};

const size_t tg__model_shell_size = sizeof(tg_model);

static _Atomic uint32_t next_uid = 1;
static pthread_mutex_t publish_mutex = PTHREAD_MUTEX_INITIALIZER;

tg_model *tg__model_create(void) {
    tg_model *m = (tg_model *)tg__owner_take(TG__OWNER_MODEL);
    if (!m) return NULL;
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
#ifdef __GLIBC__
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(&m->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    m->count = 1;
    return m;
}

static void free_var(tg__var *v) {
    if (!v) return;
    tg__free(v->name);
    tg__free(v->data);
    tg__free(v);
}

void tg__model_destroy(tg_model *m) {
    if (!m || m->base.kind != TG__OWNER_MODEL) return;
    if (atomic_fetch_sub(&m->count, 1) > 1) return;
    tg__model_destroy(m->snapshot);
    for (uint32_t i = 0; i < m->n; i++) free_var(m->vars[i]);
    tg__free(m->vars);
    pthread_rwlock_destroy(&m->lock);
    tg__owner_give(&m->base);
}

tg_status tg__model_fail(tg_model *m, tg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tg__error_set(&m->base.error, status, NULL, NULL, NULL, format, args);
    va_end(args);
    return status;
}

tg__var *tg__model_lookup(const tg_model *m, const char *name) {
    for (uint32_t i = 0; m && name && i < m->n; i++)
        if (strcmp(m->vars[i]->name, name) == 0) return m->vars[i];
    return NULL;
}

tg__var *tg__model_add(tg_model *m, const char *name, tg_shape shape, tg_dtype dtype, bool trainable) {
    char why[200];
    if (!tg__shape_valid(&shape, why, sizeof why)) {
        tg__model_fail(m, TG_ESHAPE, "%s: %s", name, why);
        return NULL;
    }
    if ((unsigned)dtype >= TG_DTYPE_COUNT) {
        tg__model_fail(m, TG_EDTYPE, "%s: %d is no dtype", name, (int)dtype);
        return NULL;
    }
    tg__var *v = tg__calloc(1, sizeof *v);
    if (v) {
        v->name = tg__strdup(name);
        v->dtype = dtype;
        v->shape = shape;
        v->numel = tg_shape_numel(&shape);
        v->data = tg__calloc((size_t)v->numel, tg_dtype_size(dtype));
        v->model = m;
        v->trainable = trainable;
        v->uid = atomic_fetch_add(&next_uid, 1);
        v->version = 1;
    }
    if (!v || !v->name || !v->data || !tg__grow(&m->vars, &m->cap, m->n + 1, sizeof *m->vars)) {
        free_var(v);
        tg__model_fail(m, TG_ENOMEM, "%s: out of memory", name);
        return NULL;
    }
    m->vars[m->n++] = v;
    return v;
}

int tg__model_count(const tg_model *m) { return m ? (int)m->n : 0; }

tg__var *tg__model_var(const tg_model *m, int i) { return m && i >= 0 && i < (int)m->n ? m->vars[i] : NULL; }

uint64_t *tg__model_seed(tg_model *m) { return &m->seed; }

tg_tensor tg__var_handle(const tg__var *v) {
    if (!v) return (tg_tensor){0};
    tg_model *m = v->model;
    uint32_t i = 0;
    while (m->vars[i] != v) i++;
    return (tg_tensor){&m->base, i, m->base.epoch};
}

tg__var *tg__var_of(tg_tensor x) {
    if (!x.owner || x.owner->kind != TG__OWNER_MODEL || x.owner->epoch != x.epoch) return NULL;
    return tg__model_var((tg_model *)x.owner, x.id == TG__NONE ? -1 : (int)x.id);
}

int64_t tg__var_i64(const tg__var *v) { return *(const int64_t *)v->data; }

void tg__model_lock_shared(tg_model *m) { pthread_rwlock_rdlock(&m->lock); }
void tg__model_lock_exclusive(tg_model *m) { pthread_rwlock_wrlock(&m->lock); }
void tg__model_unlock(tg_model *m) { pthread_rwlock_unlock(&m->lock); }

/* ------------------------------------------------------------------ public */

static bool is_model(const tg_model *m) { return m && m->base.kind == TG__OWNER_MODEL; }

void tg_model_free(tg_model *m) { tg__model_destroy(m); }
bool tg_model_ok(const tg_model *m) { return is_model(m) && !m->base.error.status; }
tg_status tg_model_error(const tg_model *m) { return is_model(m) ? m->base.error.status : TG_EARG; }
const char *tg_model_message(const tg_model *m) { return is_model(m) ? m->base.error.message : "the model is NULL"; }
void tg_model_clear(tg_model *m) {
    if (is_model(m)) m->base.error = (tg__error){0};
}
int tg_model_count(const tg_model *m) { return is_model(m) ? (int)m->n : 0; }

tg_tensor tg_model_at(const tg_model *m, int i) {
    tg__var *v = is_model(m) ? tg__model_var(m, i) : NULL;
    return v ? (tg_tensor){(tg_owner *)&m->base, (uint32_t)i, m->base.epoch} : (tg_tensor){0};
}

tg_tensor tg_model_find(const tg_model *m, const char *name) {
    return is_model(m) ? tg__var_handle(tg__model_lookup(m, name)) : (tg_tensor){0};
}

const char *tg_param_name(tg_tensor p) {
    tg__var *v = tg__var_of(p);
    return v ? v->name : "";
}

bool tg_param_trainable(tg_tensor p) {
    tg__var *v = tg__var_of(p);
    return v && v->trainable;
}

uint64_t tg_param_version(tg_tensor p) {
    tg__var *v = tg__var_of(p);
    return v ? v->version : 0;
}

int64_t tg_model_size(const tg_model *m) {
    int64_t n = 0;
    for (int i = 0; is_model(m) && i < (int)m->n; i++)
        if (m->vars[i]->trainable) n += m->vars[i]->numel;
    return n;
}

tg_status tg_param_write(tg_tensor p, tg_array values) {
    tg__var *v = tg__var_of(p);
    if (!v) return TG_ESTALE;
    if (values.dtype != v->dtype)
        return tg__model_fail(v->model, TG_EDTYPE, "tg_param_write: %s is %s, not %s", v->name, tg_dtype_name(v->dtype),
                              tg_dtype_name(values.dtype));
    char a[160], b[160];
    if (!tg_shape_equal(&values.shape, &v->shape))
        return tg__model_fail(v->model, TG_ESHAPE, "tg_param_write: %s is %s, not %s", v->name,
                              tg__shape_text(&v->shape, a, sizeof a), tg__shape_text(&values.shape, b, sizeof b));
    if (!values.data && v->numel) return tg__model_fail(v->model, TG_EARG, "tg_param_write: the data of %s is NULL", v->name);
    tg__model_lock_exclusive(v->model);
    if (v->numel) memcpy(v->data, values.data, (size_t)v->numel * tg_dtype_size(v->dtype));
    v->version++;
    tg__model_unlock(v->model);
    return TG_OK;
}

static uint64_t versions(const tg_model *m) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->n; i++) sum += m->vars[i]->version;
    return sum;
}

static tg_model *copy_of(const tg_model *m) {
    tg_model *c = tg__model_create();
    if (!c) return NULL;
    for (uint32_t i = 0; i < m->n; i++) {
        const tg__var *v = m->vars[i];
        tg__var *w = tg__model_add(c, v->name, v->shape, v->dtype, v->trainable);
        if (!w) {
            tg__model_destroy(c);
            return NULL;
        }
        if (v->numel) memcpy(w->data, v->data, (size_t)v->numel * tg_dtype_size(v->dtype));
    }
    return c;
}

tg_model *tg_model_publish(tg_model *m) {
    if (!is_model(m)) return NULL;
    pthread_mutex_lock(&publish_mutex);
    tg__model_lock_shared(m);
    uint64_t now = versions(m);
    if (!m->snapshot || m->snapshot_version != now || m->snapshot->n != m->n) {
        tg__model_destroy(m->snapshot);
        m->snapshot = copy_of(m);
        m->snapshot_version = now;
    }
    tg_model *s = m->snapshot;
    if (s) atomic_fetch_add(&s->count, 1);
    tg__model_unlock(m);
    pthread_mutex_unlock(&publish_mutex);
    return s;
}
