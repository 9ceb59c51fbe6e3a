#!/usr/bin/env python3
"""Makes tests/reference/values.bin: values and gradients of the ops, as PyTorch computes them in f64.

    python3 -m venv venv && venv/bin/pip install torch numpy      (a CPU build is enough)
    TG_POINTS=points.json build/tests reference/points
    venv/bin/python tests/reference/make.py points.json

The points (inputs, attributes, cotangents) come from the samples of the op list, so a new op needs one line in OPS here; those
that PyTorch says in the same words need none. Ops without a line are named at the end."""
import json
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
OUT = pathlib.Path(__file__).with_name("values.bin")
DTYPES = {"f64": torch.float64, "f32": torch.float32, "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8,
          "bool": torch.bool}
MOST = 1500  # numbers in a case: larger ones are left out


def axes_of(a):
    return a["axes"] if isinstance(a["axes"], list) else None


def reduce(fn):
    """fn(x, dim=..., keepdim=...) over a set of axes."""
    def run(xs, a):
        dims = tuple(range(xs[0].dim())) if axes_of(a) is None else tuple(axes_of(a))
        return xs[0].clone() if not dims else fn(xs[0], dims, bool(a["keepdims"]))
    return run


def one_by_one(fn):
    def run(x, dims, keep):
        for d in sorted((d % x.dim() for d in dims), reverse=True):
            x = fn(x, d, keep)
        return x
    return reduce(run)


def spatial(name, xs, a, *more, **named):
    n = xs[0].dim() - 2
    return getattr(F, name + f"{n}d")(*more, **named)


def conv(xs, a):
    n = xs[0].dim() - 2
    return getattr(F, f"conv{n}d")(xs[0], xs[1], None, a["stride"][:n], a["padding"][:n], a["dilation"][:n], a["groups"])


def conv_transpose(xs, a):
    n = xs[0].dim() - 2
    s, p, d = a["stride"][:n], a["padding"][:n], a["dilation"][:n]
    more = [a["size"][i] - ((xs[0].shape[2 + i] - 1) * s[i] - 2 * p[i] + d[i] * (xs[1].shape[2 + i] - 1) + 1) for i in range(n)]
    if any(m < 0 or m >= max(s[i], d[i]) for i, m in enumerate(more)):
        return None
    return getattr(F, f"conv_transpose{n}d")(xs[0], xs[1], None, s, p, more, a["groups"], d)


def max_pool(xs, a):
    n = xs[0].dim() - 2
    if a["adaptive"]:
        return getattr(F, f"adaptive_max_pool{n}d")(xs[0], a["kernel"][:n])
    if any(2 * p > k for p, k in zip(a["padding"][:n], a["kernel"][:n])):
        return None
    return getattr(F, f"max_pool{n}d")(xs[0], a["kernel"][:n], a["stride"][:n], a["padding"][:n])


def avg_pool(xs, a):
    n = xs[0].dim() - 2
    if a["adaptive"]:
        return getattr(F, f"adaptive_avg_pool{n}d")(xs[0], a["kernel"][:n])
    if any(2 * p > k for p, k in zip(a["padding"][:n], a["kernel"][:n])):
        return None
    return getattr(F, f"avg_pool{n}d")(xs[0], a["kernel"][:n], a["stride"][:n], a["padding"][:n], False, not a["skip_padding"])


def sliced(xs, a):
    x = xs[0]
    for i in range(x.dim()):
        at = [a["start"][i] + k * a["step"][i] for k in range(a["size"][i])]
        x = x.index_select(i, torch.tensor(at, dtype=torch.int64))
    return x


def loss(fn):
    """A loss with only a reduction, of the inputs' order here: prediction, target."""
    def run(xs, a):
        if a["parts"]:
            return None
        return fn(xs, ["mean", "sum", "none"][a["reduction"]])
    return run


def first_sorted(x, a):
    return [part.narrow(a["axis"], 0, a["k"])
            for part in x.sort(dim=a["axis"], descending=bool(a["descending"]), stable=True)]


def reduced(each, r):
    return {"mean": each.mean, "sum": each.sum, "none": lambda: each}[r]()


def labelled(fn):
    def run(xs, r):
        classes = xs[0].shape[-1]
        y = fn(xs[0].reshape(-1, classes), xs[1].reshape(-1).long(), reduction=r)
        return y.reshape(xs[1].shape) if r == "none" else y
    return run


def scan(fn):
    def run(xs, a):
        flip = (a["axis"],)
        x = xs[0].flip(flip) if a["reverse"] else xs[0]
        y = fn(x, a["axis"])
        return y.flip(flip) if a["reverse"] else y
    return run


def pad(xs, a):
    x, mode = xs[0], ["constant", "reflect", "replicate", "circular"][a["mode"]]
    for i in range(x.dim()):
        before, after = a["before"][i], a["after"][i]
        if before == after == 0:
            continue
        flat = x.movedim(i, -1)
        rows = flat.reshape(1, -1, flat.shape[-1])
        rows = F.pad(rows, (before, after), mode, *([xs[1].item()] if len(xs) > 1 else []))
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


class Digamma(torch.autograd.Function):
    """PyTorch's own derivative is good to 1e-9 only; the Hurwitz zeta function is exact."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.digamma(x)

    @staticmethod
    def backward(ctx, g):
        return g * torch.special.zeta(torch.tensor(2.0), ctx.saved_tensors[0])


def scaled(normalised, axis):
    """Inputs are x, eps, and a factor and a term along an axis, or not."""
    def run(xs, a):
        shape = [1] * xs[0].dim()
        shape[axis] = -1
        y = normalised(xs[0], xs[1].item())
        for i, w in enumerate(xs[2:]):
            y = y * w.reshape(shape) if i == 0 else y + w.reshape(shape)
        return y
    return run


def norm(xs, a):
    p = [0, 1, 2, float("inf"), float("-inf"), None][a["kind"]]
    if p is None or p == 0:
        return None
    dims = tuple(range(xs[0].dim())) if axes_of(a) is None else tuple(axes_of(a))
    return torch.linalg.vector_norm(xs[0], p, dims, bool(a["keepdims"])) if dims else None


PLAIN = """abs sign square sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh
asinh acosh atanh erf erfc lgamma sigmoid relu neg floor ceil round trunc frac pow atan2 hypot fmod remainder maximum minimum
add sub mul div eq ne lt le gt ge isnan isinf isfinite lerp""".split()
FUNCTIONAL = "softplus relu6 elu celu selu silu mish hardtanh hardswish softsign gelu".split()

OPS = {name: (lambda f: lambda xs, a: f(*xs))(getattr(torch, name)) for name in PLAIN}
OPS.update({name: (lambda f: lambda xs, a: f(xs[0]) if len(xs) == 1 else None)(getattr(F, name)) for name in FUNCTIONAL})
OPS.update({
    "log_sigmoid": lambda xs, a: F.logsigmoid(xs[0]),
    "gelu_tanh": lambda xs, a: F.gelu(xs[0], approximate="tanh"),
    "cbrt": lambda xs, a: xs[0].sign() * xs[0].abs() ** (1 / 3),
    "normal_cdf": lambda xs, a: torch.special.ndtr(xs[0]),
    "digamma": lambda xs, a: Digamma.apply(xs[0]),
    "hardsigmoid": lambda xs, a: ((xs[0] + 3) / 6).clamp(0, 1),  # PyTorch's derivative is an f32 1/6
    "clamp": lambda xs, a: torch.clamp(*xs) if len(xs) == 3 else None,
    "prelu": lambda xs, a: torch.where(xs[0] > 0, xs[0], xs[1] * xs[0]),
    "layer_norm": scaled(lambda x, eps: F.layer_norm(x, x.shape[-1:], eps=eps), -1),
    "rms_norm": scaled(lambda x, eps: x * (x.square().mean(-1, keepdim=True) + eps).rsqrt(), -1),
    "batch_norm": scaled(lambda x, eps: F.batch_norm(x, None, None, training=True, eps=eps), 1),
    "heaviside": lambda xs, a: (xs[0] > 0).double(),
    "fma": lambda xs, a: xs[0] * xs[1] + xs[2],
    "where": lambda xs, a: torch.where(*xs),
    "and": lambda xs, a: torch.logical_and(*xs), "or": lambda xs, a: torch.logical_or(*xs),
    "xor": lambda xs, a: torch.logical_xor(*xs), "not": lambda xs, a: torch.logical_not(*xs),
    "sum": reduce(lambda x, d, k: x.sum(d, k)), "mean": reduce(lambda x, d, k: x.mean(d, k)),
    "max": reduce(lambda x, d, k: x.amax(d, k)), "min": reduce(lambda x, d, k: x.amin(d, k)),
    "prod": one_by_one(lambda x, d, k: x.prod(d, k)),
    "any": one_by_one(lambda x, d, k: x.any(d, k)), "all": one_by_one(lambda x, d, k: x.all(d, k)),
    "logsumexp": reduce(lambda x, d, k: x.logsumexp(d, k)),
    "var": lambda xs, a: reduce(lambda x, d, k: torch.var(x, d, correction=a["correction"], keepdim=k))(xs, a),
    "std": lambda xs, a: reduce(lambda x, d, k: torch.std(x, d, correction=a["correction"], keepdim=k))(xs, a),
    "norm": norm,
    "argmax": lambda xs, a: xs[0].argmax(a["axis"]), "argmin": lambda xs, a: xs[0].argmin(a["axis"]),
    "cumsum": scan(torch.cumsum), "cumprod": scan(torch.cumprod), "logcumsumexp": scan(torch.logcumsumexp),
    "cummax": scan(lambda x, d: torch.cummax(x, d)[0]), "cummin": scan(lambda x, d: torch.cummin(x, d)[0]),
    "matmul": lambda xs, a: sum(torch.matmul(xs[i], xs[i + 1]) for i in range(0, len(xs), 2)),
    "add_n": lambda xs, a: sum(xs[1:], xs[0]),
    "softmax": lambda xs, a: torch.softmax(xs[0], a.get("axis", -1)),
    "log_softmax": lambda xs, a: torch.log_softmax(xs[0], a.get("axis", -1)),
    "cross_entropy": lambda xs, a: labelled(F.cross_entropy)(xs, "mean"),
    "cross_entropy_each": lambda xs, a: labelled(F.cross_entropy)(xs, "none"),
    "nll": loss(labelled(F.nll_loss)),
    "mse": lambda xs, a: loss(lambda x, r: F.mse_loss(x[0], x[1], reduction=r))(xs, a) if a else F.mse_loss(*xs),
    "mae": loss(lambda x, r: F.l1_loss(x[0], x[1], reduction=r)),
    "bce": loss(lambda x, r: F.binary_cross_entropy(x[0], x[1], reduction=r)),
    "bce_with_logits": loss(lambda x, r: F.binary_cross_entropy_with_logits(x[0], x[1], reduction=r)),
    "huber": loss(lambda x, r: F.huber_loss(x[0], x[1], reduction=r, delta=x[2].item())),
    "smooth_l1": loss(lambda x, r: F.smooth_l1_loss(x[0], x[1], reduction=r, beta=x[2].item())),
    "reshape": lambda xs, a: xs[0].reshape(a["shape"]), "expand": lambda xs, a: xs[0].expand(a["shape"]),
    "permute": lambda xs, a: xs[0].permute(a["axes"]) if isinstance(a["axes"], list) else None,
    "slice": sliced, "concat": lambda xs, a: torch.cat(xs, a["axis"]), "stack": lambda xs, a: torch.stack(xs, a["axis"]),
    "take_along_axis": lambda xs, a: torch.take_along_dim(xs[0], xs[1].long(), a["axis"]),
    "one_hot": lambda xs, a: F.one_hot(xs[0].long(), a["n"]).double(),
    "sort": lambda xs, a: first_sorted(xs[0], a)[0], "argsort": lambda xs, a: first_sorted(xs[0], a)[1],
    "argcummax": scan(lambda x, d: torch.cummax(x, d)[1]), "argcummin": scan(lambda x, d: torch.cummin(x, d)[1]),
    "identity": lambda xs, a: xs[0] * 1, "fence": lambda xs, a: xs[0] * 1, "stop_gradient": lambda xs, a: xs[0].detach(),
    "transpose": lambda xs, a: xs[0].mT, "pad": pad,
    "squeeze": lambda xs, a: xs[0].squeeze(tuple(a["axes"])) if isinstance(a["axes"], list) else xs[0].squeeze(),
    "unsqueeze": unsqueeze, "gather": gather,
    "scatter_add": lambda xs, a: xs[0].scatter_add(a["axis"], xs[1].long(), xs[2]) if len(xs) == 3 else None,
    "cosine_similarity": lambda xs, a: F.cosine_similarity(xs[0], xs[1], -1, 0),
    "kl": loss(lambda x, r: reduced(F.kl_div(x[0], x[1], reduction="none").sum(-1), r)),
    "cross_entropy_soft": loss(lambda x, r: reduced(F.cross_entropy(
        x[0].reshape(-1, x[0].shape[-1]), x[1].reshape(-1, x[0].shape[-1]), reduction="none").reshape(x[0].shape[:-1]), r)),
    "poisson_nll": loss(lambda x, r: F.poisson_nll_loss(x[0], x[1], reduction=r)),
    "gaussian_nll": loss(lambda x, r: F.gaussian_nll_loss(x[0], x[1], x[2], reduction=r, eps=1e-300)),
    "conv": conv, "conv_transpose": conv_transpose, "max_pool": max_pool, "avg_pool": avg_pool,
})


def tensor(entry):
    flat = torch.tensor([float(v) for v in entry["data"]], dtype=torch.float64)
    return flat.reshape(entry["shape"]).to(DTYPES[entry["dtype"]])


def array(kind, index, t):
    t = t.detach().to(torch.float64).contiguous()
    head = struct.pack("<cBBB", kind.encode(), index, t.dim(), 0) + struct.pack(f"<{t.dim()}q", *t.shape)
    return head + t.numpy().astype("<f8").tobytes()


def case(point):
    xs = [tensor(e) for e in point["inputs"]]
    wanted = [i for i, e in enumerate(point["inputs"]) if e["kind"] == "f"]
    for i in wanted:
        xs[i].requires_grad_()
    y = OPS[point["op"]](xs, point["attr"])
    if y is None or list(y.shape) != point["shape"]:
        return None
    arrays = [array("i", i, x) for i, x in enumerate(xs)] + [array("y", 0, y)]
    if wanted and y.is_floating_point() and y.requires_grad:
        v = torch.tensor([float(c) for c in point["cotangent"]]).reshape(y.shape)
        arrays.append(array("v", 0, v))
        gs = torch.autograd.grad(y, [xs[i] for i in wanted], v, allow_unused=True)
        arrays += [array("g", i, g) for i, g in zip(wanted, gs) if g is not None]
    op, note = point["op"].encode(), point["note"].encode()
    return struct.pack("<III", len(op), len(note), len(arrays)) + op + note + b"".join(arrays)


def main():
    cases, missing, ops = [], set(), set()
    for line in open(sys.argv[1]):
        point = json.loads(line)
        if point["op"] not in OPS:
            missing.add(point["op"])
            continue
        if sum(len(e["data"]) for e in point["inputs"]) > MOST:
            continue
        try:
            made = case(point)
        except (RuntimeError, IndexError, TypeError, ValueError, KeyError) as e:
            print(f"{point['op']}, sample '{point['note']}': {e}".split("\n")[0])
            continue
        if made:
            cases.append(made)
            ops.add(point["op"])
    OUT.write_bytes(b"TGREF1\n\0" + struct.pack("<I", len(cases)) + b"".join(cases))
    print(f"{len(cases)} cases of {len(ops)} ops, {OUT.stat().st_size} bytes; PyTorch {torch.__version__}")
    print("without a line:", " ".join(sorted(missing)))


main()
