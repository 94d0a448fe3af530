"""A fixture of eGeMAPSv02 from the opensmile package (a black box; its licence bars its code, not its numbers), and the comparison on many clips.

    python tools/oracle/egemaps.py fixture packages/audio-features/test/fixtures/spectral.safetensors OUT.safetensors
    python tools/oracle/egemaps.py compare OURS.safetensors CLIP.wav...

`fixture` measures the 16 kHz signal of the other fixture. `compare` reads what
`emosllm features extract CLIP.wav... --features egemaps --out OURS.safetensors` wrote and prints a line of JSON per functional:
Spearman's correlation over the clips. `speech_clips.py` makes the clips. Needs numpy, scipy, safetensors, soundfile, opensmile.
"""

import json
import os
import sys

import numpy as np
import opensmile
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def smile(level) -> opensmile.Smile:
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level)


def fixture(source: str, out: str) -> None:
    x = load_file(source)["signal16k"].astype(np.float32) / 32768
    lld = smile(opensmile.FeatureLevel.LowLevelDescriptors).process_signal(x, 16000)
    functionals = smile(opensmile.FeatureLevel.Functionals).process_signal(x, 16000)
    tensors = {"lld": lld, "functionals": functionals}
    save_file({k: np.ascontiguousarray(v.to_numpy(np.float32)) for k, v in tensors.items()}, out)


def compare(ours: str, clips: list[str]) -> None:
    import soundfile
    from scipy.stats import spearmanr

    extractor = smile(opensmile.FeatureLevel.Functionals)
    theirs = np.concatenate([extractor.process_signal(*soundfile.read(clip, dtype="float32")).to_numpy() for clip in clips])
    with safe_open(ours, "np") as file:
        names = json.loads(file.metadata()["feature_names"])
        mine = np.concatenate([file.get_tensor(os.path.basename(clip)) for clip in clips])
    correlations = np.array([spearmanr(mine[:, k], theirs[:, k])[0] for k in range(len(names))])
    for name, r, a, b in zip(names, correlations, np.median(mine, 0), np.median(theirs, 0)):
        print(json.dumps({"functional": name, "spearman": round(float(r), 4), "median": float(a), "reference_median": float(b)}))
    summary = {"clips": len(clips), "median": float(np.median(correlations)), "at_least_0.85": int((correlations >= 0.85).sum())}
    print(json.dumps(summary))


if sys.argv[1] == "fixture":
    fixture(*sys.argv[2:4])
else:
    compare(sys.argv[2], sys.argv[3:])
