/* kernels/gemm_image.h: packing of a product's operand straight from an image (tg__image), for one element type. Included by
 * gemm_type.h. No include guard. */

/* ------------------------------------------------------------------ lanes are positions, terms (channel, tap) */

/* LANES positions, or the last few, in rows: lanes that differ in the last axis alone. */
typedef struct FN(patch_row) {
    int first, lanes;
    int64_t offset; /* of the first lane's element for tap 0, which may be outside */
    int64_t coordinate[TG__IMAGE_AXES];
} FN(patch_row);

typedef struct FN(patch) {
    bool interior; /* every tap is inside of the image: the runs of all taps are those of one, shifted */
    int rows;
    FN(patch_row) row[LANES];
} FN(patch);

static void FN(find_patch)(FN(patch) *p, const tg__image *m, int64_t first, int lanes) {
    const int last = TG__IMAGE_AXES - 1;
    int64_t at[TG__IMAGE_AXES];
    for (int a = last; a >= 0; a--) at[a] = first % m->at[a], first /= m->at[a];
    p->rows = 0;
    p->interior = true;
    for (int l = 0; l < lanes;) {
        FN(patch_row) *r = &p->row[p->rows++];
        r->first = l, r->lanes = (int)min_of(lanes - l, m->at[last] - at[last]), r->offset = 0;
        for (int a = 0; a <= last; a++) {
            r->coordinate[a] = at[a] * m->at_step[a] + m->offset[a];
            r->offset += r->coordinate[a] * m->stride[a];
            int64_t to = r->coordinate[a] + (m->taps[a] - 1) * m->tap_step[a], end = a == last ? r->lanes - 1 : 0;
            int64_t low = min_of(r->coordinate[a], to), high = max_of(r->coordinate[a], to) + end * m->at_step[a];
            p->interior = p->interior && low >= 0 && high < m->size[a];
        }
        l += r->lanes, at[last] = 0;
        for (int a = last - 1; a >= 0 && ++at[a] == m->at[a]; a--) at[a] = 0;
    }
}

/* Lanes of one row that read adjacent elements inside of the image: bits, and the element that lane 0 would read. */
typedef struct FN(run) {
    unsigned bits;
    int first;
    int64_t offset;
} FN(run);

static int FN(find_runs)(FN(run) *runs, const FN(patch) *p, const tg__image *m, const int64_t *tap) {
    const int last = TG__IMAGE_AXES - 1;
    int64_t shift[TG__IMAGE_AXES], tap_offset = 0, step = m->at_step[last], size = m->size[last];
    for (int a = 0; a <= last; a++) {
        shift[a] = tap[a] * m->tap_step[a];
        tap_offset += shift[a] * m->stride[a];
    }
    int n = 0;
    for (int i = 0; i < p->rows; i++) {
        const FN(patch_row) *r = &p->row[i];
        bool inside = true;
        for (int a = 0; a < last; a++) {
            inside &= (uint64_t)(r->coordinate[a] + shift[a]) < (uint64_t)m->size[a];
        }
        if (!inside) continue;
        int64_t from = r->coordinate[last] + shift[last], offset = r->offset + tap_offset - r->first;
        if (step * m->stride[last] == 1) {
            int low = (int)min_of(max_of(-from, 0), r->lanes), high = (int)max_of(min_of(size - from, r->lanes), low);
            unsigned bits = ((1u << (high - low)) - 1) << (r->first + low);
            if (bits) runs[n++] = (FN(run)){bits, r->first + low, offset};
            continue;
        }
        for (int l = 0; l < r->lanes; l++) {
            if ((uint64_t)(from + l * step) >= (uint64_t)size) continue;
            runs[n++] = (FN(run)){1u << (r->first + l), r->first + l, offset + l * (step * m->stride[last] - 1)};
        }
    }
    return n;
}

INLINE void FN(store_lanes)(T *dst, VEC v, int lanes) {
    if (lanes == LANES) FN(store)(dst, v);
    else memcpy(dst, &v, (size_t)lanes * sizeof(T));
}

/* One tap for `count` channels. */
static void FN(pack_tap)(T *dst, int64_t step, const T *x, int64_t channel, int64_t count, const FN(run) *runs, int n,
                         int lanes) {
    const unsigned all = (1u << LANES) - 1;
    if (n == 1 && runs[0].bits == all) {
        for (x += runs[0].offset; count > 0; count--, x += channel, dst += step) FN(store)(dst, FN(load)(x));
        return;
    }
    if (n <= 2) {
        FN(mask) first = FN(mask_of)(n > 0 ? runs[0].bits : 0), second = FN(mask_of)(n > 1 ? runs[1].bits : 0);
        int64_t from = n > 0 ? runs[0].offset : 0, more = n > 1 ? runs[1].offset : 0;
        for (; count > 0; count--, x += channel, dst += step) {
            VEC v = FN(over)((VEC){0}, first, x + from);
            if (n > 1) v = FN(over)(v, second, x + more);
            FN(store_lanes)(dst, v, lanes);
        }
        return;
    }
    for (; count > 0; count--, x += channel, dst += step) {
        VEC v = {0};
        for (int r = 0; r < n; r++) {
            for (int l = runs[r].first; l < LANES && runs[r].bits >> l & 1; l++) v[l] = x[runs[r].offset + l];
        }
        FN(store_lanes)(dst, v, lanes);
    }
}

/* from[i] = where a patch's element for term t0 + i lies, seen from that for channel 0 and tap 0. */
static void FN(find_terms)(int64_t *from, const tg__image *m, int64_t t0, int64_t k) {
    const int last = TG__IMAGE_AXES - 1;
    int64_t tap[TG__IMAGE_AXES];
    for (int a = last; a >= 0; a--) tap[a] = t0 % m->taps[a], t0 /= m->taps[a];
    for (int64_t i = 0; i < k;) {
        int64_t offset = t0 * m->channel, step = m->tap_step[last] * m->stride[last];
        for (int a = 0; a <= last; a++) offset += tap[a] * m->tap_step[a] * m->stride[a];
        for (; i < k && tap[last] < m->taps[last]; tap[last]++, offset += step) from[i++] = offset;
        tap[last] = 0;
        int a = last - 1;
        for (; a >= 0 && ++tap[a] == m->taps[a]; a--) tap[a] = 0;
        t0 += a < 0;
    }
}

/* k terms of LANES positions in one or two runs, all inside of the image. */
static void FN(pack_inside)(T *dst, int64_t width, const T *x, const int64_t *from, int64_t k, const FN(run) *runs, int n,
                            int lanes) {
    const T *one = x + runs[0].offset, *two = x + runs[n - 1].offset;
    if (runs[0].bits == (1u << LANES) - 1) {
        for (int64_t i = 0; i < k; i++) FN(store)(dst + i * width, FN(load)(one + from[i]));
        return;
    }
    FN(mask) first = FN(mask_of)(runs[0].bits), second = FN(mask_of)(n > 1 ? runs[1].bits : 0);
    for (int64_t i = 0; i < k; i++) {
        VEC v = FN(over)(FN(over)((VEC){0}, first, one + from[i]), second, two + from[i]);
        FN(store_lanes)(dst + i * width, v, lanes);
    }
}

static void FN(pack_positions)(T *dst, int64_t width, const tg__image *m, const T *x, int64_t first, int64_t count, int64_t t0,
                               int64_t k) {
    int64_t taps = 1, terms[TG__GEMM_BLOCK];
    bool known = false;
    for (int a = 0; a < TG__IMAGE_AXES; a++) taps *= m->taps[a];
    for (int64_t l = 0; l < count; l += LANES) {
        int lanes = (int)min_of(LANES, count - l), room = (int)min_of(LANES, width - l);
        FN(patch) p;
        FN(find_patch)(&p, m, first + l, lanes);
        FN(run) runs[LANES];
        int n = p.interior ? FN(find_runs)(runs, &p, m, (int64_t[TG__IMAGE_AXES]){0}) : 0;
        if (n == 1 || n == 2) {
            if (!known) FN(find_terms)(terms, m, t0, k);
            known = true;
            FN(pack_inside)(dst + l, width, x, terms, k, runs, n, room);
            continue;
        }
        int64_t tap[TG__IMAGE_AXES], rest = t0 % taps, channel = t0 / taps;
        for (int a = TG__IMAGE_AXES - 1; a >= 0; a--) tap[a] = rest % m->taps[a], rest /= m->taps[a];
        for (int64_t i = 0; i < min_of(taps, k); i++) {
            int64_t offset = channel * m->channel;
            for (int a = 0; a < TG__IMAGE_AXES; a++) offset += p.interior ? tap[a] * m->tap_step[a] * m->stride[a] : 0;
            if (!p.interior) n = FN(find_runs)(runs, &p, m, tap);
            int64_t channels = (k - i + taps - 1) / taps;
            FN(pack_tap)(dst + i * width + l, taps * width, x + offset, m->channel, channels, runs, n, room);
            int a = TG__IMAGE_AXES - 1;
            for (; a >= 0 && ++tap[a] == m->taps[a]; a--) tap[a] = 0;
            channel += a < 0;
        }
    }
}

/* ------------------------------------------------------------------ lanes are (channel, tap), terms positions */

#define IMAGE_LANES 16 /* rows gathered before they are transposed */

/* The positions along the last axis whose element for this tap is inside: [*low, *high). */
static void FN(inside_range)(const tg__image *m, int64_t tap, int64_t *low, int64_t *high) {
    const int a = TG__IMAGE_AXES - 1;
    int64_t step = m->at_step[a], from = tap * m->tap_step[a] + m->offset[a];
    *low = from >= 0 ? 0 : (-from + step - 1) / step;
    *high = m->size[a] <= from ? 0 : (m->size[a] - from + step - 1) / step;
    *high = min_of(*high, m->at[a]);
    *low = min_of(*low, *high);
}

/* dst[t] = the element of lane (channel, tap) at position t0 + t, t < k */
static void FN(gather_lane)(T *dst, const tg__image *m, const T *x, int64_t lane, int64_t t0, int64_t k) {
    const int last = TG__IMAGE_AXES - 1;
    int64_t tap[TG__IMAGE_AXES], at[TG__IMAGE_AXES], low, high;
    for (int a = last; a >= 0; a--) tap[a] = lane % m->taps[a], lane /= m->taps[a];
    for (int a = last; a >= 0; a--) at[a] = t0 % m->at[a], t0 /= m->at[a];
    FN(inside_range)(m, tap[last], &low, &high);
    x += lane * m->channel;
    while (k > 0) {
        int64_t length = min_of(m->at[last] - at[last], k), offset = 0;
        bool inside = true;
        for (int a = 0; a < last; a++) {
            int64_t coordinate = at[a] * m->at_step[a] + tap[a] * m->tap_step[a] + m->offset[a];
            inside &= (uint64_t)coordinate < (uint64_t)m->size[a];
            offset += coordinate * m->stride[a];
        }
        int64_t begin = inside ? max_of(low - at[last], 0) : length, end = inside ? min_of(high - at[last], length) : length;
        begin = min_of(begin, length), end = max_of(end, begin);
        int64_t step = m->at_step[last] * m->stride[last];
        offset += (at[last] * m->at_step[last] + tap[last] * m->tap_step[last] + m->offset[last]) * m->stride[last];
        for (int64_t i = 0; i < begin; i++) dst[i] = 0;
        if (step == 1) {
            const T *from = x + offset;
            for (int64_t i = begin; i < end; i++) dst[i] = from[i];
        } else {
            for (int64_t i = begin; i < end; i++) dst[i] = x[offset + i * step];
        }
        for (int64_t i = end; i < length; i++) dst[i] = 0;
        dst += length, k -= length, at[last] = 0;
        for (int a = last - 1; a >= 0 && ++at[a] == m->at[a]; a--) at[a] = 0;
    }
}

/* Whether every tap of every position is inside of the image. */
static bool FN(all_inside)(const tg__image *m) {
    bool all = true;
    for (int a = 0; a < TG__IMAGE_AXES; a++) {
        int64_t tap = (m->taps[a] - 1) * m->tap_step[a], end = (m->at[a] - 1) * m->at_step[a] + m->offset[a];
        all &= m->offset[a] + min_of(tap, 0) >= 0 && end + max_of(tap, 0) < m->size[a];
    }
    return all;
}

/* gather_lane where all is inside and the positions of a row are adjacent; what it writes past the end, less than a vector, is
 * overwritten or not read. */
static void FN(gather_inside)(T *dst, const tg__image *m, const T *x, int64_t lane, int64_t t0, int64_t k) {
    const int last = TG__IMAGE_AXES - 1;
    int64_t at[TG__IMAGE_AXES];
    for (int a = last; a >= 0; a--) {
        x += (lane % m->taps[a] * m->tap_step[a] + m->offset[a]) * m->stride[a], lane /= m->taps[a];
        at[a] = t0 % m->at[a], t0 /= m->at[a];
    }
    x += lane * m->channel;
    while (k > 0) {
        const T *from = x;
        for (int a = 0; a <= last; a++) from += at[a] * m->at_step[a] * m->stride[a];
        for (; k > 0 && (at[last - 1] < m->at[last - 1]); at[last - 1]++, from += m->at_step[last - 1] * m->stride[last - 1]) {
            int64_t length = min_of(m->at[last] - at[last], k), i = 0;
            for (; i + LANES <= length; i += LANES) FN(store)(dst + i, FN(load)(from + i));
            if (i < length) FN(store)(dst + i, FN(part)(from + i, (int)(length - i)));
            from -= at[last] * m->at_step[last] * m->stride[last];
            dst += length, k -= length, at[last] = 0;
        }
        at[last - 1] = 0;
        for (int a = last - 2; a >= 0 && ++at[a] == m->at[a]; a--) at[a] = 0;
    }
}

static void FN(pack_channels)(T *dst, int64_t width, const tg__image *m, const T *x, int64_t first, int64_t count, int64_t t0,
                              int64_t k) {
    T rows[IMAGE_LANES * TG__GEMM_BLOCK + LANES] __attribute__((aligned(VECTOR_BYTES)));
    const bool simple = m->at_step[TG__IMAGE_AXES - 1] * m->stride[TG__IMAGE_AXES - 1] == 1 && FN(all_inside)(m);
    for (int64_t l = (count - 1) / IMAGE_LANES * IMAGE_LANES; l >= 0; l -= IMAGE_LANES) { /* downwards: see pack_transposed */
        int64_t lanes = min_of(IMAGE_LANES, count - l);
        for (int64_t i = 0; i < lanes; i++) {
            if (simple) FN(gather_inside)(rows + i * k, m, x, first + l + i, t0, k);
            else FN(gather_lane)(rows + i * k, m, x, first + l + i, t0, k);
        }
        FN(pack_transposed)(dst + l, width, rows, k, k, lanes);
    }
}

/* As pack_piece, from an image: lanes [first, first + count), terms [t0, t0 + k), at most TG__GEMM_BLOCK of them. */
static void FN(pack_image)(T *dst, int64_t width, const tg__image *m, const T *x, int64_t first, int64_t count, int64_t t0,
                           int64_t k) {
    if (width > count) memset(dst, 0, (size_t)(k * width) * sizeof(T));
    if (m->columns_are_positions) FN(pack_positions)(dst, width, m, x, first, count, t0, k);
    else FN(pack_channels)(dst, width, m, x, first, count, t0, k);
}

#undef IMAGE_LANES
