"""tests/user.py LIBRARY: tapegrad from Python's ctypes: the plain functions are all that a binding needs."""
import ctypes
import math
import sys
from ctypes import POINTER, Structure, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p


class Tensor(Structure):
    _fields_ = [("owner", c_void_p), ("id", c_uint32), ("epoch", c_uint32)]


class Shape(Structure):
    _fields_ = [("rank", c_int32), ("dims", c_int64 * 8)]


class Axes(Structure):
    _fields_ = [("n", c_int32), ("axis", c_int32 * 8)]


class Array(Structure):
    _fields_ = [("dtype", c_int), ("shape", Shape), ("data", c_void_p)]


F64 = 1  # enum tg_dtype
ESHAPE = 1  # enum tg_status
ALL_AXES = Axes(-1)
lib = ctypes.CDLL(sys.argv[1])


def function(name, result, *arguments):
    f = getattr(lib, name)
    f.restype, f.argtypes = result, arguments
    return f


tape_new = function("tg_tape_new", c_void_p)
tape_free = function("tg_tape_free", None, c_void_p)
message = function("tg_message", c_char_p, c_void_p)
error = function("tg_error", c_int, c_void_p)
clear = function("tg_clear", None, c_void_p)
tg_input = function("tg_input", Tensor, c_void_p, Array)
mul = function("tg_mul", Tensor, Tensor, Tensor)
tanh = function("tg_tanh", Tensor, Tensor)
tg_sum = function("tg_sum", Tensor, Tensor, Axes, ctypes.c_bool)
grad = function("tg_grad", c_int, Tensor, POINTER(Tensor), c_int, POINTER(Tensor))
read = function("tg_read", c_int, Tensor, c_void_p, c_size_t)
item = function("tg_item", c_double, Tensor)


def tensor(tape, values):
    data = (c_double * len(values))(*values)
    shape = Shape(1, (c_int64 * 8)(len(values)))
    return tg_input(tape, Array(F64, shape, ctypes.cast(data, c_void_p)))


def near(got, want):
    assert abs(got - want) < 1e-14, (got, want)


values, weights = [0.5, -1.0, 2.0], [2.0, 3.0, -0.25]
tape = tape_new()
x, w, g = tensor(tape, values), tensor(tape, weights), Tensor()
loss = tg_sum(tanh(mul(x, w)), ALL_AXES, False)
near(item(loss), sum(math.tanh(a * b) for a, b in zip(values, weights)))

assert grad(loss, ctypes.byref(x), 1, ctypes.byref(g)) == 0, message(tape)
got = (c_double * 3)()
assert read(g, got, ctypes.sizeof(got)) == 0, message(tape)
for a, b, slope in zip(values, weights, got):
    near(slope, b * (1 - math.tanh(a * b) ** 2))

assert math.isnan(item(mul(x, tensor(tape, [1.0, 2.0]))))
assert error(tape) == ESHAPE and b"mul: " in message(tape), message(tape)
clear(tape)
near(item(loss), sum(math.tanh(a * b) for a, b in zip(values, weights)))
tape_free(tape)
print("the gradient of sum(tanh(x w)) is", [round(v, 4) for v in got])
