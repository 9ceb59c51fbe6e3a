"""What PyTorch says an op is: OPS[name](inputs, attributes, note) gives its outputs, or None where there is no counterpart."""
import itertools

import torch
import torch.nn.functional as F

grad = torch.autograd.grad


def plain(fn):
    return lambda xs, a, note: fn(*xs)


def of(fn):
    """fn(inputs, attributes)"""
    return lambda xs, a, note: fn(xs, a)


# ---------------------------------------------------------------- reductions and scans


def axes_of(a):
    return a["axes"] if isinstance(a["axes"], list) else None


def dims_of(x, a):
    return tuple(range(x.dim())) if axes_of(a) is None else tuple(axes_of(a))


def reduce(fn):
    """fn(x, dims, keepdim) over a set of axes."""
    def run(xs, a, note):
        dims = dims_of(xs[0], a)
        return xs[0].clone() if not dims else fn(xs[0], dims, bool(a["keepdims"]))
    return run


def one_by_one(fn):
    def run(x, dims, keep):
        for d in sorted((d % x.dim() for d in dims), reverse=True):
            x = fn(x, d, keep)
        return x
    return reduce(run)


def spread(fn):
    return lambda xs, a, note: reduce(lambda x, d, k: fn(x, d, correction=a["correction"], keepdim=k))(xs, a, note)


def norm(xs, a):
    kind, dims, keep = a["kind"], dims_of(xs[0], a), bool(a["keepdims"])
    if kind == 5:  # PyTorch's has a fixed exponent
        return (xs[0].abs() ** xs[1]).sum(dims, keep) ** (1 / xs[1])
    p = [0, 1, 2, float("inf"), float("-inf")][kind]
    return torch.linalg.vector_norm(xs[0], p, dims, keep) if dims else xs[0].abs()


def scan(fn):
    def run(xs, a, note):
        flip = (a["axis"],)
        x = xs[0].flip(flip) if a["reverse"] else xs[0]
        y = fn(x, a["axis"])
        return y.flip(flip) if a["reverse"] else y
    return run


def first_sorted(xs, a):
    return [part.narrow(a["axis"], 0, a["k"])
            for part in xs[0].sort(dim=a["axis"], descending=bool(a["descending"]), stable=True)]


# ---------------------------------------------------------------- convolution and pooling


def spatial(name, x):
    return getattr(F, f"{name}{x.dim() - 2}d")


def conv(xs, a):
    n = xs[0].dim() - 2
    bias = xs[2] if len(xs) > 2 else None
    return spatial("conv", xs[0])(xs[0], xs[1], bias, a["stride"][:n], a["padding"][:n], a["dilation"][:n], a["groups"])


def conv_transpose(xs, a):
    """The transpose of the convolution of the output's size: also where conv_transpose2d refuses its output padding."""
    x, w = xs
    n, channels = x.dim() - 2, w.shape[1] * a["groups"]
    image = torch.zeros((x.shape[0], channels) + tuple(a["size"][:n]), requires_grad=True)
    return grad(conv([image, w], a), image, x, create_graph=True)[0]


def conv_weight_grad(xs, a):
    x, g = xs
    n = x.dim() - 2
    w = torch.zeros((g.shape[1], x.shape[1] // a["groups"]) + tuple(a["size"][:n]), requires_grad=True)
    return grad(conv([x, w], a), w, g, create_graph=True)[0]


def windows(a, n):
    return [a["kernel"][:n], a["stride"][:n], a["padding"][:n]]


def max_pool(x, a, indices=False):
    n = x.dim() - 2
    if a["adaptive"]:
        return spatial("adaptive_max_pool", x)(x, a["kernel"][:n], indices)
    if any(2 * p > k for p, k in zip(a["padding"][:n], a["kernel"][:n])):
        return None
    return spatial("max_pool", x)(x, *windows(a, n), return_indices=indices)


def avg_pool(x, a):
    n = x.dim() - 2
    if a["adaptive"]:
        return spatial("adaptive_avg_pool", x)(x, a["kernel"][:n])
    if any(2 * p > k for p, k in zip(a["padding"][:n], a["kernel"][:n])):
        return None
    return spatial("avg_pool", x)(x, *windows(a, n), False, not a["skip_padding"])


def avg_pool_grad(xs, a):
    g = xs[0]
    x = torch.zeros(tuple(g.shape[:2]) + tuple(a["size"][:g.dim() - 2]), requires_grad=True)
    return grad(avg_pool(x, a), x, g, create_graph=True)[0]


def max_pool_grad(xs, a):
    x = xs[0].clone().requires_grad_()
    return grad(max_pool(x, a), x, xs[1], create_graph=True)[0]


def max_pool_pick(xs, a):
    at = max_pool(xs[0], a, True)[1]
    return xs[1].flatten(2).gather(2, at.flatten(2)).reshape(at.shape)


# ---------------------------------------------------------------- shapes and indices


def sliced(xs, a):
    x = xs[0]
    for i in range(x.dim()):
        at = [a["start"][i] + k * a["step"][i] for k in range(a["size"][i])]
        x = x.index_select(i, torch.tensor(at, dtype=torch.int64))
    return x


def pad(xs, a):
    x, mode = xs[0], ["constant", "reflect", "replicate", "circular"][a["mode"]]
    for i in range(x.dim()):
        before, after = a["before"][i], a["after"][i]
        if before == after == 0:
            continue
        flat = x.movedim(i, -1)
        rows = flat.reshape(1, flat.numel() // max(flat.shape[-1], 1), flat.shape[-1])
        inside = F.pad(torch.ones_like(rows), (before, after))
        rows = F.pad(rows, (before, after), mode)
        rows = torch.where(inside == 1, rows, xs[1]) if len(xs) > 1 else rows  # F.pad has no derivative by its value
        x = rows.reshape(flat.shape[:-1] + (rows.shape[-1],)).movedim(-1, i)
    return x


def unsqueeze(xs, a):
    x = xs[0]
    for d in sorted(a["axes"]):
        x = x.unsqueeze(d)
    return x


def gather(xs, a):
    x, at, axis = xs[0], xs[1].long(), a["axis"]
    y = x.index_select(axis, at.reshape(-1))
    return y.reshape(x.shape[:axis] + at.shape + x.shape[axis + 1:])


def gather_grad(xs, a):
    g, at, axis = xs[0], xs[1].long(), a["axis"]
    rows = g.reshape(g.shape[:axis] + (at.numel(),) + g.shape[axis + at.dim():])
    zeros = torch.zeros(rows.shape[:axis] + (a["n"],) + rows.shape[axis + 1:])
    return zeros.index_add(axis, at.reshape(-1), rows)


def in_range(at, n):
    return (at >= 0) & (at < n)


def along_take(xs, a):
    x, at = xs[0], xs[1].long()
    known = in_range(at, x.shape[a["axis"]])
    return torch.take_along_dim(x, at.where(known, 0), a["axis"]) * known


def along_sum(xs, a):
    g, at, axis = xs[0], xs[1].long(), a["axis"]
    known = in_range(at, a["n"])
    zeros = torch.zeros(g.shape[:axis] + (a["n"],) + g.shape[axis + 1:])
    return zeros.scatter_add(axis, at.where(known, 0), g * known)


def last_at(at, axis, n):
    """For each place the last position that has its index, or -1."""
    positions = torch.arange(at.shape[axis]).reshape([-1] + [1] * (at.dim() - axis - 1)).expand(at.shape)
    none = torch.full(at.shape[:axis] + (n,) + at.shape[axis + 1:], -1)
    return none.scatter_reduce(axis, at, positions, "amax") if n else none


def scatter(xs, a):
    """PyTorch's has no order where an index stands twice, so that only the last one is left for it here."""
    x, at, source, axis = xs[0], xs[1].long(), xs[2], a["axis"]
    if not at.numel():
        return x * 1
    last = last_at(at, axis, x.shape[axis])
    return torch.where(last >= 0, torch.take_along_dim(source, last.clamp(min=0), axis), x)


# The regions of the samples of accumulate: start and step of each part.
REGIONS = {
    "overlapping parts of a vector": [((1,), (1,)), ((2,), (2,))],
    "the whole and two boxes": [((0, 0), (1, 1)), ((1, 0), (1, 2)), ((3, 3), (-1, -1))],
    "a column": [((0, 2), (1, 1))],
    "planes": [((0, 1, 0), (1, 1, 1)), ((1, 0, 0), (1, 2, 1))],
    "two whole parts": [((0,), (1,)), ((0,), (1,))],
    "nothing covered": [((0,), (1,))],
    "rank 0": [((), ()), ((), ())],
    "nothing": [((0,), (1,))],
}


def accumulate(xs, a, note):
    y = torch.zeros(a["shape"])
    for x, (start, step) in zip(xs, REGIONS[note]):
        at = [torch.arange(n) * by + begin for n, begin, by in zip(x.shape, start, step)]
        y = y.index_put(torch.meshgrid(*at, indexing="ij"), x, accumulate=True) if at else y + x
    return y


def unfold(x, a):
    for i, axis in enumerate(a["axes"]):
        size, step, dilation = a["size"][i], a["step"][i], a["dilation"][i]
        x = x.unfold(axis, (size - 1) * dilation + 1, step)[..., ::dilation]
    return x


def fold(xs, a):
    """The transpose of unfold. F.fold has only images, and lays them out in columns."""
    shape = list(xs[0].shape[:xs[0].dim() - len(a["axes"])])
    for i, axis in enumerate(a["axes"]):
        shape[axis] = a["n"][i]
    image = torch.zeros(shape, requires_grad=True)
    return grad(unfold(image * 1, a), image, xs[0], create_graph=True)[0]


def diag(xs, a):
    return torch.diag_embed(xs[0], a["offset"])[..., :a["rows"], :a["columns"]] if a["rows"] == a["columns"] else F.pad(
        torch.diag_embed(xs[0], a["offset"]), (0, a["columns"] - xs[0].shape[-1] - abs(a["offset"]),
                                               0, a["rows"] - xs[0].shape[-1] - abs(a["offset"])))


def padded(x, n, fill):
    """The first n of x, and fill after the last."""
    x = x[:n]
    return torch.cat([x, fill.expand((n - len(x),) + x.shape[1:])])


def nonzero(xs, a):
    at = xs[0].nonzero()
    return padded(at, a["max"], torch.tensor(-1)), torch.tensor(len(at))


def masked_select_max(xs, a):
    x, mask, fill = xs
    return padded(torch.masked_select(x, mask), a["max"], fill)


def unique(x):
    """torch.unique has no gradient: the values are taken from where they stand first."""
    flat = x.flatten()
    values, inverse = torch.unique(flat.detach(), return_inverse=True)
    positions = torch.arange(len(flat))
    first = torch.full((len(values),), len(flat)).scatter_reduce(0, inverse, positions, "amin")
    return flat[first]


def interpolate(xs, a):
    size = a["size"]
    k = len(size)
    x = xs[0].reshape((1, -1) + tuple(xs[0].shape[xs[0].dim() - k:]))
    mode = ["linear", "bilinear", "trilinear"][k - 1] if a["mode"] else "nearest"
    y = F.interpolate(x, size, mode=mode, **({"align_corners": bool(a["corners"])} if a["mode"] else {}))
    return y.reshape(tuple(xs[0].shape[:xs[0].dim() - k]) + tuple(size))


# ---------------------------------------------------------------- linear algebra


def symmetric(x):
    return (x + x.mT) / 2


def qr(xs, a):
    q, r = torch.linalg.qr(xs[0])
    sign = torch.diagonal(r, dim1=-2, dim2=-1).detach().sign()
    return q * sign[..., None, :], r * sign[..., :, None]


def leading_sign(columns):
    """The sign of the element of largest absolute value of each column."""
    at = columns.detach().abs().argmax(-2, keepdim=True) if columns.numel() else torch.zeros(0)
    return columns.detach().gather(-2, at).sign() if columns.numel() else columns.detach().sum(-2, keepdim=True)


def eigh(xs, a):
    w, v = torch.linalg.eigh(symmetric(xs[0]))
    return w, v * leading_sign(v)


def svd(xs, a):
    u, s, vt = torch.linalg.svd(xs[0], full_matrices=False)
    sign = leading_sign(u)
    return [s, u * sign, vt * sign.mT]


def triangular_solve(xs, a):
    m, b = xs
    lower, turned, unit = a["flags"] & 1, a["flags"] & 2, a["flags"] & 4
    m = torch.tril(m) if lower else torch.triu(m)
    return torch.linalg.solve_triangular(m.mT if turned else m, b, upper=bool(lower) == bool(turned), unitriangular=bool(unit))


def matrix_norm(xs, a):
    return torch.linalg.matrix_norm(xs[0], ["fro", "nuc", 2, 1, float("inf")][a["kind"]])


def slogdet(xs, a):
    sign, size = torch.linalg.slogdet(xs[0])
    return size, sign.detach()


# ---------------------------------------------------------------- networks


def scaled(normalised, axis):
    """Inputs are x, eps, and a factor and a term along an axis, or not."""
    def run(xs, a, note):
        shape = [1] * xs[0].dim()
        shape[axis] = -1
        y = normalised(xs[0], xs[1].item())
        for i, w in enumerate(xs[2:]):
            y = y * w.reshape(shape) if i == 0 else y + w.reshape(shape)
        return y
    return run


def layer_normalised(x, eps):
    return F.layer_norm(x, x.shape[-1:], eps=eps)


def rms_normalised(x, eps):
    return F.rms_norm(x, x.shape[-1:], eps=eps)


def row_norm_grad(normalised):
    """Gradients of normalised(x) w + b."""
    def run(xs, a, note):
        x, eps, g = xs[:3]
        one = torch.ones(x.shape[-1], requires_grad=True)
        w, b = xs[3] if len(xs) > 3 else one, torch.zeros(x.shape[-1], requires_grad=True)
        return grad(normalised(x, eps.item()) * w + b, [x, w, b], g, create_graph=True)
    return run


def batch_norm(xs, a):
    x, eps, w, b = xs
    others = [0] + list(range(2, x.dim()))
    y = F.batch_norm(x, None, None, w, b, training=True, eps=eps.item()) if x.numel() else x * 1
    return y, x.mean(others), x.var(others, correction=0)


def batch_norm_grad(xs, a):
    """In PyTorch's own the mean and the variance depend on x; here they are inputs."""
    x, eps, mean, variance, w, g = xs
    others, wide = [0] + list(range(2, x.dim())), [1, -1] + [1] * (x.dim() - 2)
    rate = 1 / torch.sqrt(variance + eps)
    z = (x - mean.reshape(wide)) * rate.reshape(wide)
    rest = g - g.mean(others, True) - z * (g * z).mean(others, True)
    return (w * rate).reshape(wide) * rest, (g * z).sum(others), g.sum(others)


def may_look(shape, causal, mask):
    rows, keys = shape[-2:]
    look = torch.ones(shape, dtype=torch.bool)
    if causal:
        look = look.tril(keys - rows)
    return look & mask if mask is not None else look


def attention(q, k, v, scale, causal, mask=None):
    heads = q.shape[-3] // k.shape[-3]
    k, v = k.repeat_interleave(heads, -3), v.repeat_interleave(heads, -3)
    look = may_look(q.shape[:-1] + (k.shape[-2],), causal, mask)
    y = F.scaled_dot_product_attention(q, k, v, look, scale=scale)
    return torch.where(look.any(-1, keepdim=True), y, 0)


def attention_op(xs, a):
    return attention(*xs[:3], xs[3].item(), a["causal"], *xs[4:])


def attention_grad(xs, a):
    return grad(attention(*xs[:3], xs[4].item(), a["causal"], *xs[5:]), xs[:3], xs[3], create_graph=True)


# ---------------------------------------------------------------- losses

CLASS_WEIGHT, SMOOTHING, WEIGHT, MASK, IGNORE = 1, 2, 4, 8, 16
REDUCTIONS = ["mean", "sum", "none"]


def loss(fn, data=2, numbers=0, rows=False):
    """fn(data, numbers, options, reduction): options are class_weight, smoothing and ignored. Without weights and masks the
    reduction is PyTorch's own."""
    def run(xs, a, note):
        d, c, rest = xs[:data], xs[data:data + numbers], list(xs[data + numbers:])
        part = lambda bit: rest.pop(0) if a["parts"] & bit else None
        options = {"class_weight": part(CLASS_WEIGHT), "smoothing": part(SMOOTHING)}
        weight, mask = part(WEIGHT), part(MASK)
        options["ignored"] = a["ignored"] if a["parts"] & IGNORE else -100
        reduction = REDUCTIONS[a["reduction"]]
        if weight is None and mask is None:
            return fn(d, c, options, reduction)
        each = fn(d, c, options, "none")
        amount = torch.ones_like(each)
        if rows and options["class_weight"] is not None:
            amount = options["class_weight"][d[1].long()]
        if mask is not None:
            each, amount = each.where(mask, 0), amount.where(mask, 0)
        if weight is not None:
            each = each * weight
        total = amount.sum()
        return {"none": lambda: each, "sum": each.sum, "mean": lambda: each.sum() / total.where(total != 0, 1)}[reduction]()
    return run


def reduced(each, reduction):
    return {"mean": each.mean, "sum": each.sum, "none": lambda: each}[reduction]()


def simple(fn):
    """fn(prediction, target, reduction=...)"""
    return loss(lambda x, c, o, r: fn(x[0], x[1], reduction=r))


def by_rows(fn, scores, labels, reduction, **named):
    y = fn(scores.reshape(-1, scores.shape[-1]), labels, reduction=reduction, **named)
    return y.reshape(scores.shape[:-1]) if reduction == "none" else y


def weighted_by_class(log_p, labels, o, r):
    """nll_loss, whose own has no derivative by the weights."""
    counts = labels != o["ignored"]
    at = labels.where(counts, 0)
    weight = o["class_weight"][at] * counts
    each = -weight * log_p.gather(-1, at[..., None])[..., 0]
    return each.sum() / weight.sum() if r == "mean" else reduced(each, r)


def cross_entropy_with(x, c, o, r):
    if o["class_weight"] is not None and o["class_weight"].requires_grad:
        log_p, s = torch.log_softmax(x[0], -1), o["smoothing"]
        each = weighted_by_class(log_p, x[1].long(), o, "none")
        if s is not None:
            each = (1 - s) * each - s * (o["class_weight"] * log_p).mean(-1)
        return each.sum() / o["class_weight"][x[1].long()].sum() if r == "mean" else reduced(each, r)
    smoothing = 0.0 if o["smoothing"] is None else o["smoothing"].item()
    return by_rows(F.cross_entropy, x[0], x[1].reshape(-1).long(), r, weight=o["class_weight"], ignore_index=o["ignored"],
                   label_smoothing=smoothing)


def nll(x, c, o, r):
    if o["class_weight"] is not None and o["class_weight"].requires_grad:
        return weighted_by_class(x[0], x[1].long(), o, r)
    return by_rows(F.nll_loss, x[0], x[1].reshape(-1).long(), r, weight=o["class_weight"], ignore_index=o["ignored"])


def cross_entropy_soft(x, c, o, r):
    smoothing = 0.0 if o["smoothing"] is None else o["smoothing"].item()
    return by_rows(F.cross_entropy, x[0], x[1].reshape(-1, x[1].shape[-1]), r, weight=o["class_weight"],
                   label_smoothing=smoothing)


def focal(x, c, o, r):
    labels = x[1].long()
    counts = labels != o["ignored"]
    at = labels.where(counts, 0)
    p = torch.softmax(x[0], -1).gather(-1, at[..., None])[..., 0]
    weight = (torch.ones(x[0].shape[-1]) if o["class_weight"] is None else o["class_weight"])[at] * counts
    each = -weight * (1 - p) ** c[0] * torch.log(p)
    return each.sum() / weight.sum() if r == "mean" else reduced(each, r)


def focal_binary(x, c, o, r):
    p, q = torch.sigmoid(x[0]), torch.sigmoid(-x[0])
    return reduced(-c[1] * x[1] * q ** c[0] * torch.log(p) - c[2] * (1 - x[1]) * p ** c[0] * torch.log(q), r)


def bce_with_logits(x, c, o, r):
    weight = o["class_weight"]
    if weight is not None and weight.requires_grad:  # PyTorch's own has no derivative by it
        return reduced(-weight * x[1] * F.logsigmoid(x[0]) - (1 - x[1]) * F.logsigmoid(-x[0]), r)
    return F.binary_cross_entropy_with_logits(*x, pos_weight=weight, reduction=r)


def kl(x, c, o, r):
    each = F.kl_div(x[0], x[1], reduction="none").sum(-1)
    return reduced(each, r)


def cosine(x, c, o, r):
    """cosine_embedding_loss adds 1e-12 to the squares of the norms: that is more than rounding."""
    y = F.cosine_similarity(x[0], x[2], -1, 0)
    return reduced(torch.where(x[1] > 0, 1 - y, F.relu(y - c[0])), r)


def triplet(x, c, o, r):
    """PyTorch adds 1e-6 to each difference unless told otherwise."""
    flat = [v.reshape(-1, v.shape[-1]) for v in x]
    y = F.triplet_margin_loss(*flat, margin=c[0].item(), eps=0, reduction=r)
    return y.reshape(x[0].shape[:-1]) if r == "none" else y


def collapsed(path, blank):
    kept = [s for i, s in enumerate(path) if i == 0 or s != path[i - 1]]
    return [s for s in kept if s != blank]


def ctc(xs, a):
    """By all paths: PyTorch's gradient takes it for granted that log_p is a log_softmax."""
    log_p, labels, lengths, sizes = xs
    each = []
    for n in range(log_p.shape[1]):
        steps, want = int(lengths[n]), labels[n, :int(sizes[n])].tolist()
        paths = [p for p in itertools.product(range(log_p.shape[2]), repeat=steps) if collapsed(p, a["blank"]) == want]
        at = torch.tensor(paths)
        each.append(-log_p[torch.arange(steps), n, at].sum(-1).logsumexp(0))
    each = torch.stack(each)
    own = F.ctc_loss(log_p, labels, lengths, sizes, a["blank"], "none")
    assert torch.allclose(each, own, 1e-12, 1e-12)
    return reduced(each, REDUCTIONS[a["reduction"]])


def cross_entropy_grad(xs, a):
    logits, labels, g = xs
    each = by_rows(F.cross_entropy, logits, labels.reshape(-1).long(), "none")
    return grad(each, logits, g, create_graph=True)[0]


# ---------------------------------------------------------------- functions of one element


class Digamma(torch.autograd.Function):
    """PyTorch's own derivative is good to 1e-9 only; the Hurwitz zeta function is exact."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.digamma(x)

    @staticmethod
    def backward(ctx, g):
        return g * torch.special.zeta(torch.tensor(2.0), ctx.saved_tensors[0])


def polygamma(n, x):
    """torch.polygamma has one order for all elements."""
    return (-1) ** (n + 1) * torch.exp(torch.lgamma(n + 1)) * torch.special.zeta(n + 1, x)


def slope(fn):
    """The derivative of fn; torch.autograd differentiates it once more."""
    def run(x):
        y = x if x.requires_grad else x.clone().requires_grad_()
        return grad(fn(y).sum(), y, create_graph=True)[0]
    return plain(run)


SAME_NAME = """abs sign square sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh
tanh asinh acosh atanh erf erfc lgamma sigmoid relu neg floor ceil round trunc frac pow atan2 hypot fmod remainder maximum
minimum add sub mul div eq ne lt le gt ge isnan isinf isfinite lerp""".split()
FUNCTIONAL = "softplus relu6 selu silu mish hardswish softsign gelu".split()
CASTS = {"bf16": torch.bfloat16, "bool": torch.bool, "f16": torch.float16, "f32": torch.float32, "f64": torch.float64,
         "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8}

OPS = {name: plain(getattr(torch, name)) for name in SAME_NAME}
OPS.update({name: plain(getattr(F, name)) for name in FUNCTIONAL})
OPS.update({"cast_" + name: (lambda d: plain(lambda x: x.to(d)))(dtype) for name, dtype in CASTS.items()})
OPS.update({
    "log_sigmoid": plain(F.logsigmoid), "gelu_tanh": plain(lambda x: F.gelu(x, approximate="tanh")),
    "cbrt": plain(lambda x: x.sign() * x.abs() ** (1 / 3)), "normal_cdf": plain(torch.special.ndtr),
    "digamma": plain(Digamma.apply), "polygamma": plain(polygamma),
    "sigmoid_slope": slope(torch.sigmoid), "tanh_slope": slope(torch.tanh), "silu_slope": slope(F.silu),
    "mish_slope": slope(F.mish), "gelu_slope": slope(F.gelu), "gelu_tanh_slope": slope(lambda x: F.gelu(x, approximate="tanh")),
    "hardsigmoid": plain(lambda x: ((x + 3) / 6).clamp(0, 1)),  # PyTorch's derivative is an f32 1/6
    "clamp": plain(lambda x, lo, hi: torch.minimum(torch.maximum(x, lo), hi)),
    "hardtanh": plain(lambda x, lo, hi: torch.minimum(torch.maximum(x, lo), hi)),
    "elu": plain(lambda x, alpha: torch.where(x > 0, x, alpha * torch.expm1(x))),  # F.elu has a fixed alpha
    "celu": plain(lambda x, alpha: torch.where(x > 0, x, alpha * torch.expm1(x / alpha))),
    "prelu": plain(lambda x, w: torch.where(x > 0, x, w * x)),
    "heaviside": plain(lambda x: torch.heaviside(x, torch.tensor(0.0))), "fma": plain(lambda a, b, c: torch.addcmul(c, a, b)),
    "where": plain(torch.where), "and": plain(torch.logical_and), "or": plain(torch.logical_or),
    "xor": plain(torch.logical_xor), "not": plain(torch.logical_not),
    "chain": plain(lambda g, d: torch.where(g == 0, 0, g * d)), "chain_div": plain(lambda g, d: torch.where(g == 0, 0, g / d)),
    "identity": plain(lambda x: x * 1), "fence": of(lambda xs, a: xs[0] * 1), "stop_gradient": plain(torch.detach),
    "add_n": plain(lambda *xs: sum(xs[1:], xs[0])),

    "sum": reduce(lambda x, d, k: x.sum(d, k)), "mean": reduce(lambda x, d, k: x.mean(d, k)),
    "max": reduce(lambda x, d, k: x.amax(d, k)), "min": reduce(lambda x, d, k: x.amin(d, k)),
    "prod": one_by_one(lambda x, d, k: x.prod(d, k)), "logsumexp": reduce(lambda x, d, k: x.logsumexp(d, k)),
    "any": one_by_one(lambda x, d, k: x.any(d, k)), "all": one_by_one(lambda x, d, k: x.all(d, k)),
    "var": spread(torch.var), "std": spread(torch.std), "norm": of(norm),
    "argmax": of(lambda xs, a: xs[0].argmax(a["axis"])), "argmin": of(lambda xs, a: xs[0].argmin(a["axis"])),
    "cumsum": scan(torch.cumsum), "cumprod": scan(torch.cumprod), "logcumsumexp": scan(torch.logcumsumexp),
    "cummax": scan(lambda x, d: torch.cummax(x, d)[0]), "cummin": scan(lambda x, d: torch.cummin(x, d)[0]),
    "argcummax": scan(lambda x, d: torch.cummax(x, d)[1]), "argcummin": scan(lambda x, d: torch.cummin(x, d)[1]),
    "sort": of(lambda xs, a: first_sorted(xs, a)[0]), "argsort": of(lambda xs, a: first_sorted(xs, a)[1]),

    "reshape": of(lambda xs, a: xs[0].reshape(a["shape"])), "expand": of(lambda xs, a: xs[0].expand(a["shape"])),
    "flatten": of(lambda xs, a: xs[0].flatten(a["first"], a["last"])),
    "permute": of(lambda xs, a: xs[0].permute(a["axes"] if axes_of(a) is not None else list(range(xs[0].dim()))[::-1])),
    "transpose": plain(lambda x: x.mT), "squeeze": of(lambda xs, a: xs[0].squeeze() if axes_of(a) is None else
                                                      xs[0].squeeze(tuple(a["axes"]))),
    "unsqueeze": of(unsqueeze), "slice": of(sliced), "pad": of(pad), "flip": of(lambda xs, a: xs[0].flip(dims_of(xs[0], a))),
    "roll": of(lambda xs, a: xs[0].roll(a["shift"], a["axis"])), "tile": of(lambda xs, a: xs[0].tile(a["times"])),
    "repeat": of(lambda xs, a: xs[0].repeat_interleave(a["times"], a["axis"])),
    "concat": of(lambda xs, a: torch.cat(xs, a["axis"])), "stack": of(lambda xs, a: torch.stack(xs, a["axis"])),
    "accumulate": accumulate, "unfold": of(lambda xs, a: unfold(xs[0], a)), "fold": of(fold),
    "pixel_shuffle": of(lambda xs, a: F.pixel_shuffle(xs[0], a["factor"])),
    "pixel_unshuffle": of(lambda xs, a: F.pixel_unshuffle(xs[0], a["factor"])), "interpolate": of(interpolate),
    "tril": of(lambda xs, a: xs[0].tril(a["offset"])), "triu": of(lambda xs, a: xs[0].triu(a["offset"])),
    "diag": of(diag), "diagonal": of(lambda xs, a: xs[0].diagonal(a["offset"], -2, -1)),
    "arange": of(lambda xs, a: torch.arange(a["n"])), "eye": of(lambda xs, a: torch.eye(a["rows"], a["columns"])),

    "take_along_axis": of(lambda xs, a: torch.take_along_dim(xs[0], xs[1].long(), a["axis"])),
    "one_hot": of(lambda xs, a: F.one_hot(xs[0].long(), a["n"])), "gather": of(gather), "gather_grad": of(gather_grad),
    "index_select": of(lambda xs, a: xs[0].index_select(a["axis"], xs[1])),
    "embedding": plain(lambda w, at: F.embedding(at, w)),
    "pick": plain(lambda x, at: x.gather(-1, at.long()[..., None])[..., 0]),
    "scatter": of(scatter), "scatter_add": of(lambda xs, a: xs[0].scatter_add(a["axis"], xs[1].long(), xs[2])),
    "along_take": of(along_take), "along_sum": of(along_sum),
    "along_last": of(lambda xs, a: last_at(xs[0].long(), a["axis"], a["n"])),
    "masked_fill": plain(lambda x, mask, value: x.masked_fill(mask, value)), "masked_select_max": of(masked_select_max),
    "nonzero": of(nonzero), "unique_max": of(lambda xs, a: padded(unique(xs[0]), a["max"], xs[1])),
    "unique_inverse": plain(lambda x: torch.unique(x, return_inverse=True)[1]),

    "matmul": plain(lambda *xs: sum(torch.matmul(xs[i], xs[i + 1]) for i in range(0, len(xs), 2))),
    "dot": plain(torch.linalg.vecdot), "outer": plain(lambda a, b: a[..., :, None] * b[..., None, :]),
    "trace": plain(lambda x: x.diagonal(0, -2, -1).sum(-1)), "matrix_norm": of(matrix_norm),
    "cholesky": plain(lambda x: torch.linalg.cholesky(symmetric(x))), "qr": of(qr), "eigh": of(eigh), "svd": of(svd),
    "solve": of(lambda xs, a: torch.linalg.solve(xs[0].mT if a["flags"] & 2 else xs[0], xs[1])),
    "triangular_solve": of(triangular_solve), "inverse": plain(torch.linalg.inv), "det": plain(torch.linalg.det),
    "slogdet": of(slogdet),

    "conv": of(conv), "conv_transpose": of(conv_transpose), "conv_weight_grad": of(conv_weight_grad),
    "max_pool": of(lambda xs, a: max_pool(xs[0], a)), "max_pool_grad": of(max_pool_grad), "max_pool_pick": of(max_pool_pick),
    "avg_pool": of(lambda xs, a: avg_pool(xs[0], a)), "avg_pool_grad": of(avg_pool_grad),
    "layer_norm": scaled(layer_normalised, -1), "layer_norm_grad": row_norm_grad(layer_normalised),
    "rms_norm": scaled(rms_normalised, -1), "rms_norm_grad": row_norm_grad(rms_normalised),
    "batch_norm": of(batch_norm), "batch_norm_grad": of(batch_norm_grad),
    "attention": of(attention_op), "attention_grad": of(attention_grad),
    "softmax": of(lambda xs, a: torch.softmax(xs[0], a.get("axis", -1))),
    "log_softmax": of(lambda xs, a: torch.log_softmax(xs[0], a.get("axis", -1))),
    "softmax_grad": plain(lambda y, g: torch.ops.aten._softmax_backward_data(g, y, -1, y.dtype)),
    "log_softmax_grad": plain(lambda y, g: torch.ops.aten._log_softmax_backward_data(g, y, -1, y.dtype)),

    "cross_entropy": plain(lambda x, t: by_rows(F.cross_entropy, x, t.reshape(-1).long(), "mean")),
    "cross_entropy_each": plain(lambda x, t: by_rows(F.cross_entropy, x, t.reshape(-1).long(), "none")),
    "cross_entropy_grad": of(cross_entropy_grad), "cross_entropy_with": loss(cross_entropy_with, rows=True),
    "cross_entropy_soft": loss(cross_entropy_soft), "nll": loss(nll, rows=True), "focal": loss(focal, 2, 1, rows=True),
    "focal_binary": loss(focal_binary, 2, 3), "mse": simple(F.mse_loss), "mae": simple(F.l1_loss),
    "bce": simple(F.binary_cross_entropy), "kl": loss(kl),
    "bce_with_logits": loss(bce_with_logits),
    "huber": loss(lambda x, c, o, r: F.huber_loss(*x, reduction=r, delta=c[0].item()), 2, 1),
    "smooth_l1": loss(lambda x, c, o, r: F.smooth_l1_loss(*x, reduction=r, beta=c[0].item()), 2, 1),
    "hinge": loss(lambda x, c, o, r: reduced(F.relu(1 - x[0] * x[1]), r)), "poisson_nll": simple(F.poisson_nll_loss),
    "gaussian_nll": loss(lambda x, c, o, r: F.gaussian_nll_loss(*x, reduction=r, eps=c[0].item()), 3, 1),
    "cosine_similarity": loss(lambda x, c, o, r: F.cosine_similarity(x[0], x[1], -1, 1e-8)),
    "cosine": loss(cosine, 3, 1), "triplet": loss(triplet, 3, 1), "ctc": of(ctc),
})
