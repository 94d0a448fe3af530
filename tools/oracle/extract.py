"""What `emosllm features extract` writes, against libsndfile + soxr, transformers, torchaudio, librosa and openSMILE on sound nobody has seen.

    python tools/oracle/extract.py make FOLDER [SEED]
    python tools/oracle/extract.py run FOLDER COMMAND...      e.g. npm run -s emosllm --
    python tools/oracle/extract.py compare FOLDER

`make` writes speech-like sound at many rates, channel counts, sample formats and odd lengths. `run` calls COMMAND features extract for each
kind and several settings. `compare` prints a line of JSON per check and exits 1 when one falls short. The waveform is compared with the
mean of the channels through soxr HQ below 7 kHz; every other feature with its reference computed from our own waveform. Needs numpy, scipy, soundfile, soxr,
safetensors, torch, transformers, librosa, opensmile, and torchaudio (its source file is enough: TORCHAUDIO=folder holding it).
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import soundfile
from safetensors import safe_open

RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000]
SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"]
RUNS = {
    "waveform": [{}],
    "whisper-log-mel": [{}, {"melBins": 128}, {"padSeconds": None}],
    "kaldi-fbank": [{}, {"numMelBins": 80}, {"numMelBins": 40, "windowType": "hanning", "snipEdges": False, "useEnergy": True, "frameShift": 7.5}],
    "librosa-mel": [{}, {"nFft": 400, "hopLength": 160, "nMels": 64, "htk": True, "center": False}],
    "librosa-mfcc": [{}, {"nMfcc": 13, "nFft": 400, "hopLength": 160, "nMels": 40, "lifter": 22}],
    "f0": [{}],
    "egemaps-lld": [{}],
    "egemaps": [{}],
}  # fmt: skip


def voice(rate: int, n: int, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(n) / rate
    hz = rng.uniform(90, 260) * 2 ** (0.3 * np.sin(2 * np.pi * rng.uniform(0.4, 1.5) * t + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(hz) / rate
    formant = rng.uniform(400, 900)
    x = sum(np.cos(h * phase) / h * (1 + 2 * np.exp(-(((h * hz - formant) / 200) ** 2))) for h in range(1, 12))
    x *= np.clip(np.sin(2 * np.pi * rng.uniform(1.5, 3) * t), 0, None)
    return 0.3 * x / np.max(np.abs(x))


def make(folder: pathlib.Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)

    def sound(rate: int, channels: int) -> np.ndarray:
        # one voice at another level in each channel, and each channel's own noise: the mean still has one pitch
        n = int(rate * rng.uniform(0.4, 2.5)) | 1
        x = voice(rate, n, rng)
        return np.stack([x * rng.uniform(0.3, 1) + 0.003 * rng.standard_normal(n) for _ in range(channels)], axis=1)

    for i, (rate, subtype) in enumerate(zip(RATES, rng.permutation(SUBTYPES))):
        channels = i + 1
        soundfile.write(folder / f"wav-{rate}-{subtype}-{channels}.wav", sound(rate, channels), rate, str(subtype), format="WAV")
    for rate, subtype in zip(rng.permutation(RATES), ["PCM_16", "PCM_24", "FLOAT"]):
        soundfile.write(folder / f"rf64-{rate}-{subtype}.wav", sound(rate, 2), int(rate), subtype, format="RF64")
        soundfile.write(folder / f"ex-{rate}-{subtype}.wav", sound(rate, 3), int(rate), subtype, format="WAVEX")
    for rate, subtype in zip(rng.permutation(RATES), ["PCM_16", "PCM_24"]):
        soundfile.write(folder / f"flac-{rate}-{subtype}.flac", sound(rate, 2), int(rate), subtype)
    odd = int(rng.integers(7000, 50000))
    soundfile.write(folder / f"odd-{odd}.wav", sound(odd, 1), odd, "PCM_24")
    whole = folder / "cut-44100.wav"
    soundfile.write(whole, sound(44100, 2), 44100, "PCM_16", format="WAV")
    whole.write_bytes(whole.read_bytes()[: -4 * int(rng.integers(100, 5000)) - 1])


def run(folder: pathlib.Path, command: list[str]) -> None:
    files = sorted(str(p) for p in folder.iterdir() if p.suffix in (".wav", ".flac"))
    rounded = folder / "rounded"
    for kind, variants in RUNS.items():
        for i, settings in enumerate(variants):
            extra = ["--settings", json.dumps(settings)] if settings else []
            inputs = [str(rounded / pathlib.Path(f).name) for f in files] if kind.startswith("egemaps") else files
            subprocess.run([*command, "features", "extract", *inputs, "--features", kind, *extra, "--out", str(folder / f"{kind}-{i}.safetensors")], check=True)
        if kind == "waveform":
            # openSMILE rounds to 16 bits, which fills the empty bands of upsampled sound with noise: it and ours get the same rounded sound
            rounded.mkdir(exist_ok=True)
            with safe_open(folder / "waveform-0.safetensors", "np") as wave:
                for name in wave.keys():
                    soundfile.write(rounded / name, wave.get_tensor(name), 16000, "PCM_16", format="WAV")


def below_7k(ours: np.ndarray, reference: np.ndarray) -> float:
    """dB of the difference below 7 kHz, re the reference. The ends of a clip are left out: soxr fades there by its own rule."""
    edge = min(400, len(reference) // 8)
    window = np.zeros(len(reference))
    window[edge:-edge] = np.hanning(len(reference) - 2 * edge)
    a, b = (np.abs(np.fft.rfft(v * window))[: int(7000 / 8000 * (len(v) // 2))] ** 2 for v in (ours - reference, reference))
    return 10 * np.log10(a.sum() / b.sum() + 1e-30)


def references(kind: str, settings: dict, x: np.ndarray) -> np.ndarray | None:
    import librosa
    import torch

    from features import kaldi_module

    if kind == "whisper-log-mel":
        from transformers import WhisperFeatureExtractor

        pad = settings.get("padSeconds", 30) is not None
        extractor = WhisperFeatureExtractor(feature_size=settings.get("melBins", 80))
        return extractor(x, sampling_rate=16000, padding="max_length" if pad else False, truncation=pad, return_tensors="np")["input_features"][0].T
    if kind == "kaldi-fbank":
        names = {"numMelBins": "num_mel_bins", "windowType": "window_type", "snipEdges": "snip_edges", "useEnergy": "use_energy", "frameShift": "frame_shift"}
        return kaldi_module().fbank(torch.from_numpy(x)[None], sample_frequency=16000.0, **{names[k]: v for k, v in settings.items()}).numpy()
    names = {"nFft": "n_fft", "hopLength": "hop_length", "nMels": "n_mels", "nMfcc": "n_mfcc"}
    options = {names.get(k, k): v for k, v in settings.items()}
    if kind == "librosa-mel":
        return librosa.feature.melspectrogram(y=x, sr=16000, **options).T
    if kind == "librosa-mfcc":
        return librosa.feature.mfcc(y=x, sr=16000, **options).T
    return None


def compare(folder: pathlib.Path) -> None:
    import opensmile
    import soxr
    from scipy.stats import spearmanr

    failed = 0

    def say(what: str, ok: bool, **values: object) -> None:
        nonlocal failed
        failed += not ok
        print(json.dumps({"check": what, **values, "ok": bool(ok)}))

    wave = safe_open(folder / "waveform-0.safetensors", "np")
    inputs = sorted(wave.keys())
    say("one tensor per file", inputs == sorted(p.name for p in folder.iterdir() if p.suffix in (".wav", ".flac")), tensors=len(inputs))
    clips = {}
    for name in inputs:
        clips[name] = wave.get_tensor(name)[:, 0]
        x, rate = soundfile.read(folder / name, always_2d=True)
        reference = x.mean(axis=1)
        if rate != 16000:
            reference = soxr.resample(reference, rate, 16000, "HQ")
        n = min(len(reference), len(clips[name]))
        db = below_7k(clips[name][:n].astype(float), reference[:n])
        say(f"waveform {name}", db <= -90 and abs(len(reference) - len(clips[name])) <= 1, db=round(db, 1), samples=[len(clips[name]), len(reference)])
    for kind, variants in RUNS.items():
        for i, settings in enumerate(variants):
            file = safe_open(folder / f"{kind}-{i}.safetensors", "np")
            metadata = file.metadata()
            names, times = json.loads(metadata["feature_names"]), json.loads(metadata["times"])
            described = sorted(times) == inputs and all(
                file.get_tensor(k).shape[1] == len(names) and abs(times[k]["duration_seconds"] - len(clips[k]) / 16000) < 1e-9 for k in inputs
            )
            say(f"{kind} {settings}: names and times", described and metadata["features"] == kind, features=len(names))
            if kind in ("waveform", "f0", "egemaps", "egemaps-lld"):
                continue
            worst, shapes = 0.0, True
            for k in inputs:
                reference, ours = references(kind, settings, clips[k]), file.get_tensor(k)
                shapes &= ours.shape == reference.shape
                if ours.shape == reference.shape:
                    worst = max(worst, float(np.abs(ours - reference).max() / max(1, np.abs(reference).max())))
            say(f"{kind} {settings}", shapes and worst <= 1e-4, error=worst)
    levels = opensmile.FeatureLevel
    lld, functionals, f0 = (safe_open(folder / f"{k}-0.safetensors", "np") for k in ("egemaps-lld", "egemaps", "f0"))
    smile = {level: opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level) for level in (levels.LowLevelDescriptors, levels.Functionals)}
    # openSMILE frames: their counts differ by what it drops at the end of a clip
    columns: dict[str, list[np.ndarray]] = {}
    pairs, gross, both = [], 0, 0
    for k in inputs:
        rounded = soundfile.read(folder / "rounded" / k, dtype="float32")[0]
        theirs = smile[levels.LowLevelDescriptors].process_signal(rounded, 16000)
        names = json.loads(lld.metadata()["feature_names"])
        say(f"egemaps-lld {k}: columns", names == list(theirs.columns), frames=[len(lld.get_tensor(k)), len(theirs)])
        n = min(len(theirs), len(lld.get_tensor(k)))
        for c, column in enumerate(names[:10]):
            columns.setdefault(column, []).append(np.stack([lld.get_tensor(k)[:n, c], theirs[column].to_numpy()[:n]]))
        a, b = lld.get_tensor(k)[:n, 10], theirs[names[10]].to_numpy()[:n]
        sure = (a > 0) & (b > 0)
        both += sure.sum()
        gross += (np.abs(a - b)[sure] > 12 * np.log2(1.2)).sum()
        pairs.append((functionals.get_tensor(k)[0], smile[levels.Functionals].process_signal(rounded, 16000)))
    for column, parts in columns.items():
        a, b = np.concatenate(parts, axis=1)
        say(f"egemaps-lld {column}", np.corrcoef(a, b)[0, 1] >= 0.999, pearson=float(np.corrcoef(a, b)[0, 1]))
    say("egemaps-lld F0: gross differences", gross <= 0.02 * both, share=float(gross / both))
    say("egemaps: names", json.loads(functionals.metadata()["feature_names"]) == list(pairs[0][1].columns))
    rho = [spearmanr([p[0][c] for p in pairs], [p[1].iloc[0, c] for p in pairs])[0] for c in range(88)]
    say("egemaps: median Spearman over these few clips", np.nanmedian(rho) >= 0.9, median=float(np.nanmedian(rho)))
    for k in inputs[:4]:
        import librosa

        mine = f0.get_tensor(k)[:, 0]
        pyin = np.nan_to_num(librosa.pyin(clips[k], fmin=60, fmax=500, sr=16000, hop_length=160)[0])
        n = min(len(mine), len(pyin))
        sure = (mine[:n] > 0) & (pyin[:n] > 0)
        share = float(np.mean(np.abs(mine[:n][sure] / pyin[:n][sure] - 1) > 0.2)) if sure.any() else 0.0
        say(f"f0 {k}: gross differences from pYIN", share <= 0.02, share=share, frames=int(sure.sum()))
    sys.exit(1 if failed else 0)


if len(sys.argv) < 3 or sys.argv[1] not in ("make", "run", "compare"):
    sys.exit(__doc__)
folder = pathlib.Path(sys.argv[2])
if sys.argv[1] == "make":
    make(folder, int(sys.argv[3]) if len(sys.argv) > 3 else 0)
elif sys.argv[1] == "run":
    run(folder, sys.argv[3:])
else:
    compare(folder)
