/* Named arrays as safetensors files. */
#include "engine/alloc.h"
#include "signed_file.h"

tg_status tg_save_arrays(const char *path, const tg_named_array *items, int n, tg_file_error *e) {
    const tg__report r = {path, e};
    if (!path) return tg__report_at(&r, TG_EARG, TG__NO_OFFSET, "the path is NULL");
    tg__atomic_file f;
    tg_status status = tg__atomic_begin(&f, &r);
    if (status == TG_OK) status = tg__write_signed(&f, items, n);
    if (status == TG_OK) status = tg__atomic_commit(&f);
    return status == TG_OK ? tg__report_ok(&r) : status;
}

static bool copy_entry(const tg__st_entry *e, tg_named_blob *item) {
    item->name = tg__strdup(e->name);
    item->blob.dtype = (tg_dtype)tg__st_dtypes[e->dtype].dtype;
    item->blob.shape = tg__st_shape(e);
    item->blob.data = item->name ? tg__alloc((size_t)(e->end - e->begin)) : NULL;
    if (!item->blob.data) return false;
    tg__st_copy(item->blob.data, e);
    return true;
}

static tg_status copy_table(const tg__st_table *t, tg_array_list *out, const tg__report *r) {
    out->items = tg__calloc(t->n, sizeof *out->items);
    if (!out->items) return tg__report_nomem(r, t->n * sizeof *out->items);
    out->n = (int)t->n;
    for (uint32_t i = 0; i < t->n; i++)
        if (!copy_entry(&t->entries[i], &out->items[i])) {
            tg_array_list_free(out);
            return tg__report_nomem(r, t->entries[i].end - t->entries[i].begin);
        }
    return TG_OK;
}

tg_status tg_load_arrays(const char *path, tg_array_list *out, tg_file_error *e) {
    const tg__report r = {path, e};
    if (out) *out = (tg_array_list){0};
    if (!path || !out) return tg__report_at(&r, TG_EARG, TG__NO_OFFSET, "the path or the list to fill is NULL");
    uint8_t *bytes;
    tg__st_table t;
    tg_status status = tg__read_signed(&r, &bytes, &t);
    if (status != TG_OK) return status;
    status = copy_table(&t, out, &r);
    tg__st_free(&t);
    tg__free(bytes);
    return status == TG_OK ? tg__report_ok(&r) : status;
}
