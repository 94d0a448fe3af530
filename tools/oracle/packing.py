"""Fixtures for packing: matrices, what onnxruntime's own quantiser makes of them, and what MatMulNBits computes with that.

    python tools/oracle/packing.py packages/checkpoints/test/fixtures
    python tools/oracle/packing.py verify PACKED.safetensors NAME SOURCE.safetensors [TENSOR ...]

`verify` runs a packed file of ours through onnxruntime: memory-mapped external data, forward and transposed, against numpy.
"""
import hashlib, json, os, struct, sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto, helper
from onnxruntime.capi import _pybind_state as quantisers
from safetensors import safe_open
from safetensors.torch import save_file


def quantise(w, bits, block):
    """w [N, K] float32 -> packed [N, blocks, block * bits / 8], scales [N, blocks], as onnxruntime makes them."""
    n, k = w.shape
    blocks = -(-k // block)
    packed = np.zeros((n, blocks, block * bits // 8), np.uint8)
    scales = np.zeros(n * blocks, np.float32)
    zero_points = np.zeros((n, (blocks * bits + 7) // 8), np.uint8)
    getattr(quantisers, f"quantize_matmul_{bits}bits")(packed, np.ascontiguousarray(w.T), scales, zero_points, block, n, k, True)
    # It leaves the padding behind K as it finds it; ours is the value 0.
    pad = np.zeros((n, blocks * block), bool)
    pad[:, k:] = True
    q = np.stack([packed & 15, packed >> 4], -1).reshape(n, -1) if bits == 4 else packed.reshape(n, -1)
    q = np.where(pad, 1 << bits - 1, q).astype(np.uint8)
    packed = (q[:, 0::2] | q[:, 1::2] << 4 if bits == 4 else q).reshape(packed.shape)
    return packed, scales.reshape(n, blocks)


def matmul(x, packed, scales, k, bits, block, external=None):
    n = packed.shape[0]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, k])]
    node = helper.make_node("MatMulNBits", ["x", "b", "s"], ["y"], domain="com.microsoft", K=k, N=n, bits=bits, block_size=block)
    initializers = []
    for name, array, kind in (("b", packed, TensorProto.UINT8), ("s", scales, TensorProto.FLOAT)):
        tensor = TensorProto(name=name, data_type=kind, dims=array.shape)
        if external:
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in zip(("location", "offset", "length"), external[name]):
                tensor.external_data.add(key=key, value=str(value))
        else:
            tensor.raw_data = array.tobytes()
        initializers.append(tensor)
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, n])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    options = ort.SessionOptions()
    if external:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/")
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def dequantise(packed, scales, k, bits):
    n, blocks, _ = packed.shape
    q = packed.astype(np.int32) if bits == 8 else np.stack([packed & 15, packed >> 4], -1).reshape(n, blocks, -1).astype(np.int32)
    return ((q - (1 << bits - 1)) * scales[..., None]).reshape(n, -1)[:, :k].astype(np.float32)


def fixtures(out):
    g = torch.Generator().manual_seed(5)
    a = torch.randn(70, 200, generator=g)
    a[3] *= 30
    a[5, :40] = 0
    a[6, 10] = 1000.0
    a[8] = torch.linspace(-1, 1, 200)  # equal magnitudes of both signs, and exact halves
    a[9] = torch.arange(200) % 16 - 8.0
    weights = {"bf16": a.to(torch.bfloat16), "f16": (torch.randn(64, 96, generator=g) * 0.02).half(), "f32": torch.randn(33, 130, generator=g) * 1e-3}
    save_file(weights, out / "weights.safetensors", metadata={"format": "pt"})
    expected = {}
    for name, w in weights.items():
        for bits in (4, 8):
            for block in (32, 128):
                for transposed in (False, True):
                    m = w.float().numpy()
                    m = m.T if transposed else m
                    packed, scales = quantise(m, bits, block)
                    x = np.random.default_rng(0).standard_normal((3, m.shape[1])).astype(np.float32)
                    y = matmul(x, packed, scales, m.shape[1], bits, block)
                    error = np.abs(y - x @ dequantise(packed, scales, m.shape[1], bits).T).max() / np.abs(y).max()
                    assert error < 2e-6, (name, bits, block, transposed, error)
                    expected[f"{name} {bits} {block}{' transposed' if transposed else ''}"] = {
                        "shape": list(packed.shape),
                        "packed_sha256": hashlib.sha256(packed.tobytes()).hexdigest(),
                        "scales_sha256": hashlib.sha256((scales + 0.0).tobytes()).hexdigest(),  # + 0.0: no negative zeros
                    }
    (out / "packed.json").write_text(json.dumps(expected, indent=1) + "\n")


def verify(packed_file, name, source_file, tensors):
    with safe_open(source_file, "pt") as f:
        w = torch.cat([f.get_tensor(t).float() for t in tensors]).numpy()
    path = os.path.realpath(packed_file)
    with open(path, "rb") as f:
        length = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(length))
    key = next(m for m in json.loads(header["__metadata__"]["key"])["matrices"] if m["name"] == name)
    for part, m in ((name, w), (f"{name}.transposed", w.T)):
        if f"{part}.packed" not in header:
            continue
        arrays, external = {}, {}
        for short, entry, dtype in (("b", header[f"{part}.packed"], np.uint8), ("s", header[f"{part}.scales"], np.float32)):
            begin, end = entry["data_offsets"]
            external[short] = (os.path.relpath(path, "/"), 8 + length + begin, end - begin)
            arrays[short] = np.memmap(path, dtype, "r", 8 + length + begin, tuple(entry["shape"]))
        x = np.random.default_rng(1).standard_normal((4, m.shape[1])).astype(np.float32)
        y = matmul(x, arrays["b"], arrays["s"], m.shape[1], key["bits"], key["blockSize"], external)
        exact = x @ dequantise(arrays["b"], arrays["s"], m.shape[1], key["bits"]).T
        theirs = quantise(m, key["bits"], key["blockSize"])
        print(json.dumps({"part": part, "bits": key["bits"], "block": key["blockSize"],
                          "matmulnbits_vs_numpy": float(np.abs(y - exact).max() / np.abs(exact).max()),
                          "vs_exact_weights_rms": float(np.sqrt(((y - x @ m.T) ** 2).mean() / ((x @ m.T) ** 2).mean())),
                          "bytes_equal": bool((theirs[0] == arrays["b"]).all() and (theirs[1] == arrays["s"]).all())}))


if sys.argv[1] == "verify":
    verify(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
else:
    fixtures(Path(sys.argv[1]))
