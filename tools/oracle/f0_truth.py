"""Pitch tracking against synthetic speech whose pitch is known: gross and voicing errors of ours, librosa's pYIN and openSMILE.

    python tools/oracle/f0_truth.py make FOLDER [COUNT [SEED]]
    emosllm features extract FOLDER/*.wav --features f0 --out FOLDER/ours.safetensors
    python tools/oracle/f0_truth.py compare FOLDER

Voiced stretches are glottal pulses (Rosenberg) of a moving pitch through formants that glide between vowels, unvoiced ones shaped noise,
with pauses between them, faint noise under all. Gross error: voiced in truth and answer, off by more than 20 %. Voicing error: share of
frames with the other decision; frames within 20 ms of a change of voicing are left out. Needs numpy, scipy, soundfile, safetensors, librosa, opensmile.
"""

import json
import pathlib
import sys

import numpy as np
import soundfile
from scipy.signal import lfilter

RATE = 16000
VOWELS = [(700, 1200, 2500), (300, 2300, 3000), (500, 1500, 2500), (350, 800, 2400), (450, 1900, 2600)]


def resonate(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Blocks of 10 ms through formants that move; the filters' states carry over."""
    y = x.copy()
    for k, width in enumerate((80, 100, 140)):
        state, out = np.zeros(2), np.empty_like(y)
        for b in range(0, len(y), 160):
            f = centres[min(b, len(centres) - 1), k]
            r = np.exp(-np.pi * width / RATE)
            out[b : b + 160], state = lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * f / RATE), r * r], y[b : b + 160], zi=state)
        y = out
    return y


def clip(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    base = float(np.exp(rng.uniform(np.log(80), np.log(300))))
    sound, pitch = [], []
    for _ in range(8):
        n = int(RATE * rng.uniform(0.12, 0.5))
        kind = rng.choice(["voiced", "voiced", "noise", "pause"])
        f0 = np.zeros(n)
        if kind == "voiced":
            t = np.linspace(0, 1, n)
            f0 = base * 2 ** (rng.uniform(-0.3, 0.3) + rng.uniform(-0.5, 0.5) * t + 0.02 * np.sin(2 * np.pi * rng.uniform(3, 6) * t * n / RATE))
            phase = np.cumsum(f0) / RATE % 1
            glottis = np.where(phase < 0.4, 0.5 * (1 - np.cos(np.pi * phase / 0.4)), np.where(phase < 0.56, np.cos(np.pi / 2 * (phase - 0.4) / 0.16), 0))
            flow = np.diff(glottis, prepend=glottis[0]) + 0.002 * rng.standard_normal(n) * glottis
            a, b = (np.array(VOWELS[int(i)], float) for i in rng.integers(0, len(VOWELS), 2))
            x = resonate(flow, a + (b - a) * t[:, None])
            x *= np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / 160) * rng.uniform(0.3, 1) / np.max(np.abs(x))
        elif kind == "noise":
            x = lfilter([1, -0.95], [1], rng.standard_normal(n)) * rng.uniform(0.02, 0.1)
            x *= np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / 160)
        else:
            x = np.zeros(n)
        sound.append(x)
        pitch.append(f0)
    x = np.concatenate(sound)
    return 0.5 * x / np.max(np.abs(x)) + 10 ** (-60 / 20) * rng.standard_normal(len(x)), np.concatenate(pitch)


def make(folder: pathlib.Path, count: int, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    truth = {}
    for i in range(count):
        x, f0 = clip(rng)
        soundfile.write(folder / f"truth{i:02d}.wav", x, RATE, subtype="PCM_16")
        truth[f"truth{i:02d}.wav"] = f0[::160].round(3).tolist()
    (folder / "truth.json").write_text(json.dumps(truth))


def compare(folder: pathlib.Path) -> None:
    import librosa
    import opensmile
    from safetensors.numpy import load_file

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    ours = load_file(folder / "ours.safetensors")
    tally = {name: np.zeros(5) for name in ("ours", "pyin", "opensmile")}
    for name, f0 in json.loads((folder / "truth.json").read_text()).items():
        truth = np.array(f0)
        x, _ = soundfile.read(folder / name, dtype="float32")
        semitones = smile.process_signal(x, RATE)["F0semitoneFrom27.5Hz_sma3nz"].to_numpy()
        # openSMILE's frame t is centred 30 ms after t * 10 ms
        answers = {
            "ours": ours[name][:, 0],
            "pyin": np.nan_to_num(librosa.pyin(x, fmin=60, fmax=500, sr=RATE, hop_length=160)[0]),
            "opensmile": np.concatenate([np.zeros(3), np.where(semitones > 0, 27.5 * 2 ** (semitones / 12), 0)]),
        }
        changes = np.flatnonzero(np.diff((truth > 0).astype(int)))
        sure = np.array([np.min(np.abs(t - changes - 0.5), initial=99) > 2 for t in range(len(truth))])
        for who, answer in answers.items():
            n = min(len(truth), len(answer))
            t, a, s = truth[:n], answer[:n], sure[:n]
            both = (t > 0) & (a > 0) & s
            error = np.abs(a[both] / t[both] - 1)
            tally[who] += [both.sum(), (error > 0.2).sum(), s.sum(), (((t > 0) != (a > 0)) & s).sum(), error[error <= 0.2].sum()]
    for who, (voiced, gross, frames, voicing, fine) in tally.items():
        print(json.dumps({"tracker": who, "voiced_frames": int(voiced), "gross_error": gross / voiced, "voicing_error": voicing / frames, "mean_fine_error": fine / voiced}))


command, folder, *numbers = sys.argv[1:]
if command == "make":
    clips, seed = [int(v) for v in numbers] + [20, 3][len(numbers) :]
    make(pathlib.Path(folder), clips, seed)
else:
    compare(pathlib.Path(folder))
