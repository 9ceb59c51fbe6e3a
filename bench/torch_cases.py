#!/usr/bin/env python3
"""The cases of bench/ in PyTorch, eager, with the same names, sizes and numbers.

    torch_cases.py CASE --threads N [--budget SECONDS]    a line of JSON with the case's value; then for each line read one
                                                          round of timing and a line of JSON
    torch_cases.py --list                                 the names

compare.py starts this with PyTorch tuned by its environment. Here: fused optimizers, denormals flushed, and convolutions in
whichever memory layout is faster. torch.compile is not used: neither side compiles a model.
"""
import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time

import numpy as np

# ---------------------------------------------------------------- numbers: bench/numbers.c makes the same


def mixed(n, seed):
    with np.errstate(over="ignore"):
        x = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed * 0x85EBCA77 & 0xFFFFFFFF)
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x85EBCA6B)
        x ^= x >> np.uint32(13)
        x *= np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    return x >> np.uint32(8)


def uniform(n, seed, scale):
    return (mixed(n, seed).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)) * np.float32(scale)


class Numbers:
    """Inputs have the seeds 1, 2, ..., parameters 1001, 1002, ... in the order in which the C case makes them."""

    def __init__(self):
        self.inputs, self.parameters = 0, 1000

    def floats(self, *shape):
        self.inputs += 1
        return torch.from_numpy(uniform(math.prod(shape), self.inputs, 1.7).reshape(shape))

    def leaf(self, *shape):
        return self.floats(*shape).requires_grad_()

    def integers(self, bound, *shape):
        self.inputs += 1
        return torch.from_numpy((mixed(math.prod(shape), self.inputs) % bound).astype(np.int64).reshape(shape))

    def fill(self, *parameters):
        """Each parameter; T(p): stored the other way around in tapegrad; one(p): a scale near 1."""
        for p in parameters:
            kind, p = p if isinstance(p, tuple) else ("", p)
            self.parameters += 1
            shape = tuple(reversed(p.shape)) if kind == "T" else tuple(p.shape)
            scale = math.sqrt(3) * p.numel() ** -0.25 if len(shape) > 1 else 0.1
            values = uniform(p.numel(), self.parameters, scale).reshape(shape)
            values = torch.from_numpy(values + np.float32(1) if kind == "one" else values)
            with torch.no_grad():
                p.copy_(values.t() if kind == "T" else values)


def T(p):
    return ("T", p)


def one(p):
    return ("one", p)


def both(layer):
    """Weight and bias of a layer: as tapegrad stores them."""
    weight = layer.weight
    transposed = isinstance(layer, torch.nn.Linear)
    norm = isinstance(layer, (torch.nn.LayerNorm, torch.nn.BatchNorm2d))
    return [T(weight) if transposed else one(weight) if norm else weight] + ([] if layer.bias is None else [layer.bias])


def all_of(*layers):
    return [p for layer in layers for p in both(layer)]


# ---------------------------------------------------------------- cases: name -> function that gives a step

CASES = {}


def case(*names):
    def add(make):
        for name in names:
            CASES[name] = make
        return make
    return add


def trained(optimizer, loss):
    def step():
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
        return [value]
    return step


def differentiated(leaves, forward, cotangent=None):
    def step():
        for leaf in leaves:
            leaf.grad = None
        y = forward()
        y.backward(cotangent)
        return [y] + [leaf.grad for leaf in leaves]
    return step


def without_gradient(forward):
    def step():
        with torch.no_grad():
            return [forward()]
    return step


def sgd(parameters, **options):
    return torch.optim.SGD(parameters, fused=True, **options)


@case("op_add_fwd", "op_add_fwdbwd")
def additions(name):
    x = torch.ones(1, requires_grad=True)

    def forward():
        y = x
        for _ in range(1000):
            y = y + x
        return y
    return (without_gradient(forward) if name == "op_add_fwd" else differentiated([x], forward)), 1000


@case("gelu_xab_sum_1000_fwdbwd", "gelu_xab_sum_100000_fwdbwd", "gelu_xab_sum_1e+07_fwdbwd", "gelu_xab_sum_1e+07_nograd")
def gelu(name):
    n, numbers = int(float(name.split("_")[3])), Numbers()
    x, a, b = (numbers.leaf(n) for _ in range(3))

    def forward():
        return F.gelu(x * a + b).sum()
    return without_gradient(forward) if name.endswith("nograd") else differentiated([x, a, b], forward)


@case("bcast_add_64x1024x1024_fwdbwd")
def broadcast(_):
    numbers = Numbers()
    x, a = numbers.leaf(64, 1024, 1), numbers.leaf(1, 1024)
    return differentiated([x, a], lambda: (x + a).sum())


ROWS = {
    "sum_lastdim": lambda x: x.sum(-1),
    "mean_lastdim": lambda x: x.mean(-1),
    "softmax": lambda x: F.softmax(x, -1),
}


@case(*(op + "_4096x1024_fwdbwd" for op in ROWS))
def rows(name):
    numbers, op = Numbers(), ROWS[name.split("_4096")[0]]
    x = numbers.leaf(4096, 1024)
    return differentiated([x], lambda: op(x), numbers.floats(*op(x).shape))


@case("layernorm_4096x1024_fwdbwd")
def layer_norm(_):
    numbers = Numbers()
    x, w, b = numbers.leaf(4096, 1024), numbers.leaf(1024), numbers.leaf(1024)
    return differentiated([x, w, b], lambda: F.layer_norm(x, (1024,), w, b), numbers.floats(4096, 1024))


@case("transpose_contiguous_4096x4096")
def transpose(_):
    x = Numbers().floats(4096, 4096)
    return without_gradient(lambda: x.t().contiguous())


SQUARES = (16, 32, 64, 128, 256, 512, 1024, 2048)
PRODUCTS = {"matmul_%d" % n: ((n, n), (n, n)) for n in SQUARES}
PRODUCTS.update({
    "matmul_64x784x256": ((64, 784), (784, 256)),
    "matmul_64x256x10": ((64, 256), (256, 10)),
    "matmul_1x1024x1024": ((1, 1024), (1024, 1024)),
    "matmul_8x1024x1024": ((8, 1024), (1024, 1024)),
    "matmul_1024x1024x8": ((1024, 1024), (1024, 8)),
    "matmul_6x50176x25": ((6, 50176), (50176, 25)),
    "bmm_32x128x64x128": ((32, 128, 64), (32, 64, 128)),
    "bmm_1024x16x16x16": ((1024, 16, 16), (1024, 16, 16)),
})


@case(*(name + "_" + kind for name in PRODUCTS for kind in ("nograd", "fwdbwd")))
@case(*("matmul_%s_%s" % (n, side) for n in ("64x784x256", "64x256x10") for side in ("grada", "gradb")))
def product(name):
    name, kind = name.rsplit("_", 1)
    numbers, (shape_a, shape_b) = Numbers(), PRODUCTS[name]
    a, b = numbers.leaf(*shape_a), numbers.leaf(*shape_b)
    g = numbers.floats(*shape_a[:-1], shape_b[-1])
    if kind == "fwdbwd":
        return differentiated([a, b], lambda: a @ b, g)
    return without_gradient({"nograd": lambda: a @ b, "grada": lambda: g @ b.t(), "gradb": lambda: a.t() @ g}[kind])


@case("tinymlp_2_16_16_1_b4")
def tiny_mlp(_):
    numbers = Numbers()
    m = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    numbers.fill(*all_of(m[0], m[2], m[4]))
    x, y = numbers.floats(4, 2), numbers.floats(4, 1)
    return trained(sgd(m.parameters(), lr=0.05), lambda: (m(x) - y).square().mean())


@case("mlp_784_256_128_10_sgdm_b64", "mlp_784_256_128_10_adam_b64", "mlp_784_256_128_10_sgdm_b512", "mlp_784_256_10_sgd_b64")
def mlp(name):
    sizes, rule, batch = [int(s) for s in name.split("_")[1:-2]], name.split("_")[-2], int(name.rsplit("_b")[-1])
    numbers = Numbers()
    layers = [nn.Linear(i, o) for i, o in zip(sizes, sizes[1:])]
    numbers.fill(*all_of(*layers))
    x, y = numbers.floats(batch, 784), numbers.integers(10, batch)
    parameters = [p for layer in layers for p in layer.parameters()]
    optimizer = {"sgdm": lambda: sgd(parameters, lr=0.01, momentum=0.9), "sgd": lambda: sgd(parameters, lr=0.01),
                 "adam": lambda: torch.optim.Adam(parameters, lr=1e-3, fused=True)}[rule]()

    def loss():
        h = x
        for layer in layers[:-1]:
            h = F.relu(layer(h))
        return F.cross_entropy(layers[-1](h), y)
    return trained(optimizer, loss)


def image_net(name, channels, image, kernel, pooled_each, hidden, flat, optimizer):
    """Convolutions with ReLU, max-pooling after each or after the last, two linear layers."""
    def make(layout):
        numbers = Numbers()
        convs = [nn.Conv2d(i, o, kernel) for i, o in zip(channels, channels[1:])]
        dense = [nn.Linear(flat, hidden), nn.Linear(hidden, 10)]
        numbers.fill(*all_of(*convs, *dense))
        convs = [c.to(memory_format=layout) for c in convs]
        x, y = numbers.floats(64, 1, *image).contiguous(memory_format=layout), numbers.integers(10, 64)

        def loss():
            h = x
            for i, conv in enumerate(convs):
                h = F.relu(conv(h))
                if pooled_each or i + 1 == len(convs):
                    h = F.max_pool2d(h, 2)
            return F.cross_entropy(dense[1](F.relu(dense[0](h.flatten(1)))), y)
        return trained(optimizer([p for layer in convs + dense for p in layer.parameters()]), loss)
    return Layouts(make)


@case("lenet_28x28_b64")
def lenet(name):
    return image_net(name, (1, 16, 32), (28, 28), 5, True, 128, 512, lambda p: sgd(p, lr=0.01, momentum=0.9))


@case("cnn_28x28_c32_c32_b64")
def cnn(name):
    return image_net(name, (1, 32, 32), (28, 28), 3, False, 128, 4608, lambda p: sgd(p, lr=0.01))


CONVOLUTIONS = {
    "conv3x3_32x64x56x56": ((32, 64, 56, 56), 64, 3, 1),
    "conv3x3_32x256x14x14": ((32, 256, 14, 14), 256, 3, 1),
    "conv1x1_32x256x14x14_1024": ((32, 256, 14, 14), 1024, 1, 1),
    "convdw3x3_32x128x28x28": ((32, 128, 28, 28), 128, 3, 128),
}


@case(*(name + "_" + kind for name in CONVOLUTIONS for kind in ("fwd", "bwd")))
def convolution(name):
    name, kind = name.rsplit("_", 1)
    shape, out, kernel, groups = CONVOLUTIONS[name]

    def make(layout):
        numbers = Numbers()
        x = numbers.floats(*shape).contiguous(memory_format=layout).requires_grad_()
        w = numbers.floats(out, shape[1] // groups, kernel, kernel).contiguous(memory_format=layout).requires_grad_()
        b = numbers.leaf(out)
        g = numbers.floats(shape[0], out, *shape[2:]).contiguous(memory_format=layout)

        def forward():
            return F.conv2d(x, w, b, padding=kernel // 2, groups=groups)
        if kind == "fwd":
            return without_gradient(forward)
        y = forward()
        return lambda: list(torch.autograd.grad(y, [x, w, b], g, retain_graph=True))
    return Layouts(make)


class Block(object):
    def __init__(self, i, o, stride):
        self.convs = [nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.Conv2d(o, o, 3, 1, 1, bias=False)]
        self.norms = [nn.BatchNorm2d(o), nn.BatchNorm2d(o)]
        if stride != 1 or i != o:
            self.convs.append(nn.Conv2d(i, o, 1, stride, bias=False))
            self.norms.append(nn.BatchNorm2d(o))
        self.layers = [layer for pair in zip(self.convs, self.norms) for layer in pair]

    def __call__(self, x):
        y = F.relu(self.norms[0](self.convs[0](x)))
        y = self.norms[1](self.convs[1](y))
        return F.relu(y + (x if len(self.convs) == 2 else self.norms[2](self.convs[2](x))))


def resnet18(layout):
    numbers = Numbers()
    stem, blocks, i = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)], [], 64
    for o, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Block(i, o, stride), Block(o, o, 1)]
        i = o
    head = nn.Linear(512, 10)
    layers = stem + [layer for block in blocks for layer in block.layers] + [head]
    numbers.fill(*all_of(*layers))
    for layer in layers[:-1]:
        layer.to(memory_format=layout)
    x, y = numbers.floats(32, 3, 32, 32).contiguous(memory_format=layout), numbers.integers(10, 32)

    def loss():
        h = F.relu(stem[1](stem[0](x)))
        for block in blocks:
            h = block(h)
        return F.cross_entropy(head(h.mean((2, 3))), y)
    return trained(sgd([p for layer in layers for p in layer.parameters()], lr=0.01, momentum=0.9), loss)


@case("resnet18_cifar_b32")
def resnet(_):
    return Layouts(resnet18)


@case("lstm_nn_i128_h256_t32_b32")
def lstm_nn(_):
    numbers = Numbers()
    m = nn.LSTM(128, 256)
    m.bias_hh_l0.requires_grad_(False).zero_()
    numbers.fill(T(m.weight_ih_l0), T(m.weight_hh_l0), m.bias_ih_l0)
    x = numbers.floats(32, 32, 128)
    optimizer = sgd([m.weight_ih_l0, m.weight_hh_l0, m.bias_ih_l0], lr=0.01)
    return trained(optimizer, lambda: m(x)[0].square().mean())


@case("lstm_cell_loop_i128_h256_t32_b32")
def lstm_cell_loop(_):
    numbers = Numbers()
    wx, wh, b = (nn.Parameter(torch.empty(*s)) for s in ((128, 1024), (256, 1024), (1024,)))
    numbers.fill(wx, wh, b)
    x = numbers.floats(32, 32, 128)

    def loss():
        h = c = x.new_zeros(32, 256)
        outs = []
        for step in x:
            i, f, g, o = (step @ wx + h @ wh + b).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outs.append(h)
        return torch.stack(outs).square().mean()
    return trained(sgd([wx, wh, b], lr=0.01), loss)


@case("lstm_ce_i64_h128_t32_b16", "gru_ce_i64_h128_t32_b16")
def recurrent(name):
    numbers = Numbers()
    m = (nn.LSTM if name.startswith("lstm") else nn.GRU)(64, 128)
    head = nn.Linear(128, 64)
    used = [T(m.weight_ih_l0), T(m.weight_hh_l0), m.bias_ih_l0]
    if name.startswith("lstm"):
        m.bias_hh_l0.requires_grad_(False).zero_()
    else:
        used.append(m.bias_hh_l0)
    numbers.fill(*used, *both(head))
    x, y = numbers.floats(32, 16, 64), numbers.integers(64, 32 * 16)
    optimizer = sgd([p for p in list(m.parameters()) + list(head.parameters()) if p.requires_grad], lr=0.01)
    return trained(optimizer, lambda: F.cross_entropy(head(m(x)[0]).view(-1, 64), y))


class Transformer:
    """Blocks of attention and a network of two layers, each after a norm, added to their input."""

    def __init__(self, layers, width, heads, words, length, activation, tied):
        self.heads, self.activation = heads, activation
        self.tokens, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = [[nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width), nn.LayerNorm(width),
                        nn.Linear(width, 4 * width), nn.Linear(4 * width, width)] for _ in range(layers)]
        self.norm = nn.LayerNorm(width)
        self.head = None if tied else nn.Linear(width, words, bias=False)
        self.index = torch.arange(length)

    def parameters(self):
        layers = [layer for block in self.blocks for layer in block] + [self.norm] + ([self.head] if self.head else [])
        return [self.tokens.weight, self.places.weight] + all_of(*layers)

    def __call__(self, words):
        x = self.tokens(words) + self.places(self.index)
        batch, length, width = x.shape
        for norm1, qkv, out, norm2, wide, narrow in self.blocks:
            heads = qkv(norm1(x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(*heads.unbind(0), is_causal=True)
            x = x + out(y.transpose(1, 2).reshape(batch, length, width))
            x = x + narrow(self.activation(wide(norm2(x))))
        x = self.norm(x)
        return self.head(x) if self.head else x @ self.tokens.weight.t()


def train_transformer(model, batch, length, words):
    numbers = Numbers()
    parameters = model.parameters()
    numbers.fill(*parameters)
    x, y = numbers.integers(words, batch, length), numbers.integers(words, batch * length)
    plain = [p[1] if isinstance(p, tuple) else p for p in parameters]
    optimizer = torch.optim.AdamW(plain, lr=1e-3, fused=True)
    return trained(optimizer, lambda: F.cross_entropy(model(x).view(-1, words), y))


@case("gpt_4l_d256_h4_t128_b8")
def gpt(_):
    return train_transformer(Transformer(4, 256, 4, 65, 128, F.gelu, False), 8, 128, 65)


@case("gpt2_4l_d256_h8_v4096_t64_b4")
def gpt2(_):
    def gelu_tanh(x):
        return F.gelu(x, approximate="tanh")
    return train_transformer(Transformer(4, 256, 8, 4096, 64, gelu_tanh, True), 4, 64, 4096)


class TreeLstm:
    """A binary tree-LSTM over random trees (bench/trees.c draws the same): a new shape for each."""

    def __init__(self, leaves):
        self.leaves, self.drawn, self.numbers = leaves, 0, Numbers()
        self.words = nn.Embedding(1000, 64)
        self.leaf, self.node, self.out = nn.Linear(64, 192), nn.Linear(128, 320), nn.Linear(64, 5)
        self.numbers.fill(self.words.weight, *all_of(self.leaf, self.node, self.out))
        layers = [self.words, self.leaf, self.node, self.out]
        self.optimizer = sgd([p for layer in layers for p in layer.parameters()], lr=0.01)

    def state(self, first, n):
        if n == 1:
            i, o, u = self.leaf(self.rows[first]).chunk(3, 1)
            c = torch.sigmoid(i) * torch.tanh(u)
        else:
            left = 1 + int(self.cuts[first + n // 2]) % (n - 1)
            hl, cl = self.state(first, left)
            hr, cr = self.state(first + left, n - left)
            i, fl, fr, o, u = self.node(torch.cat((hl, hr), 1)).chunk(5, 1)
            c = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(fl) * cl + torch.sigmoid(fr) * cr
        return torch.sigmoid(o) * torch.tanh(c), c

    def loss(self):
        self.drawn += 1
        words = torch.from_numpy((mixed(self.leaves, 100000 + self.drawn) % 1000).astype(np.int64))
        self.cuts = mixed(self.leaves, 200000 + self.drawn)
        self.rows = self.words(words).split(1)
        return F.cross_entropy(self.out(self.state(0, self.leaves)[0]), torch.tensor([self.drawn % 5]))


@case("treelstm_50leaves_d64")
def tree_lstm(_):
    m = TreeLstm(50)
    return trained(m.optimizer, m.loss)


@case("treelstm_20leaves_d64_b16")
def tree_lstm_batch(_):
    m = TreeLstm(20)
    return trained(m.optimizer, lambda: sum(m.loss() for _ in range(16)) / 16), 16


@case("startup_to_first_gradient")
def startup(_):
    code = "import torch; x = torch.ones(1, requires_grad=True); (x * 2).sum().backward()"

    def step():
        subprocess.run([sys.executable, "-c", code], check=True)
        return [torch.ones(1)]
    return step


PEAKS = {"peak_rss_gpt_4l_d256_h4_t128_b8": gpt, "peak_rss_resnet18_cifar_b32": lambda _: resnet18(torch.contiguous_format)}


def peak(name):
    """What some steps add to the most memory that the process had after the import of torch, MiB."""
    def most():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    torch.ones(1, requires_grad=True).sum().backward()
    imported = most()
    step = PEAKS[name](name)
    for _ in range(5):
        step()
    return {"growth": most() - imported, "import": imported}


# ---------------------------------------------------------------- rounds


class Layouts:
    """A step that can be made for two layouts of images."""

    def __init__(self, make):
        self.make = make

    def faster(self):
        times = {}
        for layout in (torch.contiguous_format, torch.channels_last):
            step = self.make(layout)
            for _ in range(2):
                start = time.perf_counter()
                step()
                times[layout] = time.perf_counter() - start
        layout = min(times, key=times.get)
        return self.make(layout), str(layout).split(".")[-1]


def value_of(outputs):
    return sum(float(y.detach().double().abs().mean()) for y in outputs)


def one_round(step, per, budget):
    """The median of the seconds of one step. A first one that is slow enough counts."""
    begin = time.perf_counter()
    step()
    once = max(time.perf_counter() - begin, 1e-7)
    inner = max(1, int(0.02 / once))
    values = [once] if inner == 1 else []
    while not values or time.perf_counter() - begin < budget:
        start = time.perf_counter()
        for _ in range(inner):
            step()
        values.append((time.perf_counter() - start) / inner)
    return sorted(values)[len(values) // 2] / per


def serve(name, threads, budget):
    facts = {"name": name, "threads": threads, "torch": torch.__version__}
    if name in PEAKS:
        return print(json.dumps({**facts, **peak(name)}), flush=True)
    step, per = CASES[name](name), 1
    if isinstance(step, tuple):
        step, per = step
    if isinstance(step, Layouts):
        step, facts["layout"] = step.faster()
    start = time.perf_counter()
    value = sum(value_of(step()) for _ in range(3))
    while time.perf_counter() - start < 0.3:
        step()
    print(json.dumps({**facts, "value": value}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({"seconds": one_round(step, per, budget)}), flush=True)


def main():
    global torch, nn, F
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="?")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=float, default=0.3)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        return print("\n".join([*CASES, *PEAKS]))
    if options.case not in CASES and options.case not in PEAKS:
        sys.exit("torch_cases.py: no case " + str(options.case))
    import torch
    from torch import nn
    from torch.nn import functional as F
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    serve(options.case, options.threads, options.budget)


if __name__ == "__main__":
    main()
