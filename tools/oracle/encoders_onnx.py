"""Tiny speech encoders exported to ONNX as transformers.js wants them: OUT/NAME/{config.json, preprocessor_config.json, onnx/FILE.onnx}.

    python tools/oracle/encoders_onnx.py --models packages/backbones/test/fixtures --out packages/backbones/test/fixtures/onnx

The models are those of models_small.py, so that their golden.safetensors (computed by transformers) is the reference here too.
"""

import argparse
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, WhisperModel

# wavlm-large gives every hidden state, as an export with output_hidden_states does.
NAMES = {"wavlm-large": "model", "hubert-base": "model", "whisper": "encoder_model"}


class States(torch.nn.Module):
    """Only tensors in and out: the last hidden state, and each hidden state where asked for."""

    def __init__(self, model, hidden):
        super().__init__()
        self.model, self.hidden = model, hidden

    def forward(self, values, mask=None):
        given = {} if mask is None else {"attention_mask": mask}
        out = self.model(values, output_hidden_states=self.hidden, return_dict=True, **given)
        return (out.last_hidden_state, *out.hidden_states) if self.hidden else out.last_hidden_state


def export(folder: Path, file: str, out: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    golden = load_file(folder / "golden.safetensors")
    whisper = config["model_type"] == "whisper"
    if whisper:
        model = WhisperModel.from_pretrained(folder, attn_implementation="eager").encoder
        inputs, names = (torch.from_numpy(golden["input_features"]),), ["input_features"]
        axes = {"input_features": {0: "batch"}}
    else:
        model = AutoModel.from_pretrained(folder, attn_implementation="eager")
        waves = torch.from_numpy(golden["waveform"])
        inputs, names = (waves,), ["input_values"]
        axes = {"input_values": {0: "batch", 1: "samples"}}
        if config["feat_extract_norm"] == "layer":
            lengths = torch.from_numpy(golden["lengths"])
            mask = (torch.arange(waves.shape[1])[None] < lengths[:, None]).long()
            inputs, names = (waves, mask), [*names, "attention_mask"]
            axes["attention_mask"] = {0: "batch", 1: "samples"}
    model.eval()
    hidden = config["model_type"] == "wavlm"
    outputs = ["last_hidden_state"] + ([f"hidden_states.{i}" for i in range(config["num_hidden_layers"] + 1)] if hidden else [])
    axes |= {name: {0: "batch", 1: "frames"} for name in outputs}
    (out / "onnx").mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(folder / name, out / name)
    path = out / "onnx" / f"{file}.onnx"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            States(model, hidden).eval(), inputs, path, input_names=names, output_names=outputs,
            dynamic_axes=axes, opset_version=17, dynamo=False,
        )
        # A length that was not traced must come out right too.
        if not whisper:
            short = tuple(x[:1, : x.shape[1] * 2 // 3] for x in inputs)
            ours = onnxruntime.InferenceSession(path).run(None, {n: x.numpy() for n, x in zip(names, short)})[0]
            theirs = States(model, False).eval()(*short).numpy()
            error = np.abs(ours - theirs).max() / np.abs(theirs).max()
            print(folder.name, "another length:", error)
            assert error < 1e-5


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for name, file in NAMES.items():
        export(args.models / name, file, args.out / name)
