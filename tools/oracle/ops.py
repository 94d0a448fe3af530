"""Fixtures for every op of packages/graph: inputs, output and the gradients of sum(y * dy), computed by PyTorch in float64.

    python tools/oracle/ops.py packages/runtime/test/fixtures

Writes ops.safetensors (tensors `<case>.x0`, `.y`, `.dy`, `.g0`; float64 rounded to the stored type) and ops.json (one object a
case: op, attributes, the inputs' dimensions, the value of each named dimension). Dimensions are named `n<size>` where a size
is above 1 or is 0, so that the test can run each case twice: with the names, and with the numbers in their place.
"""
import json, math, sys, warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

warnings.filterwarnings("ignore", "var\(\): degrees of freedom")  # of no rows
out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
g = torch.Generator().manual_seed(20260701)
NAMES = {torch.float64: "f32", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16", torch.int64: "i64",
         torch.int32: "i32", torch.int8: "i8", torch.uint8: "u8", torch.bool: "bool"}
cases, tensors = [], {}
f64 = lambda t: t.float().double()  # values that f32 holds exactly


def randn(*shape): return f64(torch.randn(shape, generator=g, dtype=torch.float64))
def uniform(lo, hi, *shape): return f64(torch.rand(shape, generator=g, dtype=torch.float64) * (hi - lo) + lo)
def ints(hi, *shape, lo=0): return torch.randint(lo, hi, shape, generator=g)
def bools(*shape): return torch.rand(shape, generator=g) > 0.5
def vec(*values): return f64(torch.tensor(values, dtype=torch.float64))
def whole(*values): return torch.tensor(values, dtype=torch.int64)


class X:
    """An input with dimensions of its own choice (numbers or text), stored as `dtype`; `grad=False` where none is defined."""
    def __init__(self, value, dims=None, dtype=None, grad=True):
        self.value, self.dims, self.dtype, self.grad = value, dims, dtype, grad


def store(name, t, dtype=None):
    t = t.detach()
    if t.dtype == torch.float64: t = t.to(dtype or torch.float32)
    tensors[name] = t.contiguous().clone()
    return NAMES[tensors[name].dtype]


def case(op, fn, *inputs, note="", names=None, dy=None, **attrs):
    """`fn(*inputs)` is the reference; `attrs` go to the builder (dimensions as text may use `names`)."""
    index, key, spec, bound, leaves = sum(c["op"] == op for c in cases), None, [], dict(names or {}), []
    key = f"{op}.{index}"
    for i, x in enumerate(inputs):
        x = x if isinstance(x, X) else X(x)
        dims = x.dims
        if dims is None:
            dims = [f"n{s}" if s != 1 else 1 for s in x.value.shape]
            bound.update({f"n{s}": s for s in x.value.shape if s != 1})
        value = x.value.clone()
        if x.dtype: value = value.to(x.dtype).double()  # what the stored type holds
        dtype = store(f"{key}.x{i}", value, x.dtype)
        if value.is_floating_point() and x.grad: value.requires_grad_()
        leaves.append(value)
        spec.append({"dtype": dtype, "dims": dims})
    y = fn(*leaves)
    half = y.dtype == torch.float64 and any(s["dtype"] == "f16" for s in spec)
    entry = {"op": op, "note": note, "attrs": attrs, "inputs": spec, "names": bound, "grads": []}
    entry["output"] = {"dtype": store(f"{key}.y", y, torch.float16 if half else None), "shape": list(y.shape)}
    if y.requires_grad:
        dy = randn(*y.shape) if dy is None else dy
        if half: dy = dy.half().double()
        store(f"{key}.dy", dy, torch.float16 if half else None)
        wanted = [i for i, v in enumerate(leaves) if v.requires_grad]
        found = torch.autograd.grad(y, [leaves[i] for i in wanted], dy, allow_unused=True)
        for i, d in zip(wanted, found):
            d = torch.zeros_like(leaves[i]) if d is None else d
            store(f"{key}.g{i}", d, torch.float16 if half else None)
        entry["grads"] = wanted
    cases.append(entry)


half = lambda t: X(t, dtype=torch.float16)

# ---- leaves
case("input", lambda x: x, randn(2, 3))
case("input", lambda x: x, randn(), note="scalar")
case("input", lambda x: x, ints(9, 4), note="i64")
case("input", lambda x: x, X(bools(5)), note="bool")
case("input", lambda x: x, ints(9, 4).to(torch.uint8), note="u8")
case("weight", lambda x: x, X(randn(2, 3), [2, 3], grad=False))
case("weight", lambda x: x, X(randn(2, 3), [2, 3], dtype=torch.float16, grad=False), note="f16")
case("constant", lambda x: x, X(randn(3, 2), [3, 2], grad=False))
case("constant", lambda x: x, X(ints(99, 40, lo=-99), [40]), note="i64, more than 64 bytes")
case("constant", lambda x: x, X(vec(-0.0, 0.0, math.inf), [3], grad=False), note="negative zero")
for n in (5, 1, 0): case("range", lambda _: torch.arange(n), X(randn(n), ["rows"], grad=False), size="rows", names={"rows": n})
case("range", lambda _: torch.arange(9), X(randn(4), ["rows"], grad=False), size="2*rows+1", names={"rows": 4})
case("size", lambda _: torch.tensor(12), X(randn(3, 4), ["a", "b"], grad=False), dim="a*b", names={"a": 3, "b": 4})
case("size", lambda _: torch.tensor(4), X(randn(7), ["a"], grad=False), dim="floor((a+1)/2)", names={"a": 7})
case("size", lambda _: torch.tensor(-1), X(randn(3, 4), ["a", "b"], grad=False), dim="a-b", names={"a": 3, "b": 4}, note="negative")
case("size", lambda _: torch.tensor(3), X(randn(8, 1), ["a", "b"], grad=False), dim="floor((a-b)/2)", names={"a": 8, "b": 1})
case("size", lambda _: torch.tensor(-2), X(randn(1, 4), ["a", "b"], grad=False), dim="floor((a-b)/2)", names={"a": 1, "b": 4}, note="rounds down")

# ---- element-wise, one input
SPECIAL = vec(-2.5, -1, -0.25, 0.0, 0.25, 1, 3, 8)
UNARY = {"neg": torch.neg, "abs": torch.abs, "exp": torch.exp, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf,
         "sin": torch.sin, "cos": torch.cos, "floor": torch.floor, "sign": torch.sign, "relu": F.relu, "silu": F.silu}
for op, fn in UNARY.items():
    case(op, fn, randn(3, 5))
    case(op, fn, SPECIAL, note="zero and whole numbers")
    case(op, fn, randn(), note="scalar")
    case(op, fn, randn(0, 4), note="no elements")
    case(op, fn, randn(2, 1, 3, 2) * 6, note="large")
    case(op, fn, X(randn(1, 3), ["rows", 3]), names={"rows": 1}, note="a name that is 1")
for op in ("tanh", "sigmoid", "erf", "silu"): case(op, UNARY[op], vec(-90, -30, -12, 12, 30, 90), note="saturated")
for op, fn in (("log", torch.log), ("sqrt", torch.sqrt), ("reciprocal", torch.reciprocal)):
    case(op, fn, uniform(0.05, 4, 3, 5))
    case(op, fn, vec(1e-6, 0.5, 1, 1e6), note="wide range")
    case(op, fn, uniform(1, 2, 0, 2), note="no elements")
case("reciprocal", torch.reciprocal, uniform(-4, -0.2, 2, 3), note="negative")
case("neg", torch.neg, ints(9, 4, lo=-9), note="i64")
case("abs", torch.abs, ints(9, 4, lo=-9), note="i64")
case("sign", torch.sign, ints(3, 6, lo=-3), note="i64")
for approximate in ("none", "tanh"):
    fn = lambda x: F.gelu(x, approximate=approximate)
    for x, note in ((randn(3, 5), ""), (SPECIAL, "zero and whole numbers"), (vec(-12, -6, 6, 12), "saturated"), (randn(2, 0), "no elements")):
        case("gelu", fn, x, approximate=approximate, note=note)
case("not", torch.logical_not, bools(3, 4))
case("not", torch.logical_not, bools(0), note="no elements")
for to, dtype in (("i64", torch.int64), ("i32", torch.int32), ("u8", torch.uint8), ("bool", torch.bool)):
    case("cast", lambda x: x.to(dtype), X(vec(0, 1.75, 2, 7), grad=False), to=to)
case("cast", lambda x: x.double(), ints(99, 3, 2, lo=-99), to="f32", note="from i64")
case("cast", lambda x: x.double(), bools(7), to="f32", note="from bool")
case("cast", lambda x: x.long(), bools(7), to="i64", note="from bool")
case("cast", lambda x: x * 1, half(randn(3, 4)), to="f16", note="nothing to do")
case("cast", lambda x: x.detach().half(), X(randn(3, 4) * 100, grad=False), to="f16")
case("cast", lambda x: x.detach() * 1, X(randn(3, 4), grad=False), to="f32", note="nothing to do")

# ---- element-wise, broadcasting
PAIRS = [((3, 4), (3, 4), ""), ((3, 4), (4,), "row"), ((3, 4), (3, 1), "column"), ((3, 1), (1, 4), "both ways"),
         ((2, 3, 4), (3, 1), "fewer axes"), ((), (2, 3), "scalar left"), ((2, 3), (), "scalar right"), ((0, 3), (3,), "no rows"),
         ((1, 1), (4,), "ones"), ((2, 1, 4), (5, 1), "rank 3 both ways")]
BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum, "minimum": torch.minimum}
for op, fn in BINARY.items():
    for a, b, note in PAIRS:
        case(op, fn, randn(*a), uniform(0.5, 2, *b) if op == "div" else randn(*b), note=note)
for op in ("maximum", "minimum"):
    case(op, BINARY[op], vec(1, 2, -3, 0), vec(1, -2, -3, 4), note="ties")
    case(op, BINARY[op], vec(1, 1, 2), X(vec(1)), note="ties, broadcast")
for op in ("add", "sub", "mul", "maximum", "minimum"): case(op, BINARY[op], ints(9, 3, 2, lo=-9), ints(9, 2, lo=-9), note="i64")
case("div", lambda a, b: torch.div(a, b, rounding_mode="trunc"), ints(99, 5), ints(9, 5, lo=1), note="i64")
case("div", torch.div, randn(3), uniform(-2, -0.5, 3), note="negative divisor")
for op in ("add", "mul", "div"): case(op, BINARY[op], half(randn(2, 3)), half(uniform(0.5, 2, 3)), note="f16")
for a, b, note in PAIRS: case("pow", torch.pow, uniform(0.2, 3, *a), randn(*b), note=note)
case("pow", torch.pow, vec(-2, -1, 3, 0), X(vec(3, 2, 2, 2), grad=False), note="whole powers of negative numbers")
case("pow", torch.pow, vec(0, 0, 2), vec(0, 2, 0), note="zero base, zero power")
COMPARE = {"equal": torch.eq, "less": torch.lt, "lessEqual": torch.le, "greater": torch.gt, "greaterEqual": torch.ge}
for op, fn in COMPARE.items():
    case(op, fn, X(vec(1, 2, 3, -1), grad=False), X(vec(1, 3, 2, -1), grad=False), note="ties")
    case(op, fn, ints(3, 4, 1), ints(3, 5), note="i64, both ways")
    case(op, fn, X(randn(0, 2), grad=False), X(randn(2), grad=False), note="no rows")
case("equal", torch.eq, bools(6), bools(6), note="bool")
for op, fn in (("and", torch.logical_and), ("or", torch.logical_or)):
    case(op, fn, bools(3, 4), bools(3, 4))
    case(op, fn, bools(3, 1), bools(4), note="both ways")
    case(op, fn, bools(0, 4), bools(4), note="no rows")
for c, a, b, note in [((3, 4), (3, 4), (3, 4), ""), ((3, 1), (4,), (2, 1, 1), "three ways"), ((4,), (3, 4), (), "scalar else"),
                      ((), (2, 3), (3,), "scalar condition"), ((0, 2), (2,), (1,), "no rows")]:
    case("where", torch.where, bools(*c), randn(*a), randn(*b), note=note)
case("where", torch.where, bools(5), ints(9, 5), ints(9, 1), note="i64")

# ---- layout
ab = lambda a, b: X(randn(a, b), ["a", "b"], grad=False)  # only says what the names are
case("reshape", lambda x: x.reshape(6, 2), X(randn(3, 4), ["a", 4]), shape=["2*a", 2], names={"a": 3})
case("reshape", lambda x: x.reshape(-1), X(randn(3, 4, 2), ["a", "b", 2]), shape=["2*a*b"], names={"a": 3, "b": 4}, note="flat")
case("reshape", lambda x, _: x.reshape(3, 4, 2), X(randn(24), ["2*a*b"]), ab(3, 4), shape=["a", "b", 2], names={"a": 3, "b": 4}, note="two names")
case("reshape", lambda x, _: x.reshape(3, 0, 2), X(randn(0), ["2*a*b"]), ab(3, 0), shape=["a", "b", 2], names={"a": 3, "b": 0}, note="two names, one is 0")
case("reshape", lambda x, _: x.reshape(0, 4, 2), X(randn(0, 8), ["a", "2*b"]), ab(0, 4), shape=["a", "b", 2], names={"a": 0, "b": 4}, note="two names, the first is 0")
case("reshape", lambda x: x.reshape(0, 3, 2), X(randn(0, 6), ["a", 6]), shape=["a", 3, 2], names={"a": 0}, note="no rows")
case("reshape", lambda x: x.reshape(5, 0), X(randn(3, 0), [3, 0]), shape=[5, 0], note="a 0 stays a 0")
case("reshape", lambda x: x.reshape(1, 1), randn(), shape=[1, 1], note="from a scalar")
case("reshape", lambda x: x.reshape(()), X(randn(1, 1), [1, 1]), shape=[], note="to a scalar")
case("reshape", lambda x: x.reshape(2, 3), X(ints(9, 6), [6]), shape=[2, 3], note="i64")
for perm in ([1, 0], [0, 2, 1], [2, 0, 1], [3, 1, 0, 2], [0, 1]):
    case("transpose", lambda x: x.permute(perm), randn(*[2, 3, 4, 5][:len(perm)]), perm=perm)
case("transpose", lambda x: x.permute(1, 0), randn(0, 3), perm=[1, 0], note="no rows")
case("transpose", lambda x: x.permute(1, 0), bools(2, 3), perm=[1, 0], note="bool")
case("expand", lambda x: x.expand(3, 4), X(randn(3, 1), ["a", 1]), shape=["a", 4], names={"a": 3})
case("expand", lambda x: x.expand(2, 3, 4), X(randn(4), [4]), shape=[2, 3, 4], note="new axes")
case("expand", lambda x, _: x.expand(5, 3), X(randn(3), ["b"]), ab(5, 3), shape=["a", "b"], names={"a": 5, "b": 3}, note="a new named axis")
case("expand", lambda x, _: x.expand(0, 3), X(randn(1, 3), [1, "b"]), ab(0, 3), shape=["a", "b"], names={"a": 0, "b": 3}, note="to no rows")
case("expand", lambda x: x.expand(2, 1), randn(), shape=[2, 1], note="from a scalar")
for axis, start, end, step in [(0, 1, 3, 1), (1, 0, 2, 1), (1, 2, 2, 1), (1, 1, 5, 2), (0, 0, 4, 3), (-1, 0, 5, 4)]:
    ix = lambda x: x[start:end:step] if axis == 0 else x[:, start:end:step]
    case("slice", ix, randn(4, 5), axis=axis, start=start, end=end, step=step)
case("slice", lambda x, _: x[:, 2:5], X(randn(3, 5), [3, "a+b"]), ab(2, 3), axis=1, start="a", end="a+b", step=1, names={"a": 2, "b": 3}, note="from a name")
case("slice", lambda x: x[-2:], X(randn(5, 2), ["a", 2]), axis=0, start="a-2", end="a", step=1, names={"a": 5}, note="the last two")
case("slice", lambda x, _: x[2:7:2], X(randn(7), ["2*a+b"]), ab(2, 3), axis=0, start="a", end="2*a+b", step=2, names={"a": 2, "b": 3}, note="from a name, in steps")
case("slice", lambda x: x[:, 1:3], ints(9, 2, 4), axis=1, start=1, end=3, step=1, note="i64")
case("concat", lambda a, b: torch.cat([a, b], 0), randn(2, 3), randn(4, 3), axis=0)
case("concat", lambda a, b, c: torch.cat([a, b, c], 1), randn(2, 3), randn(2, 1), randn(2, 4), axis=-1, note="three")
case("concat", lambda a, b: torch.cat([a, b], 0), randn(0, 3), randn(2, 3), axis=0, note="one is empty")
case("concat", lambda a, b: torch.cat([a, b], 1), randn(2, 2, 3), randn(2, 5, 3), axis=1)
case("concat", lambda a: torch.cat([a, a], 0), randn(2, 3), axis=0, twice=True, note="the same tensor twice")
case("concat", lambda a, b: torch.cat([a, b], 0), ints(9, 2), ints(9, 3), axis=0, note="i64")
for axis, before, after, value in [(0, 1, 2, 0), (1, 0, 3, -1.5), (-1, 2, 0, 7)]:
    k = axis % 2
    case("pad", lambda x: F.pad(x, [0, 0, before, after] if k == 0 else [before, after], value=value), randn(2, 3), axis=axis, before=before, after=after, value=value)
case("pad", lambda x, _: F.pad(x, [2, 3]), X(randn(2, 4), [2, 4]), ab(2, 3), axis=1, before="a", after="b", value=0, names={"a": 2, "b": 3}, note="by names")
case("pad", lambda x: F.pad(x, [1, 1]), randn(2, 0), axis=1, before=1, after=1, value=0, note="nothing to pad")
case("pad", lambda x: F.pad(x, [1, 2], value=5), ints(9, 3), axis=0, before=1, after=2, value=5, note="i64")
case("pad", lambda x: F.pad(x, [1, 2], value=True), bools(3), axis=0, before=1, after=2, value=1, note="bool")
case("pad", lambda x: F.pad(x, [1, 2], value=0.5), half(randn(3)), axis=0, before=1, after=2, value=0.5, note="f16")


def take(axis): return lambda x, i: x.index_select(axis, i.reshape(-1)).reshape(*x.shape[:axis], *i.shape, *x.shape[axis + 1:])


case("gather", take(0), randn(5, 3), whole(4, 0, 0, 2, 4, 4), axis=0, note="duplicates")
case("gather", take(1), randn(2, 5, 3), ints(5, 4), axis=1)
case("gather", take(0), randn(5, 3), ints(5, 2, 4), axis=0, note="indices of two axes")
case("gather", take(1), randn(2, 5, 3), ints(5, 2, 2), axis=1, note="indices of two axes, in the middle")
case("gather", take(-1 % 2), randn(3, 4), ints(4, 2), axis=-1)
case("gather", take(0), randn(5, 3), torch.tensor(3), axis=0, note="scalar index")
case("gather", take(0), randn(5, 3), ints(5, 0), axis=0, note="no indices")
case("gather", take(0), randn(1, 3), whole(0, 0, 0), axis=0, note="one row")
case("gather", take(0), ints(99, 5), ints(5, 7), axis=0, note="i64")
case("gather", lambda x, i: x.index_select(0, i), X(randn(6, 3), [6, 3], dtype=torch.float16), ints(6, 4), axis=0, note="f16")


def scatter(axis, size):
    def fn(u, i):
        lead, trail = u.shape[:axis], u.shape[axis + i.dim():]
        return torch.zeros(*lead, size, *trail, dtype=u.dtype).index_add(axis, i.reshape(-1), u.reshape(*lead, -1, *trail))
    return fn


case("scatterAdd", scatter(0, 5), randn(6, 3), whole(4, 0, 0, 2, 4, 4), axis=0, size=5, note="duplicates")
case("scatterAdd", scatter(1, 4), randn(2, 5, 3), ints(4, 5), axis=1, size=4)
case("scatterAdd", scatter(0, 5), randn(2, 4, 3), ints(5, 2, 4), axis=0, size=5, note="indices of two axes")
case("scatterAdd", scatter(1, 5), randn(2, 3, 2, 2), ints(5, 3, 2), axis=1, size=5, note="indices of two axes, in the middle")
case("scatterAdd", scatter(0, 3), randn(4), torch.tensor([1, 1, 1, 1]), axis=0, size=3, note="all the same")
case("scatterAdd", scatter(0, 4), randn(3), torch.tensor(2), axis=0, size=4, note="scalar index")
case("scatterAdd", scatter(0, 5), randn(0, 3), ints(5, 0), axis=0, size=5, note="no updates")
case("scatterAdd", scatter(0, 7), X(randn(3, 2), ["a", 2]), X(ints(7, 3), ["a"]), axis=0, size="2*a+1", names={"a": 3}, note="named size")
case("scatterAdd", scatter(0, 64), randn(2048), ints(64, 2048), axis=0, size=64, note="many duplicates: a racing kernel loses some")
for shape, axis, n in [((3, 4), 1, 2), ((3, 4), 0, 5), ((2, 3, 4), -1, 6), ((2, 3, 4), 1, 1)]:
    k = axis % len(shape)
    at = ints(shape[k], *[n if j == k else s for j, s in enumerate(shape)])
    case("gatherElements", lambda x, i: x.gather(k, i), randn(*shape), at, axis=axis)
    case("scatterElementsAdd", lambda u, i: torch.zeros(*[shape[k] if j == k else s for j, s in enumerate(shape)], dtype=u.dtype).scatter_add(k, i, u),
         randn(*at.shape), at, axis=axis, size=shape[k])
case("gatherElements", lambda x, i: x.gather(0, i), randn(3, 0), ints(3, 2, 0), axis=0, note="no columns")
case("scatterElementsAdd", lambda u, i: torch.zeros(7, dtype=u.dtype).scatter_add(0, i, u), X(randn(3), ["a"]), X(whole(6, 6, 0), ["a"]), axis=0, size="2*a+1", names={"a": 3}, note="duplicates, named size")

# ---- reductions
REDUCE = [((3, 4), [0]), ((3, 4), [1]), ((2, 3, 4), [0, 2]), ((2, 3, 4), [-1]), ((2, 1, 3), [1]), ((3, 4), [0, 1]), ((5,), [0])]
REDUCTIONS = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}
for op, fn in REDUCTIONS.items():
    for shape, axes in REDUCE:
        for keep in (False, True):
            case(op, lambda x: fn(x, dim=axes, keepdim=keep), randn(*shape), axes=axes, keepDims=keep)
    case(op, lambda x: fn(x, dim=[0]), X(randn(1, 3), ["rows", 3]), axes=[0], keepDims=False, names={"rows": 1}, note="a name that is 1")
    case(op, lambda x: fn(x, dim=[1]), randn(0, 3), axes=[1], keepDims=False, note="no rows")
case("sum", lambda x: x.sum(dim=[0]), randn(0, 3), axes=[0], keepDims=False, note="of nothing")
case("sum", lambda x: x.sum(dim=[1]), ints(9, 2, 3), axes=[1], keepDims=False, note="i64")
case("max", lambda x: torch.amax(x, dim=[1]), vec(1, 3, 3, -2, -2, -2).reshape(2, 3), axes=[1], keepDims=False, note="ties")
case("max", lambda x: torch.amax(x, dim=[0, 1], keepdim=True), vec(5, 3, 5, -2, 5, -2).reshape(2, 3), axes=[0, 1], keepDims=True, note="ties over two axes")
case("max", lambda x: torch.amax(x, dim=[0]), ints(9, 4, 2), axes=[0], keepDims=False, note="i64")
for shape, axis in [((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1)]:
    for keep in (False, True): case("argMax", lambda x: x.argmax(dim=axis, keepdim=keep), X(randn(*shape), grad=False), axis=axis, keepDims=keep)
case("argMax", lambda x: torch.tensor([1, 0, 0]), X(vec(1, 3, 3, -2, -2, -2, 0, 0, 0).reshape(3, 3), grad=False), axis=1, keepDims=False, note="the first of equals")
for shape, axis in [((5,), 0), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1), ((0, 3), 0)]:
    for reverse in (False, True):
        case("cumSum", lambda x: x.flip(axis).cumsum(axis).flip(axis) if reverse else x.cumsum(axis), randn(*shape), axis=axis, reverse=reverse)
case("cumSum", lambda x: x.cumsum(1), ints(9, 2, 4), axis=1, reverse=False, note="i64")

# ---- products
MATMUL = [((3, 4), (4, 5), ""), ((1, 4), (4, 5), "one row"), ((3, 1), (1, 5), "inner 1"), ((2, 3, 4), (4, 5), "batch times matrix"),
          ((2, 3, 4), (2, 4, 5), "batches"), ((3, 4), (2, 4, 5), "matrix times batch"), ((2, 1, 3, 4), (1, 5, 4, 2), "batches both ways"),
          ((2, 3, 3, 4), (4, 5), "two batch axes"), ((2, 2, 3, 4), (2, 4, 5), "fewer batch axes"), ((1, 3, 4), (2, 4, 5), "batch of 1"),
          ((0, 4), (4, 5), "no rows"), ((3, 0), (0, 5), "inner 0")]
for a, b, note in MATMUL:
    for ta in (False, True):
        for tb in (False, True):
            alpha = 0.5 if ta != tb else 1
            sa = (*a[:-2], a[-1], a[-2]) if ta else a
            sb = (*b[:-2], b[-1], b[-2]) if tb else b
            case("matmul", lambda p, q: alpha * torch.matmul(p.mT if ta else p, q.mT if tb else q), randn(*sa), randn(*sb), transA=ta, transB=tb, alpha=alpha, note=note)
case("matmul", torch.matmul, half(randn(3, 4)), half(randn(4, 2)), transA=False, transB=False, alpha=1, note="f16")
case("matmul", lambda p, q: p @ q.mT, half(randn(3, 4)), half(randn(2, 4)), transA=False, transB=True, alpha=1, note="f16")
CONV = [dict(), dict(padding=2), dict(stride=2), dict(stride=3, padding=1), dict(dilation=2, padding=2), dict(stride=2, dilation=3, padding=4),
        dict(groups=2), dict(groups=2, stride=2, padding=1), dict(groups=4, padding=1), dict(stride=5), dict(padding=5)]
for o in CONV:
    o = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **o}
    for rows, time, kernel in ((2, 11, 3), (1, 8, 2)):
        x, w = randn(rows, 4, time), randn(8, 4 // o["groups"], kernel)
        case("conv1d", lambda p, q: F.conv1d(p, q, **o), X(x, ["rows", 4, "time"]), X(w, list(w.shape)), names={"rows": rows, "time": time}, **o)
        w = randn(4, 6 // min(o["groups"], 2), kernel)
        if o["stride"] * (time - 1) + o["dilation"] * (kernel - 1) + 1 > 2 * o["padding"]:
            case("convTranspose1d", lambda p, q: F.conv_transpose1d(p, q, **o), X(x, ["rows", 4, "time"]), X(w, list(w.shape)), names={"rows": rows, "time": time}, outputPadding=0, **o)
one = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
case("conv1d", lambda p, q: F.conv1d(p, q), X(randn(2, 3, 4), ["rows", 3, 4]), X(randn(5, 3, 1), [5, 3, 1]), names={"rows": 2}, note="kernel of 1", **one)
case("conv1d", lambda p, q: F.conv1d(p, q), X(randn(2, 3, 4), ["rows", 3, 4]), X(randn(5, 3, 4), [5, 3, 4]), names={"rows": 2}, note="kernel as long as the time", **one)
deep = {**one, "groups": 6, "padding": 2}
case("conv1d", lambda p, q: F.conv1d(p, q, **deep), X(randn(2, 6, 9), ["rows", 6, "time"]), X(randn(6, 1, 5), [6, 1, 5]), names={"rows": 2, "time": 9}, note="depthwise", **deep)
for extra, o in ((1, dict(stride=2)), (2, dict(stride=3, padding=1)), (1, dict(stride=1, dilation=2)), (2, dict(stride=2, dilation=3))):
    o = {**one, **o}
    case("convTranspose1d", lambda p, q: F.conv_transpose1d(p, q, output_padding=extra, **o), X(randn(2, 4, 5), ["rows", 4, "time"]), X(randn(4, 3, 3), [4, 3, 3]),
         names={"rows": 2, "time": 5}, outputPadding=extra, note="output padding", **o)

# ---- normalisation, probability, position
for shape, axis in [((3, 4), -1), ((3, 4), 0), ((2, 3, 4), 1), ((5,), 0), ((3, 1), 1), ((0, 4), 1)]:
    case("softmax", lambda x: x.softmax(axis), randn(*shape), axis=axis)
    case("softmaxGrad", lambda d, y: torch.autograd.grad(s := (z := y.log().detach().requires_grad_()).softmax(axis), z, d)[0].detach() if y.numel() else y.detach(),
         X(randn(*shape), grad=False), X(f64(randn(*shape).softmax(axis)), grad=False), axis=axis)
    case("logSoftmax", lambda x: x.log_softmax(axis), randn(*shape), axis=axis)
for op, fn in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
    case(op, lambda x: fn(x, -1), vec(1000, 999, -1000, 0, 0, 0).reshape(2, 3), axis=-1, note="large")
case("softmax", lambda x: x.softmax(-1), vec(1, 2, -1e9, -1e9, 0.5, -1e9).reshape(2, 3), axis=-1, note="masked by -1e9")


def cross_entropy(ignore): return lambda x, t: F.cross_entropy(x, t, reduction="none", ignore_index=ignore)
def cross_entropy_grad(ignore):
    def fn(x, t, d):
        z = x.detach().requires_grad_()
        return torch.autograd.grad(cross_entropy(ignore)(z, t), z, d)[0]
    return fn


for x, t, ignore, note in [(randn(4, 5), whole(0, 4, 2, 2), -100, ""), (randn(4, 5), whole(-100, 4, -100, 2), -100, "ignored rows"),
                           (randn(3, 5), whole(-100, -100, -100), -100, "all ignored"), (randn(3, 5), whole(0, 1, 0), 0, "a class is ignored"),
                           (randn(1, 5), whole(3), -100, "one row"), (randn(3, 2) * 300, whole(0, 1, 1), -100, "large"),
                           (randn(3, 1), whole(0, 0, -100), -100, "one class"), (randn(3, 5), whole(1, -1, 2), -1, "ignore -1"),
                           (randn(0, 5), ints(5, 0), -100, "no rows")]:
    case("softmaxCrossEntropy", cross_entropy(ignore), x, t, ignoreIndex=ignore, note=note)
    case("softmaxCrossEntropyGrad", cross_entropy_grad(ignore), X(x, grad=False), t, X(randn(*t.shape), grad=False), ignoreIndex=ignore, note=note)
rms = lambda x, eps: (x.square().mean(-1, keepdim=True) + eps).rsqrt()
spread = lambda x, eps: (x.var(-1, unbiased=False, keepdim=True) + eps).rsqrt()
for x, eps, note in [(randn(3, 8), 1e-5, ""), (randn(2, 3, 8), 1e-6, "three axes"), (randn(2, 2, 3, 4), 1e-5, "four axes"), (randn(1, 6), 1e-12, "one row, tiny epsilon"),
                     (randn(3, 8) * 0.01, 1e-2, "large epsilon"), (randn(3, 8) * 50 + 20, 1e-5, "far from 0"), (randn(0, 8), 1e-5, "no rows"),
                     (f64(torch.zeros(2, 4, dtype=torch.float64)), 1e-5, "zeros"), (randn(6), 1e-5, "one axis")]:
    w, b = randn(x.shape[-1]), randn(x.shape[-1])
    case("layerNorm", lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b, eps), x, w, b, epsilon=eps, note=note)
    case("rmsNorm", lambda x, w: x * rms(x, eps) * w, x, w, epsilon=eps, note=note)
    plain = lambda *t: [X(v, grad=False) for v in t]
    case("layerNormStatistic", lambda x, w, b: x.mean(-1, keepdim=True), *plain(x, w, b), epsilon=eps, which="mean", note=note)
    case("layerNormStatistic", lambda x, w, b: spread(x, eps), *plain(x, w, b), epsilon=eps, which="invStd", note=note)
    case("rmsNormInvRms", lambda x, w: rms(x, eps), *plain(x, w), epsilon=eps, note=note)


def rotate(heads, inverse):
    def fn(x, c, s):
        v = x.reshape(x.shape[0], heads, 2 * c.shape[1])
        a, b = v.chunk(2, -1)
        c, s = c[:, None], (-s if inverse else s)[:, None]
        return torch.cat([a * c - b * s, b * c + a * s], -1).reshape(x.shape)
    return fn


for tokens, heads, width in [(5, 1, 4), (3, 2, 8), (1, 3, 2), (4, 4, 16), (0, 2, 4)]:
    angle = randn(tokens, width // 2)
    for inverse in (False, True):
        case("rotary", rotate(heads, inverse), X(randn(tokens, heads * width), ["tokens", heads * width]), X(f64(angle.cos()), ["tokens", width // 2], grad=False),
             X(f64(angle.sin()), ["tokens", width // 2], grad=False), names={"tokens": tokens}, heads=heads, inverse=inverse)

# each row of x counts at one place; elsewhere (more places than rows) the gradient that comes in is zero, as the op asks
chosen = lambda x, i, inverse: x.index_select(0, i)
case("takeRows", chosen, randn(5, 3), whole(3, 0, 4, 1, 2), whole(1, 3, 4, 0, 2), names={})
places = f64(torch.zeros(6, 2, dtype=torch.float64)); places[whole(4, 0, 3)] = torch.randn(3, 2, generator=g, dtype=torch.float64)
case("takeRows", chosen, randn(3, 2), whole(1, 0, 2, 2, 0, 0), whole(4, 0, 3), dy=places, note="more places than rows")
case("takeRows", chosen, randn(1, 2, 4), whole(0), whole(0), note="one row of two axes")


def blocks(w, bits, size):
    """onnxruntime's symmetric blocks along the rows of w: (integers, two to a byte where 4 bits, the low half first; scales)"""
    n, k = w.shape
    b = F.pad(w, (0, -k % size)).reshape(n, -1, size)
    extreme = b.gather(-1, b.abs().argmax(-1, keepdim=True))
    scales = f64(extreme / -(2 ** (bits - 1)))
    q = (b / torch.where(scales == 0, 1.0, scales) + 2 ** (bits - 1) + 0.5).floor().clamp(0, 2 ** bits - 1).to(torch.uint8)
    return (q if bits == 8 else q[..., ::2] | q[..., 1::2] << 4), scales[..., 0]


def unblock(q, scales, bits, k):
    v = q if bits == 8 else torch.stack([q & 15, q >> 4], -1).flatten(-2)
    return ((v.double() - 2 ** (bits - 1)) * scales[..., None]).flatten(1)[:, :k]


def rounded(x, size):
    """x in blocks of 8-bit integers, the largest of a block being 127: int8 arithmetic's view of it"""
    k = x.shape[-1]
    b = F.pad(x, (0, -k % size)).reshape(*x.shape[:-1], -(-k // size), size)
    scale = f64(b.abs().amax(-1, keepdim=True) / 127)
    return ((b / torch.where(scale == 0, 1.0, scale)).round() * scale).flatten(-2)[..., :k]


class NBits(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, back, size):
        ctx.back, ctx.size = back, size
        return rounded(x, size) @ w.T
    @staticmethod
    def backward(ctx, dy):
        back = ctx.back
        return (rounded(dy, ctx.size) @ back[1].T if back[0] else dy @ back[1]), None, None, None


fixed = lambda t: X(t, list(t.shape), grad=False)
for bits in (8, 4):
    for n, k, size, rows, note in [(48, 64, 32, (5,), ""), (40, 96, 32, (1,), "one row"), (72, 64, 64, (2, 3), "batch axes"), (64, 80, 32, (4,), "a short last block"),
                                   (33, 130, 128, (7,), "odd sizes"), (16, 256, 256, (3,), "one block"), (40, 64, 16, (3,), "blocks of 16"), (32, 32, 32, (0,), "no rows")]:
        w = randn(n, k); w[0] = 0
        q, s = blocks(w, bits, size); qt, st = blocks(w.T.contiguous(), bits, size)
        whole_w, turned = unblock(q, s, bits, k), unblock(qt, st, bits, n)
        x = X(randn(*rows, k), [*(f"n{r}" if r != 1 else 1 for r in rows), k])
        names = {f"n{r}": r for r in rows if r != 1}
        attrs = dict(bits=bits, blockSize=size, n=n, k=k, names=names, note=note)
        case("matMulNBits", lambda x, *_: NBits.apply(x, whole_w, (False, whole_w), size), x, fixed(q), fixed(s), **attrs)
        case("matMulNBits", lambda x, *_: NBits.apply(x, whole_w, (True, turned), size), x, *map(fixed, (q, s, qt, st)), **{**attrs, "note": f"transposed, {note}"})
        case("dequantizeNBits", lambda q, s: whole_w, fixed(q), fixed(s), bits=bits, blockSize=size, n=n, k=k, note=note)

for recompute in (True, False):
    case("checkpoint", lambda x: x * 1, randn(3, 2), recompute=recompute)
case("after", lambda x, *_: x * 1, fixed(randn(3, 2)), fixed(randn(5)), fixed(randn()))
case("after", lambda x, *_: x * 1, fixed(randn(0, 2)), fixed(randn(0, 4)), note="nothing")


def int8_rows(w):  # [n, k] -> integers [k, n], a scale a row
    s = (w.abs().amax(1) / 127).float()
    q = (w / torch.where(s == 0, 1.0, s)[:, None]).round().clamp(-127, 127)
    return q.T.contiguous().to(torch.int8), s


def in_range(x):
    """What onnxruntime's DynamicQuantizeMatMul makes of rows that were divided by their largest value."""
    if x.numel() == 0: return x
    x = x.float()
    top = x.abs().amax(-1, keepdim=True).clamp_min(2 ** -100)
    one = x / top
    low, high = one.min().clamp_max(0), one.max().clamp_min(0)
    step = (high - low) / 255 if high > low else torch.tensor(1.0)
    zero = (-low / step).round()
    return ((((one / step).round() + zero).clamp(0, 255) - zero) * step * top).double()


class Int8(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, turned):
        ctx.w, ctx.turned = w, turned
        return in_range(x) @ w.T
    @staticmethod
    def backward(ctx, dy):
        return (dy @ ctx.w if ctx.turned is None else in_range(dy) @ ctx.turned.T), None, None


for n, k, rows, note in [(48, 64, (5,), ""), (40, 96, (1,), "one row"), (72, 64, (2, 3), "batch axes"), (33, 130, (7,), "odd sizes"), (200, 16, (70,), "many rows"), (32, 32, (0,), "no rows")]:
    w = randn(n, k); w[0] = 0
    q, s = int8_rows(w); qt, st = int8_rows(w.T.contiguous())
    whole_w, turned = (q.double() * s.double()).T, (qt.double() * st.double()).T
    value = randn(*rows, k)
    if rows == (5,): value[1] = 0
    x = X(value, [*(f"n{r}" if r != 1 else 1 for r in rows), k])
    attrs = dict(n=n, k=k, names={f"n{r}": r for r in rows if r != 1}, note=note)
    case("matMulInt8", lambda x, *_: Int8.apply(x, whole_w, None), x, fixed(q), fixed(s), **attrs)
    case("matMulInt8", lambda x, *_: Int8.apply(x, whole_w, turned), x, *map(fixed, (q, s, qt, st)), **{**attrs, "note": f"transposed, {note}"})

save_file(tensors, out / "ops.safetensors")
(out / "ops.json").write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
print(len(cases), "cases of", len({c["op"] for c in cases}), "ops")
