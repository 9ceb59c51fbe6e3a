/* Sums of products by index notation
 *
 * Every index is a number: a letter, or an axis under the ellipsis, counted from the last. A term is a tensor and the indices
 * of its axes, each of which stands there once and is needed by the result or by another term. Terms are contracted in pairs,
 * by matrix products or, where nothing is summed, by a multiplication. */
#include "ops/algebra.h"

#define LETTERS 52
#define INDICES (LETTERS + TG_MAX_RANK)
#define MOST_TERMS 32
#define EXACT_TERMS 8 /* up to so many, the order of least work is found exactly */

typedef struct term {
    tg_tensor x;
    int rank;
    uint8_t index[2 * TG_MAX_RANK];
    uint64_t set;
} term;

typedef struct einsum {
    tg_tape *t;
    const char *site, *spec;
    int n;
    term terms[MOST_TERMS], result; /* result: indices only */
    int64_t dims[INDICES];
} einsum;

static bool failed(const einsum *e) { return e->t->base.error.status != TG_OK; }

static void refuse(einsum *e, tg_status status, const char *why, int index) {
    char name[24] = "";
    if (index >= 0 && index < LETTERS) snprintf(name, sizeof name, " '%c'", index < 26 ? 'A' + index : 'a' + index - 26);
    else if (index >= 0) snprintf(name, sizeof name, " under the ellipsis");
    tg__fail(e->t, status, "einsum", e->site, e->t->scope, "\"%s\": %s%s", e->spec, why, name);
}

/* ------------------------------------------------------------------ notation */

static int letter_of(char c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}

static void add_index(term *a, int index) {
    if (a->rank < 2 * TG_MAX_RANK) a->index[a->rank] = (uint8_t)index;
    a->rank++;
    a->set |= UINT64_C(1) << index;
}

static int letters_until(const char *p, const char *end) {
    int n = 0;
    for (; p < end; p++) n += letter_of(*p) >= 0;
    return n;
}

/* One term of the notation; the ellipsis stands for `under` axes. Returns whether there is one. */
static bool parse_term(einsum *e, const char *p, const char *end, int under, term *a) {
    bool ellipsis = false;
    a->rank = 0, a->set = 0;
    for (; p < end && !failed(e); p++) {
        int letter = letter_of(*p);
        if (letter >= 0) {
            add_index(a, letter);
        } else if (end - p >= 3 && p[0] == '.' && p[1] == '.' && p[2] == '.' && !ellipsis) {
            for (int i = under - 1; i >= 0; i--) add_index(a, LETTERS + i);
            ellipsis = true;
            p += 2;
        } else if (*p != ' ') {
            refuse(e, TG_EARG, "only letters, one ellipsis, commas and -> are allowed in it", -1);
        }
    }
    return ellipsis;
}

static void set_dims(einsum *e, const term *a) {
    tg_shape s = tg_shape_of(a->x);
    for (int i = 0; i < a->rank && !failed(e); i++) {
        int64_t *dim = &e->dims[a->index[i]];
        if (*dim < 0 || *dim == 1) *dim = s.dims[i];
        else if (s.dims[i] != 1 && s.dims[i] != *dim) refuse(e, TG_ESHAPE, "sizes differ along", a->index[i]);
    }
}

/* Without ->: the ellipsis, then the letters that stand once, by the alphabet. */
static void implied_result(einsum *e, const int *times, int under) {
    for (int i = under - 1; i >= 0; i--) add_index(&e->result, LETTERS + i);
    for (int i = 0; i < LETTERS; i++)
        if (times[i] == 1) add_index(&e->result, i);
}

static void check_result(einsum *e, uint64_t known) {
    for (int i = 0; i < e->result.rank && i < 2 * TG_MAX_RANK && !failed(e); i++) {
        int index = e->result.index[i];
        if (!(known >> index & 1)) refuse(e, TG_EARG, "no operand has the result's", index);
        for (int j = 0; j < i; j++)
            if (e->result.index[j] == index) refuse(e, TG_EARG, "the result has twice", index);
    }
    uint64_t under = known >> LETTERS << LETTERS;
    if (!failed(e) && under & ~e->result.set) refuse(e, TG_EARG, "the result leaves out what is under the ellipsis", -1);
    if (!failed(e) && e->result.rank > TG_MAX_RANK) refuse(e, TG_ESHAPE, "the result has more than 8 axes", -1);
}

static void parse(einsum *e) {
    const char *arrow = strstr(e->spec, "->"), *end = arrow ? arrow : e->spec + strlen(e->spec), *p = e->spec;
    int times[INDICES] = {0}, most_under = 0;
    uint64_t known = 0;
    for (int i = 0; i < INDICES; i++) e->dims[i] = -1;
    for (int i = 0; i < e->n && !failed(e); i++) {
        const char *comma = memchr(p, ',', (size_t)(end - p)), *stop = comma ? comma : end;
        if (!comma != (i == e->n - 1)) {
            refuse(e, TG_EARG, "there must be as many terms as operands", -1);
            return;
        }
        term *a = &e->terms[i];
        int rank = tg_shape_of(a->x).rank, under = rank - letters_until(p, stop);
        parse_term(e, p, stop, under, a);
        if (!failed(e) && a->rank != rank) refuse(e, TG_ESHAPE, "an operand's rank is not the number of its indices", -1);
        if (failed(e)) return;
        set_dims(e, a);
        for (int j = 0; j < rank; j++) times[a->index[j]]++;
        if (under > most_under) most_under = under;
        known |= a->set;
        p = comma ? comma + 1 : end;
    }
    if (failed(e)) return;
    if (arrow) parse_term(e, arrow + 2, e->spec + strlen(e->spec), most_under, &e->result);
    else implied_result(e, times, most_under);
    if (!failed(e)) check_result(e, known);
}

/* ------------------------------------------------------------------ one term */

static void drop_axis(term *a, int axis) {
    memmove(a->index + axis, a->index + axis + 1, (size_t)(a->rank - axis - 1));
    a->rank--;
}

/* Axes p < q moved to the end, the others in their order. */
static tg_axes to_the_end(int rank, int p, int q) {
    tg_axes order = {0, {0}};
    for (int i = 0; i < rank; i++)
        if (i != p && i != q) order.axis[order.n++] = i;
    order.axis[order.n++] = p;
    order.axis[order.n++] = q;
    return order;
}

static bool take_diagonal(einsum *e, term *a) {
    for (int q = 1; q < a->rank; q++)
        for (int p = 0; p < q; p++) {
            if (a->index[p] != a->index[q]) continue;
            tg_shape s = tg_shape_of(a->x);
            if (s.dims[p] != s.dims[q]) {
                refuse(e, TG_ESHAPE, "one operand has two sizes for", a->index[p]);
                return false;
            }
            uint8_t index = a->index[p];
            a->x = tg__diagonal(tg_permute_at(e->site, a->x, to_the_end(a->rank, p, q)));
            drop_axis(a, q);
            drop_axis(a, p);
            a->index[a->rank++] = index;
            return true;
        }
    return false;
}

static void drop_axes(term *a, const tg_axes *falling) {
    for (int i = 0; i < falling->n; i++) drop_axis(a, falling->axis[i]);
    a->set = 0;
    for (int i = 0; i < a->rank; i++) a->set |= UINT64_C(1) << a->index[i];
}

/* Axes of size 1 that stand for all of a larger one. */
static void drop_ones(einsum *e, term *a) {
    tg_axes ones = {0, {0}};
    tg_shape s = tg_shape_of(a->x);
    for (int i = a->rank - 1; i >= 0; i--)
        if (s.dims[i] == 1 && e->dims[a->index[i]] != 1) ones.axis[ones.n++] = i;
    if (ones.n) a->x = tg_squeeze_at(e->site, a->x, ones);
    drop_axes(a, &ones);
}

/* Axes that neither the result nor another term has. */
static void sum_what_is_alone(einsum *e, term *a) {
    tg_axes sums = {0, {0}};
    uint64_t needed = e->result.set;
    for (int i = 0; i < e->n; i++) needed |= a == &e->terms[i] ? 0 : e->terms[i].set;
    for (int i = a->rank - 1; i >= 0; i--)
        if (!(needed >> a->index[i] & 1)) sums.axis[sums.n++] = i;
    if (sums.n) a->x = tg_sum_at(e->site, a->x, sums, false);
    drop_axes(a, &sums);
}

static void simplify_terms(einsum *e) {
    for (int i = 0; i < e->n && !failed(e); i++) {
        while (take_diagonal(e, &e->terms[i])) {}
        if (!failed(e)) drop_ones(e, &e->terms[i]);
    }
    for (int i = 0; i < e->n && !failed(e); i++) sum_what_is_alone(e, &e->terms[i]);
}

/* ------------------------------------------------------------------ two terms */

static int64_t extent(const einsum *e, uint64_t set) {
    int64_t n = 1;
    for (int i = 0; i < INDICES; i++)
        if (set >> i & 1) n *= e->dims[i];
    return n;
}

/* The indices of a that are in `set`, in a's order, appended to `to`. */
static void append(term *to, const term *a, uint64_t set) {
    for (int i = 0; i < a->rank; i++)
        if (set >> a->index[i] & 1) add_index(to, a->index[i]);
}

/* a's axes in the order of `to`, which has the same indices. */
static tg_tensor arranged(const einsum *e, const term *a, const term *to) {
    tg_axes order = {a->rank, {0}};
    bool same = true;
    for (int i = 0; i < to->rank; i++)
        for (int j = 0; j < a->rank; j++)
            if (a->index[j] == to->index[i]) {
                order.axis[i] = j;
                same = same && i == j;
            }
    return same ? a->x : tg_permute_at(e->site, a->x, order);
}

static tg_shape shape_of(const einsum *e, const term *a, uint64_t set) {
    tg_shape s = {a->rank, {0}};
    for (int i = 0; i < a->rank; i++) s.dims[i] = set >> a->index[i] & 1 ? e->dims[a->index[i]] : 1;
    return s;
}

static term contract(einsum *e, const term *a, const term *b, uint64_t needed) {
    uint64_t both = a->set & b->set, summed = both & ~needed, batch = both & needed, only_a = a->set & ~both;
    uint64_t only_b = b->set & ~both;
    term left = {.rank = 0}, right = {.rank = 0}, y = {.rank = 0};
    append(&left, a, batch), append(&left, a, only_a), append(&left, a, summed);
    append(&right, &left, batch), append(&right, &left, summed), append(&right, b, only_b);
    append(&y, &left, batch), append(&y, &left, only_a), append(&y, b, only_b);
    if (y.rank > TG_MAX_RANK) {
        refuse(e, TG_ESHAPE, "a product of two operands has more than 8 axes", -1);
        return y;
    }
    tg_tensor p = arranged(e, a, &left), q = arranged(e, b, &right);
    if (!summed) {
        y.x = tg_mul_at(e->site, tg_reshape_at(e->site, p, shape_of(e, &y, a->set)),
                        tg_reshape_at(e->site, q, shape_of(e, &y, b->set)));
        return y;
    }
    int64_t count = extent(e, batch), rows = extent(e, only_a), inner = extent(e, summed), columns = extent(e, only_b);
    p = tg_reshape_at(e->site, p, batch ? TG_SHAPE(count, rows, inner) : TG_SHAPE(rows, inner));
    q = tg_reshape_at(e->site, q, batch ? TG_SHAPE(count, inner, columns) : TG_SHAPE(inner, columns));
    y.x = tg_reshape_at(e->site, tg_matmul_at(e->site, p, q), shape_of(e, &y, y.set));
    return y;
}

/* ------------------------------------------------------------------ the order */

static double work(const einsum *e, uint64_t indices) {
    double n = 1;
    for (int i = 0; i < INDICES; i++)
        if (indices >> i & 1) n *= (double)e->dims[i];
    return n;
}

static uint64_t union_of(const einsum *e, unsigned subset) {
    uint64_t set = 0;
    for (int i = 0; i < e->n; i++)
        if (subset >> i & 1) set |= e->terms[i].set;
    return set;
}

/* What is left of a set of terms once they are contracted to one. */
static uint64_t left_of(const einsum *e, unsigned subset) {
    unsigned all = (unsigned)((UINT64_C(1) << e->n) - 1);
    return union_of(e, subset) & (e->result.set | union_of(e, all & ~subset));
}

/* The cheapest pair first: for many operands. */
static void contract_cheapest(einsum *e) {
    int first = 0, second = 1;
    double least = INFINITY;
    for (int i = 0; i < e->n; i++)
        for (int j = i + 1; j < e->n; j++) {
            double cost = work(e, e->terms[i].set | e->terms[j].set);
            if (cost >= least) continue;
            least = cost;
            first = i;
            second = j;
        }
    e->terms[first] = contract(e, &e->terms[first], &e->terms[second], left_of(e, 1u << first | 1u << second));
    e->terms[second] = e->terms[--e->n];
}

typedef struct order {
    double cost[1 << EXACT_TERMS];
    unsigned part[1 << EXACT_TERMS]; /* the first of the two parts that a subset is made of */
} order;

/* The best way to contract each subset, from the ways of its parts: every subset comes after its parts. */
static void find_order(const einsum *e, order *o) {
    for (unsigned s = 1; s < 1u << e->n; s++) {
        o->cost[s] = s & (s - 1) ? INFINITY : 0;
        for (unsigned part = (s - 1) & s; part; part = (part - 1) & s) {
            if (part < (s & ~part)) break; /* each pair of parts once */
            double cost = o->cost[part] + o->cost[s & ~part] + work(e, left_of(e, part) | left_of(e, s & ~part));
            if (!(cost < o->cost[s])) continue;
            o->cost[s] = cost;
            o->part[s] = part;
        }
    }
}

static term contract_subset(einsum *e, const order *o, unsigned s) {
    if (!(s & (s - 1))) return e->terms[__builtin_ctz(s)];
    term a = contract_subset(e, o, o->part[s]), b = contract_subset(e, o, s & ~o->part[s]);
    return failed(e) ? a : contract(e, &a, &b, left_of(e, s));
}

static tg_tensor run(einsum *e) {
    order o;
    parse(e);
    if (!failed(e)) simplify_terms(e);
    while (!failed(e) && e->n > EXACT_TERMS) contract_cheapest(e);
    if (failed(e)) return tg__poison(e->t);
    find_order(e, &o);
    term y = contract_subset(e, &o, (1u << e->n) - 1);
    return failed(e) ? tg__poison(e->t) : arranged(e, &y, &e->result);
}

static bool operands(einsum *e, const tg_tensor *xs, int n) {
    for (int i = 0; i < n; i++) {
        e->terms[i].x = tg_on_at(e->site, e->t, xs[i]);
        if (!tg_valid(e->terms[i].x)) return false;
        tg_dtype d = tg_dtype_of(e->terms[i].x);
        if (tg__is_float(d) && d == tg_dtype_of(e->terms[0].x)) continue;
        refuse(e, TG_EDTYPE, "all operands must be f32 or all f64: cast with tg_cast", -1);
        return false;
    }
    return true;
}

/*| tg_einsum: sums of products in index notation: a term of letters for each operand, one letter per axis, commas between them,
 *  then -> and the letters of the result. Indices that the result does not have are summed over. An index twice in one term
 *  takes the diagonal. An ellipsis stands for axes that are not named; they broadcast. Without -> the result has the axes under
 *  the ellipsis, then the letters that stand once, by the alphabet (capitals first). Operands are contracted in pairs: up to 8
 *  in the order of least work, more by the cheapest pair first until 8 are left.
 *    tg_einsum("bij,bjk->bik", xs, 2): a product of batches of matrices
 *  Shapes:   n of any rank, 1 <= n <= 32; axes of one letter have one size, or size 1 -> y, as the result says
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: that of the products and sums it is recorded as: of any order
 *  Errors:   TG_EARG for notation that says nothing, or n out of range; TG_ESHAPE if ranks or sizes do not fit, or a product
 *            has more than 8 axes; TG_EDTYPE for other dtypes
 *  Source:   Einstein 1916, Die Grundlage der allgemeinen Relativitaetstheorie, section 5; the notation of NumPy's einsum */
TG_API(tg_tensor, tg_einsum, (const char *notation, const tg_tensor *xs, int n), (notation, xs, n)) {
    tg_tape *t = xs && n > 0 ? tg__tape_from(NULL, xs, n) : NULL;
    if (!t) return tg__lost(site);
    einsum e = {.t = t, .site = site, .spec = notation ? notation : "", .n = n};
    if (n > MOST_TERMS || !notation) refuse(&e, TG_EARG, notation ? "more than 32 operands" : "no notation is given", -1);
    if (failed(&e) || !operands(&e, xs, n)) return tg__poison(t);
    return run(&e);
}
