"""Fixtures for packages/checkpoints: safetensors and torch .bin files written by their own libraries, and what is in them.

    python tools/oracle/checkpoints.py packages/checkpoints/test/fixtures
"""
import hashlib, io, json, os, pickle, sys, zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
DTYPES = {"bool": torch.bool, "u8": torch.uint8, "i8": torch.int8, "i16": torch.int16, "f16": torch.float16,
          "bf16": torch.bfloat16, "i32": torch.int32, "f32": torch.float32, "f64": torch.float64, "i64": torch.int64}


def every_dtype(seed):
    g = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, dtype in DTYPES.items():
        base = torch.randn(3, 5, generator=g) * 40
        tensors[f"w.{name}"] = (base > 0) if dtype == torch.bool else base.abs().to(dtype) if dtype == torch.uint8 else base.to(dtype)
    tensors["a/é\"\n"] = torch.randn(2, generator=g)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["scalar"] = torch.tensor(1.5)
    return tensors


def described(tensors):
    """Shape, and every value as f32 (exact for each but f64 and i64, which are rounded as a cast rounds)."""
    return {k: {"shape": list(v.shape), "dtype": next(n for n, d in DTYPES.items() if d == v.dtype),
                "f32": v.to(torch.float32).flatten().tolist()} for k, v in tensors.items()}


def bits(values, dtype):
    return hashlib.sha256(values.contiguous().view(dtype).numpy().tobytes()).hexdigest()


expected = {}

# One file of every dtype, byte for byte what the writer must make.
tensors = every_dtype(0)
save_file(tensors, out / "every_dtype.safetensors", metadata={"format": "pt"})
expected["every_dtype"] = described(tensors)

# All 16-bit patterns to f32 (NaN payloads differ between conversions, so NaNs are made equal), and hard roundings back.
patterns = torch.arange(65536, dtype=torch.int32).to(torch.int16)
for name, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16)):
    wide = patterns.view(dtype).float()
    wide[wide.isnan()] = torch.tensor(float("nan"))
    expected[f"{name}_to_f32_sha256"] = bits(wide, torch.int32)
g = torch.Generator().manual_seed(1)
floats = (torch.randn(20000, generator=g, dtype=torch.float64) * torch.exp(torch.randn(20000, generator=g, dtype=torch.float64) * 8)).float()
ties = (torch.arange(0, 4096, dtype=torch.float64) * 2.0 ** -25).float()  # halfway points of f16's subnormals
floats = torch.cat([floats, ties, torch.tensor([65504, 65519.99, 65520, 1e30, -1e30, 0.0, -0.0, 2 ** -14, 2 ** -14 - 2 ** -26])])
(out / "floats.f32").write_bytes(floats.numpy().tobytes())
expected["f32_to_f16_sha256"] = bits(floats.to(torch.float16), torch.int16)
expected["f32_to_bf16_sha256"] = bits(floats.to(torch.bfloat16), torch.int16)

# A sharded checkpoint.
shards = out / "sharded"
shards.mkdir(exist_ok=True)
g = torch.Generator().manual_seed(2)
tensors = {f"layers.{i}.weight": torch.randn(4, 3, generator=g).to(torch.bfloat16) for i in range(4)}
names = list(tensors)
index = {"metadata": {"total_size": 96}, "weight_map": {}}
for i, part in enumerate((names[:2], names[2:])):
    file = f"model-{i + 1:05d}-of-00002.safetensors"
    save_file({n: tensors[n] for n in part}, shards / file, metadata={"format": "pt"})
    index["weight_map"].update({n: file for n in part})
(shards / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
expected["sharded"] = described(tensors)

# torch .bin: a module's own state dictionary (parameters, buffers, `_metadata`), views, shared storages, every dtype.
g = torch.Generator().manual_seed(3)
base = torch.randn(6, 8, generator=g)
half = torch.randn(40, generator=g).half()
module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
tensors = {k: v.detach().clone() for k, v in module.state_dict().items()}
state = module.state_dict()
state.update(every_dtype(4))
state.update({
    "transposed": base.t(), "sliced": base[1:5, 2:7:2], "rows": base[2:4], "same": base, "tied": base,
    "tail": half[17:], "permuted": torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1), "one_row": base.t()[:, :1],
    "parameter": torch.nn.Parameter(torch.randn(2, 2, generator=g)), "empty_view": base[:0].t(),
})
bins = out / "bins"
bins.mkdir(exist_ok=True)
torch.save(state, bins / "views.bin")
torch.save(dict(state), bins / "protocol4.bin", pickle_protocol=4)
expected["views"] = described({k: v.detach() for k, v in state.items()})

# The same archive deflated, as `zip -r` would make it again.
with zipfile.ZipFile(bins / "views.bin") as source, zipfile.ZipFile(bins / "deflated.bin", "w", zipfile.ZIP_DEFLATED) as target:
    for item in source.infolist():
        target.writestr(item.filename, source.read(item))

# A sharded .bin.
shards = out / "sharded-bin"
shards.mkdir(exist_ok=True)
index = {"metadata": {"total_size": 96}, "weight_map": {}}
tensors = {f"layers.{i}.weight": torch.randn(4, 3, generator=g).to(torch.bfloat16) for i in range(4)}
for i, part in enumerate((names[:2], names[2:])):
    file = f"pytorch_model-{i + 1:05d}-of-00002.bin"
    torch.save({n: tensors[n] for n in part}, shards / file)
    index["weight_map"].update({n: file for n in part})
(shards / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
expected["sharded-bin"] = described(tensors)

# What must be refused.


class Attack:
    def __reduce__(self):
        return os.system, ("touch emosllm_was_here",)


torch.save({"a": torch.zeros(1), "x": Attack()}, bins / "attack.bin")
torch.save({"a": torch.zeros(2)}, bins / "legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"a": torch.zeros(1).expand(1000, 1000)}, bins / "expanded.bin")
torch.save({"a": torch.zeros(1), "epoch": 3}, bins / "number.bin")
torch.save([torch.zeros(1)], bins / "list.bin")
torch.save(torch.nn.Linear(2, 2), bins / "module.bin")
torch.save({"a": torch.zeros(2, dtype=torch.complex64)}, bins / "complex.bin")
torch.save({"a": torch.zeros(2).to_sparse()}, bins / "sparse.bin")

(out / "expected.json").write_text(json.dumps(expected) + "\n")
