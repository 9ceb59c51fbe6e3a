/* Models as safetensors files. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>

#include "engine/engine.h"
#include "signed_file.h"
#include "tapegrad/model.h"

static tg_status check_arguments(const tg_model *m, const tg__report *r) {
    if (!r->path) return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "the path is NULL");
    if (!m) return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "the model is NULL");
    if (!tg_model_ok(m)) return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "the model has an error: %s", tg_model_message(m));
    return TG_OK;
}

/* ------------------------------------------------------------------ saving */

static tg_status write_model(tg__atomic_file *f, const tg_model *m) {
    int n = tg__model_count(m);
    tg_named_array *items = tg__alloc((size_t)n * sizeof *items);
    if (!items) {
        tg__atomic_discard(f);
        return tg__report_nomem(f->report, (uint64_t)n * sizeof *items);
    }
    for (int i = 0; i < n; i++) {
        const tg__var *v = tg__model_var(m, i);
        items[i] = (tg_named_array){v->name, {v->dtype, v->shape, v->data}};
    }
    tg_status status = tg__write_signed(f, items, n);
    tg__free(items);
    return status;
}

/* The lock is given back before the disk is waited for. Only the lock of the model changes, so const is kept to the caller. */
tg_status tg_save(const tg_model *m, const char *path, tg_file_error *e) {
    const tg__report r = {path, e};
    tg__atomic_file f;
    tg_status status = check_arguments(m, &r);
    if (status == TG_OK) status = tg__atomic_begin(&f, &r);
    if (status != TG_OK) return status;
    tg__model_lock_shared((tg_model *)m);
    status = write_model(&f, m);
    tg__model_unlock((tg_model *)m);
    if (status == TG_OK) status = tg__atomic_commit(&f);
    return status == TG_OK ? tg__report_ok(&r) : status;
}

/* ------------------------------------------------------------------ loading */

static tg_status check_fit(const tg__var *v, const tg__st_entry *e, const tg__report *r) {
    char name[TG__QUOTED], file_shape[160], model_shape[160];
    tg__quoted(name, v->name);
    if (!e) return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "the model's tensor %s is missing in the file", name);
    tg_dtype dtype = (tg_dtype)tg__st_dtypes[e->dtype].dtype;
    if (dtype != v->dtype)
        return tg__report_at(r, TG_EDTYPE, e->at, "tensor %s is %s in the file, %s in the model", name, tg_dtype_name(dtype),
                             tg_dtype_name(v->dtype));
    tg_shape shape = tg__st_shape(e);
    if (!tg_shape_equal(&shape, &v->shape))
        return tg__report_at(r, TG_ESHAPE, e->at, "tensor %s is %s in the file, %s in the model", name,
                             tg__shape_text(&shape, file_shape, sizeof file_shape),
                             tg__shape_text(&v->shape, model_shape, sizeof model_shape));
    return TG_OK;
}

/* With every variable of the model in the file, and as many tensors there, no more than the model's can be in it. */
static tg_status check_model(const tg_model *m, const tg__st_table *t, const tg__report *r) {
    int n = tg__model_count(m);
    for (int i = 0; i < n; i++) {
        const tg__var *v = tg__model_var(m, i);
        tg_status status = check_fit(v, tg__st_find(t, v->name), r);
        if (status != TG_OK) return status;
    }
    for (uint32_t i = 0; i < t->n && t->n != (uint32_t)n; i++) {
        char name[TG__QUOTED];
        const tg__st_entry *e = &t->entries[i];
        if (!tg__model_lookup(m, e->name))
            return tg__report_at(r, TG_EARG, e->at, "the file's tensor %s is not in the model", tg__quoted(name, e->name));
    }
    return TG_OK;
}

static void copy_model(tg_model *m, const tg__st_table *t) {
    for (int i = 0, n = tg__model_count(m); i < n; i++) {
        tg__var *v = tg__model_var(m, i);
        tg__st_copy(v->data, tg__st_find(t, v->name));
        v->version++;
    }
}

tg_status tg_load(tg_model *m, const char *path, tg_file_error *e) {
    const tg__report r = {path, e};
    uint8_t *bytes;
    tg__st_table t;
    tg_status status = check_arguments(m, &r);
    if (status == TG_OK) status = tg__read_signed(&r, &bytes, &t);
    if (status != TG_OK) return status;
    tg__model_lock_exclusive(m);
    status = check_model(m, &t, &r);
    if (status == TG_OK) copy_model(m, &t);
    tg__model_unlock(m);
    tg__st_free(&t);
    tg__free(bytes);
    return status == TG_OK ? tg__report_ok(&r) : status;
}
