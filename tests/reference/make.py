#!/usr/bin/env python3
"""Makes tests/reference/values.bin: values and gradients of the ops and of the functions made of them, as PyTorch computes them
in f64.

    python3 -m venv venv && venv/bin/pip install torch numpy      (a CPU build is enough)
    TG_POINTS=points.json build/tests reference/points
    venv/bin/python tests/reference/make.py points.json

The points (inputs, attributes, cotangents) come from the samples of the op list, and of tests/reference_calls.c for functions
that are more than one op. A new op needs one line in ops.py beside this file, a new function one in calls.py. What PyTorch
cannot say is named at the end; the test `reference/covers` wants a reason for it."""
import collections
import json
import pathlib
import struct
import sys
import warnings

import torch

torch.set_default_dtype(torch.float64)
warnings.filterwarnings("ignore", message=".*degrees of freedom")

import calls
import ops

OUT = pathlib.Path(__file__).with_name("values.bin")
DTYPES = {"f64": torch.float64, "f32": torch.float32, "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8,
          "bool": torch.bool}
MOST = 1500  # numbers in the inputs of a case: larger ones are left out


def numbers(texts, shape):
    return torch.tensor([float(v) for v in texts]).reshape(shape)


def tensor(entry):
    return numbers(entry["data"], entry["shape"]).to(DTYPES[entry["dtype"]])


def array(kind, index, t):
    t = t.detach().to(torch.float64).contiguous()
    head = struct.pack("<cBBB", kind.encode(), index, t.dim(), 0) + struct.pack(f"<{t.dim()}q", *t.shape)
    return head + t.numpy().astype("<f8").tobytes()


def case(point, run):
    """The case as bytes, or a string that says why there is none."""
    xs = [tensor(e) for e in point["inputs"]]
    wanted = [i for i, e in enumerate(point["inputs"]) if e["kind"] == "f"]
    for i in wanted:
        xs[i].requires_grad_()
    ys = run(xs, point["attr"], point["note"])
    if ys is None:
        return "no counterpart"
    ys = list(ys) if isinstance(ys, (tuple, list)) else [ys]
    shapes = [o["shape"] for o in point["outputs"]]
    if [list(y.shape) for y in ys] != shapes:
        return f"shapes {[list(y.shape) for y in ys]}, not {shapes}"
    arrays = [array("i", i, x) for i, x in enumerate(xs)] + [array("y", k, y) for k, y in enumerate(ys)]
    live = [k for k, y in enumerate(ys) if wanted and y.is_floating_point() and y.requires_grad]
    if live:
        vs = [numbers(point["outputs"][k]["cotangent"], ys[k].shape).to(ys[k].dtype) for k in live]
        gs = torch.autograd.grad([ys[k] for k in live], [xs[i] for i in wanted], vs, allow_unused=True)
        arrays += [array("v", k, v) for k, v in zip(live, vs)]
        arrays += [array("g", i, torch.zeros_like(xs[i]) if g is None else g) for i, g in zip(wanted, gs)]
    op, note = point["op"].encode(), point["note"].encode()
    return struct.pack("<III", len(op), len(note), len(arrays)) + op + note + b"".join(arrays)


def main():
    cases, count, left_out = [], collections.Counter(), []
    for line in open(sys.argv[1]):
        point = json.loads(line)
        name, size = point["op"], sum(len(e["data"]) for e in point["inputs"])
        count[name] += 0
        run = ops.OPS.get(name) or calls.CALLS.get(name)
        if not run or size > MOST:
            if run:
                left_out.append(f"{name}, '{point['note']}': {size} numbers")
            continue
        try:
            made = case(point, run)
        except (RuntimeError, IndexError, TypeError, ValueError, KeyError) as e:
            made = f"{type(e).__name__}: {e}".split("\n")[0]
        if isinstance(made, str):
            left_out.append(f"{name}, '{point['note']}': {made}")
            continue
        cases.append(made)
        count[name] += 1
    OUT.write_bytes(b"TGREF2\n\0" + struct.pack("<I", len(cases)) + b"".join(cases))
    print("\n".join(left_out))
    print(f"{len(cases)} cases of {sum(n > 0 for n in count.values())} ops and functions, {OUT.stat().st_size} bytes; "
          f"PyTorch {torch.__version__}")
    print("without a case:", " ".join(n for n in count if not count[n]))


main()
