"""What PyTorch says of the calls in tests/reference_calls.c, whose attributes p and q have the same places here: CALLS[name](
inputs, attributes, note), as in ops.py."""
import math

import torch
import torch.nn.functional as F

import ops

DTYPES = [torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8, torch.bool, torch.bfloat16, torch.float16]
END, BEGIN = 2 ** 63 - 1, -2 ** 63


def real(hundredths):
    return hundredths / 100


def call(fn):
    """fn(inputs, p, q)"""
    return lambda xs, a, note: fn(xs, a["p"], a["q"])


# ---------------------------------------------------------------- parts of a tensor


def counted(parts, axis):
    return torch.cat([part * (i + 1) for i, part in enumerate(parts)], axis)


def chunk(xs, p, q):
    """tensor_split has parts as equal as can be; torch.chunk has a short last one."""
    return counted(xs[0].tensor_split(p[1], p[0]), p[0])


def slice_box(xs, p, q):
    x = xs[0]
    for axis in range(2):
        start, stop, step = p[axis], p[2 + axis], q[axis]
        at = range(x.shape[axis])[slice(start, None if stop in (END, BEGIN) else stop, step)]
        x = x.index_select(axis, torch.tensor(list(at)))
    return x


# ---------------------------------------------------------------- convolution, pooling, padding


def conv_options(xs, p, q):
    n = xs[0].dim() - 2
    return p[:n], p[3:3 + n], [d or 1 for d in q[:n]], q[3:3 + n], max(q[6], 1)


def conv(xs, p, q):
    stride, padding, dilation, _, groups = conv_options(xs, p, q)
    return ops.spatial("conv", xs[0])(xs[0], xs[1], None, stride, padding, dilation, groups)


def conv_transpose(xs, p, q):
    stride, padding, dilation, more, groups = conv_options(xs, p, q)
    return ops.spatial("conv_transpose", xs[0])(xs[0], xs[1], None, stride, padding, more, groups, dilation)


def pool(name):
    def run(xs, p, q):
        n = xs[0].dim() - 2
        fn, stride = ops.spatial(name, xs[0]), [s or k for s, k in zip(p[3:3 + n], p[:n])]
        return fn(xs[0], p[:n], stride, q[:n], **({} if name == "max_pool" else {"count_include_pad": not q[3]}))
    return call(run)


def adaptive(name):
    return call(lambda xs, p, q: ops.spatial(name, xs[0])(xs[0], p[:xs[0].dim() - 2]))


def over_all(name):
    return call(lambda xs, p, q: ops.spatial(name, xs[0])(xs[0], 1).flatten(1))


def interpolate(xs, p, q):
    size = [s for s in p if s]
    mode = ["linear", "bilinear", "trilinear"][len(size) - 1] if q[0] else "nearest"
    return F.interpolate(xs[0], size, mode=mode, **({"align_corners": bool(q[1])} if q[0] else {}))


def pad(xs, p, q):
    sizes = [p[i + 4 * end] for i in (3, 2, 1, 0) for end in (0, 1)]
    while sizes[-2:] == [0, 0] and len(sizes) > 4:
        sizes = sizes[:-2]
    mode = ["constant", "reflect", "replicate", "circular"][q[0]]
    return F.pad(xs[0], sizes, mode, real(q[1])) if q[0] == 0 else F.pad(xs[0], sizes, mode)


# ---------------------------------------------------------------- attention, rotary embedding, cells


def attention(xs, p, q):
    scale = real(p[1]) or 1 / math.sqrt(xs[0].shape[-1])
    return ops.attention(*xs[:3], scale, p[0], *xs[3:])


def rotary(xs, p, q):
    """By complex numbers."""
    x, half = xs[0], xs[0].shape[-1] // 2
    place = torch.arange(x.shape[-2]) + float(p[0])
    angle = place[:, None] * real(p[1]) ** (-torch.arange(half) / half)
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], -1)


def bias(xs, i, like):
    return xs[i] if len(xs) > i else torch.zeros(like.shape[1])


def rnn_cell(xs, p, q):
    x, h, wx, wh = xs[:4]
    b = bias(xs, 4, wx)
    return torch.rnn_tanh_cell(x, h, wx.t(), wh.t(), b, torch.zeros_like(b))


def lstm_cell(xs, p, q):
    x, h, c, wx, wh = xs[:5]
    b = bias(xs, 5, wx)
    return torch.cat(torch.lstm_cell(x, (h, c), wx.t(), wh.t(), b, torch.zeros_like(b)), 1)


def gru_cell(xs, p, q):
    x, h, wx, wh = xs[:4]
    return torch.gru_cell(x, h, wx.t(), wh.t(), bias(xs, 4, wx), bias(xs, 5, wh))


# ---------------------------------------------------------------- losses with every option


def loss(name, data=2, order=None, numbers=lambda p: []):
    """The op of a loss, with inputs in its order and its numbers as tensors."""
    def run(xs, a, note):
        p, given, rest = a["p"], a["p"][1], list(xs[data:])
        parts = []
        if given & ops.CLASS_WEIGHT:
            parts.append(rest.pop(0))
        if given & ops.SMOOTHING:
            parts.append(torch.tensor(real(p[5])))
        xs = [xs[i] for i in order or range(data)] + [torch.tensor(float(c)) for c in numbers(p)] + parts + rest
        return ops.OPS[name](xs, {"reduction": p[0], "parts": given, "ignored": p[2]}, note)
    return run


def first(p):
    return [real(p[3])]


def alpha_gamma(p):
    """Of focal_binary: gamma, the weights of positives and of negatives; a negative alpha is neither."""
    alpha = real(p[3])
    return [real(p[4]), *([alpha, 1 - alpha] if alpha >= 0 else [1, 1])]


CALLS = {
    "leaky_relu": call(lambda xs, p, q: F.leaky_relu(xs[0], real(p[0]))), "scale": call(lambda xs, p, q: xs[0] * real(p[0])),
    "add_scalar": call(lambda xs, p, q: xs[0] + real(p[0])), "elu_alpha": call(lambda xs, p, q: F.elu(xs[0], real(p[0]))),
    "celu_alpha": call(lambda xs, p, q: F.celu(xs[0], real(p[0]))),
    "clamp_bounds": call(lambda xs, p, q: torch.clamp(xs[0], real(p[0]), real(p[1]))),
    "hardtanh_bounds": call(lambda xs, p, q: F.hardtanh(xs[0], real(p[0]), real(p[1]))),
    "cast": call(lambda xs, p, q: xs[0].to(DTYPES[p[0]]).to(DTYPES[p[1]])),
    "norm_p": call(lambda xs, p, q: torch.linalg.vector_norm(xs[0], real(p[0]), p[1], bool(p[2]))),
    "zeros": call(lambda xs, p, q: torch.zeros(p[:2])), "ones": call(lambda xs, p, q: torch.ones(p[:2])),
    "full": call(lambda xs, p, q: torch.full(p[:2], real(p[3]))),
    "linspace": call(lambda xs, p, q: torch.linspace(real(p[0]), real(p[1]), p[2])),
    "split": call(lambda xs, p, q: counted(xs[0].split(xs[0].shape[p[0]] // p[1], p[0]), p[0])), "chunk": call(chunk),
    "slice_box": call(slice_box), "topk": call(lambda xs, p, q: xs[0].topk(p[1], p[0], bool(p[2]))[0]),
    "argtopk": call(lambda xs, p, q: xs[0].topk(p[1], p[0], bool(p[2]))[1]),
    "nonzero_max": call(lambda xs, p, q: ops.nonzero(xs, {"max": p[0]})[0]),
    "nonzero_all": call(lambda xs, p, q: xs[0].nonzero()),
    "masked_select": call(lambda xs, p, q: torch.masked_select(*xs)), "unique": call(lambda xs, p, q: ops.unique(xs[0])),
    "einsum": lambda xs, a, note: torch.einsum(note, *xs),

    "conv1d": call(conv), "conv2d": call(conv), "conv3d": call(conv), "conv_transpose1d": call(conv_transpose),
    "conv_transpose2d": call(conv_transpose), "conv_transpose3d": call(conv_transpose),
    "max_pool_windows": pool("max_pool"), "avg_pool_windows": pool("avg_pool"),
    "adaptive_max_pool": adaptive("adaptive_max_pool"), "adaptive_avg_pool": adaptive("adaptive_avg_pool"),
    "global_max_pool": over_all("adaptive_max_pool"), "global_avg_pool": over_all("adaptive_avg_pool"),
    "interpolate_sizes": call(interpolate), "pad_modes": call(pad),
    "group_norm": call(lambda xs, p, q: F.group_norm(xs[0], p[0], *xs[1:], eps=real(p[1]))),
    "instance_norm": call(lambda xs, p, q: F.instance_norm(xs[0], None, None, *xs[1:], eps=real(p[0]))),
    "rotary": call(rotary), "attention_options": call(attention), "rnn_cell": call(rnn_cell), "lstm_cell": call(lstm_cell),
    "gru_cell": call(gru_cell),

    "mse_with": loss("mse"), "mae_with": loss("mae"), "huber_with": loss("huber", numbers=first),
    "smooth_l1_with": loss("smooth_l1", numbers=first), "poisson_nll_with": loss("poisson_nll"),
    "gaussian_nll_with": loss("gaussian_nll", 3, numbers=first), "bce_with": loss("bce"),
    "bce_with_logits_with": loss("bce_with_logits"), "focal_binary_with": loss("focal_binary", numbers=alpha_gamma),
    "hinge_with": loss("hinge"), "cross_entropy_options": loss("cross_entropy_with"), "nll_with": loss("nll"),
    "focal_with": loss("focal", numbers=first), "cross_entropy_soft_with": loss("cross_entropy_soft"), "kl_with": loss("kl"),
    "cosine_with": loss("cosine", 3, [0, 2, 1], first), "triplet_with": loss("triplet", 3, numbers=first),
}
