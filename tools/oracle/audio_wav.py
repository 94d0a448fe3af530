"""Fixtures for packages/audio-features: WAV files of every kind from libsndfile, with libsndfile's own decoding, and soxr's resampling.

usage: python tools/oracle/audio_wav.py   (needs numpy, soundfile, soxr and espeak-ng; writes packages/audio-features/test/fixtures/)
"""
import json
import pathlib
import subprocess

import numpy as np
import soundfile as sf
import soxr

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/audio-features/test/fixtures"
rng = np.random.default_rng(7)

(OUT / "wav").mkdir(parents=True, exist_ok=True)
t = np.arange(400) / 16000
stereo = np.stack([0.8 * np.sin(2 * np.pi * 440 * t), 0.3 * rng.standard_normal(400).clip(-3, 3)], 1)
index = []
for container, subtype, channels in [
    ("WAV", "PCM_U8", 1), ("WAV", "PCM_16", 1), ("WAV", "PCM_16", 2), ("WAV", "PCM_24", 2), ("WAV", "PCM_32", 1), ("WAV", "FLOAT", 2),
    ("WAV", "DOUBLE", 1), ("WAV", "ALAW", 1), ("WAV", "ULAW", 2), ("WAVEX", "PCM_16", 6), ("WAVEX", "PCM_24", 1), ("RF64", "PCM_16", 2),
    ("WAVEX", "FLOAT", 2), ("RF64", "FLOAT", 1),
]:
    data = np.stack([stereo[:, c % 2] * (1 - 0.1 * c) for c in range(channels)], 1)
    name = f"{container}-{subtype}-{channels}".lower()
    sf.write(OUT / "wav" / f"{name}.wav", data, 16000, subtype=subtype, format=container)
    got, rate = sf.read(OUT / "wav" / f"{name}.wav", dtype="float32", always_2d=True)
    got.T.astype("<f4").tofile(OUT / "wav" / f"{name}.f32")
    index.append({"name": name, "channels": channels, "frames": len(got), "sampleRate": rate})
(OUT / "wav" / "index.json").write_text(json.dumps(index, indent=1) + "\n")

(OUT / "resample").mkdir(exist_ok=True)
index = []
later = np.random.default_rng(12345)  # rates added later have their own, so that those before keep their numbers
for rate in [8000, 11025, 22050, 32000, 44100, 48000, 96000, 12000, 12345, 15999]:
    x = (0.25 * (later if len(index) > 6 else rng).standard_normal(int(rate * 0.12))).clip(-1, 1).astype(np.float32)
    q = np.round(x * 32767).astype("<i2")  # stored small, and exact
    q.tofile(OUT / "resample" / f"{rate}.s16")
    x = q.astype(np.float32) / 32768
    for quality in ["HQ", "VHQ"]:
        y = soxr.resample(x.astype(np.float64), rate, 16000, quality)
        y.astype("<f4").tofile(OUT / "resample" / f"{rate}-{quality}.f32")
    index.append({"rate": rate, "length": len(x), "out": len(y)})
(OUT / "resample" / "index.json").write_text(json.dumps(index, indent=1) + "\n")
subprocess.run(["espeak-ng", "-v", "en-us", "-w", "/tmp/oracle-speech.wav", "She sat."], check=True)
speech, rate = sf.read("/tmp/oracle-speech.wav")
index = []
for target in [22050, 44100]:
    x = soxr.resample(speech[: int(0.7 * rate)], rate, target, "VHQ")
    x = 0.5 * x / np.abs(x).max() + 0.001 * rng.standard_normal(len(x))  # a microphone's noise up to the last hertz
    q = np.round(x * 32767).astype("<i2")
    q.tofile(OUT / "resample" / f"speech-{target}.s16")
    for quality in ["HQ", "VHQ"]:
        soxr.resample(q / 32768, target, 16000, quality).astype("<f4").tofile(OUT / "resample" / f"speech-{target}-{quality}.f32")
    index.append({"rate": target})
(OUT / "resample" / "speech.json").write_text(json.dumps(index, indent=1) + "\n")
print("soxr", soxr.__version__, "libsndfile", sf.__libsndfile_version__)
