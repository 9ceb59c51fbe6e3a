/* Leaves: the nodes that have a value without computing it. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine.h"
#include "kernels/math.h"
#include "tapegrad/model.h"

const tg_op tg__leaf_input = {.name = "input", .n_out = 1};
const tg_op tg__leaf_borrow = {.name = "borrow", .label = "input", .n_out = 1};
const tg_op tg__leaf_number = {.name = "number", .n_out = 1};
const tg_op tg__leaf_var = {.name = "parameter", .n_out = 1};
const tg_op tg__leaf_const = {.name = "constant", .n_out = 1};  /* u.num[0] is 0 or 1; its data are one element, broadcast */
const tg_op tg__leaf_value = {.name = "value", .n_out = 1};     /* kept over a rewind */
const tg_op tg__leaf_dummy = {.name = "cotangent", .n_out = 1}; /* stands for a value that nothing depends on (tg_jvp) */

static uint32_t new_leaf(tg_tape *t, const tg_op *op, const void *attr, const tg_shape *shape, tg_dtype dtype,
                         const char *site) {
    uint32_t s = tg__shape_intern(t, shape);
    uint32_t id = s == TG__NONE ? 0 : tg__record(t, op, attr, NULL, 0, s, dtype, site);
    if (!id) {
        tg__fail_nomem(t, op->name, site);
        return 0;
    }
    t->nodes[id].flags |= TG__IS_LEAF;
    return id;
}

static bool array_ok(tg_tape *t, const tg_array *a, const char *op, const char *site) {
    char why[220];
    if ((unsigned)a->dtype >= TG_DTYPE_COUNT) {
        tg__fail(t, TG_EDTYPE, op, site, t->scope, "%d is no dtype", (int)a->dtype);
        return false;
    }
    if (!tg__shape_valid(&a->shape, why, sizeof why)) {
        tg__fail(t, TG_ESHAPE, op, site, t->scope, "%s", why);
        return false;
    }
    if (!a->data && tg_shape_numel(&a->shape)) {
        tg__fail(t, TG_EARG, op, site, t->scope, "the data of %s is NULL", tg__shape_text(&a->shape, why, sizeof why));
        return false;
    }
    return true;
}

TG_API(tg_tensor, tg_input, (tg_tape *t, tg_array a), (t, a)) {
    if (!t) return tg__lost(site);
    if (t->base.error.status || !array_ok(t, &a, "input", site)) return tg__poison(t);
    uint32_t id = new_leaf(t, &tg__leaf_input, NULL, &a.shape, a.dtype, site);
    if (!id) return tg__poison(t);
    size_t bytes = (size_t)tg_shape_numel(&a.shape) * tg_dtype_size(a.dtype);
    void *data = tg__value_memory(t, id, bytes);
    if (!data) {
        t->n--;
        tg__fail_nomem(t, "input", site);
        return tg__poison(t);
    }
    if (bytes) memcpy(data, a.data, bytes);
    t->nodes[id].data = data;
    return tg__handle(t, id);
}

TG_API(tg_tensor, tg_borrow, (tg_tape *t, tg_array a), (t, a)) {
    if (!t) return tg__lost(site);
    if (t->base.error.status || !array_ok(t, &a, "borrow", site)) return tg__poison(t);
    uint32_t id = new_leaf(t, &tg__leaf_borrow, NULL, &a.shape, a.dtype, site);
    if (!id) return tg__poison(t);
    t->nodes[id].data = (void *)(uintptr_t)a.data;
    if (!a.data)
        t->nodes[id].data = t->nodes[id].u.num; /* no elements */
    else if (t->check_borrowed)
        t->nodes[id].u.num[0] = XXH3_64bits(a.data, (size_t)tg_shape_numel(&a.shape) * tg_dtype_size(a.dtype));
    return tg__handle(t, id);
}

static void store_float(void *element, double value, tg_dtype dtype) {
    switch (dtype) {
    case TG_F32:
        *(float *)element = (float)value;
        break;
    case TG_BF16:
        *(uint16_t *)element = tg__to_bf16_f64(value);
        break;
    case TG_F16:
        *(uint16_t *)element = tg__to_f16_f64(value);
        break;
    default:
        *(double *)element = value;
    }
}

TG_API(tg_tensor, tg_scalar, (tg_tape *t, double value, tg_dtype dtype), (t, value, dtype)) {
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    if (!tg__is_float(dtype)) {
        tg__fail(t, TG_EDTYPE, "scalar", site, t->scope, "a number is a float, not %s", tg_dtype_name(dtype));
        return tg__poison(t);
    }
    tg_shape scalar = TG_SCALAR;
    uint32_t id = new_leaf(t, &tg__leaf_number, NULL, &scalar, dtype, site);
    if (!id) return tg__poison(t);
    store_float(t->nodes[id].u.num, value, dtype);
    return tg__handle(t, id);
}

static void store_constant(void *element, int value, tg_dtype dtype) {
    switch (dtype) {
    case TG_F32:
    case TG_F64:
    case TG_BF16:
    case TG_F16:
        store_float(element, value, dtype);
        break;
    case TG_I32:
        *(int32_t *)element = value;
        break;
    case TG_I64:
        *(int64_t *)element = value;
        break;
    default:
        *(uint8_t *)element = (uint8_t)value;
    }
}

/* A constant's attribute is its value as an address, so that the key of a plan tells zeros from ones. */
static const char constant_values[2];

tg_tensor tg__constant(tg_tape *t, int value, const tg_shape *shape, tg_dtype dtype) {
    if (t->base.error.status) return tg__poison(t);
    uint32_t id = new_leaf(t, &tg__leaf_const, &constant_values[value != 0], shape, dtype, NULL);
    if (!id) return tg__poison(t);
    store_constant(&t->nodes[id].u.num[0], value != 0, dtype);
    return tg__handle(t, id);
}

bool tg__is_constant(tg_tensor x, int value) {
    if (!x.owner || x.owner->kind != TG__OWNER_TAPE) return false;
    const tg_tape *t = (tg_tape *)x.owner;
    const tg__node *n = x.id < t->n ? &t->nodes[x.id] : NULL;
    return n && n->epoch == x.epoch && n->op == &tg__leaf_const && n->attr == &constant_values[value != 0];
}

const tg_field tg__source_fields[] = {{"shape", TG_FIELD_SHAPE, offsetof(tg__source_attr, shape)},
                                      {"dtype", TG_FIELD_DTYPE, offsetof(tg__source_attr, dtype)},
                                      {NULL, TG_FIELD_INT, 0}};

tg_status tg__source_infer(tg_infer *f) {
    const tg__source_attr *a = f->attr;
    if (!tg_dtype_is_float(a->dtype))
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64, not %s", tg_dtype_name(a->dtype));
    f->shape[0] = a->shape;
    f->dtype[0] = a->dtype;
    return TG_OK;
}

tg_tensor tg__source(const char *site, tg_tape *t, const tg_op *op, tg_shape shape, tg_dtype dtype) {
    tg__source_attr a = {shape, dtype};
    return tg_apply_at(site, t, op, &a, NULL, 0);
}

/* ------------------------------------------------------------------ parameters */

static void rehash(tg__var_slot *to, uint32_t size, const tg__var_slot *slot) {
    uint32_t at = slot->uid * 0x9e3779b1u & (size - 1);
    while (to[at].uid) at = (at + 1) & (size - 1);
    to[at] = *slot;
}

static bool grow_var_slots(tg_tape *t) {
    uint32_t size = t->var_slots_size ? t->var_slots_size * 2 : 64;
    tg__var_slot *slots = tg__calloc(size, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < t->var_slots_size; i++)
        if (t->var_slots[i].uid) rehash(slots, size, &t->var_slots[i]);
    tg__free(t->var_slots);
    t->var_slots = slots;
    t->var_slots_size = size;
    return true;
}

tg__var_slot *tg__var_slot_of(tg_tape *t, const tg__var *v, bool add) {
    if (add && (t->n_var_slots + 1) * 2 > t->var_slots_size && !grow_var_slots(t)) return NULL;
    if (!t->var_slots_size) return NULL;
    uint32_t mask = t->var_slots_size - 1, at = v->uid * 0x9e3779b1u & mask;
    for (; t->var_slots[at].uid; at = (at + 1) & mask)
        if (t->var_slots[at].uid == v->uid) return &t->var_slots[at];
    if (!add) return NULL;
    t->n_var_slots++;
    t->var_slots[at] = (tg__var_slot){v, v->uid, 0, 0};
    return &t->var_slots[at];
}

uint32_t tg__read_var(tg_tape *t, tg__var *v, const char *site) {
    tg__var_slot *slot = tg__var_slot_of(t, v, true);
    if (!slot) {
        tg__fail_nomem(t, "parameter", site);
        return 0;
    }
    if (slot->id) return slot->id;
    uint32_t id = new_leaf(t, &tg__leaf_var, v, &v->shape, v->dtype, site);
    if (!id) return 0;
    t->nodes[id].data = v->data;
    t->nodes[id].u.num[0] = __atomic_load_n(&v->version, __ATOMIC_ACQUIRE);
    return slot->id = id;
}

TG_API(tg_tensor, tg_on, (tg_tape *t, tg_tensor parameter), (t, parameter)) {
    if (!t) return tg__lost(site);
    uint32_t id = t->base.error.status ? 0 : tg__resolve(t, parameter, "on", site, 0);
    return id ? tg__handle(t, id) : tg__poison(t);
}

TG_API(tg_tensor, tg_state_new, (tg_tape *t, tg_shape shape, tg_dtype dtype), (t, shape, dtype)) {
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    if (!t->states && !(t->states = tg__model_create())) {
        tg__fail_nomem(t, "state", site);
        return tg__poison(t);
    }
    char name[32];
    snprintf(name, sizeof name, "state.%u", t->n_states);
    tg__var *v = tg__model_add(t->states, name, shape, dtype, false);
    if (!v) {
        tg__fail(t, tg_model_error(t->states), "state", site, t->scope, "%s", tg_model_message(t->states));
        tg_model_clear(t->states);
        return tg__poison(t);
    }
    t->n_states++;
    return tg__var_handle(v);
}
