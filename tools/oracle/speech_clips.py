"""Makes clips of synthetic speech for comparisons: espeak-ng voices at many pitches, rates, ranges and levels, with faint noise.

    python tools/oracle/speech_clips.py FOLDER [COUNT [SEED]]

Needs espeak-ng, numpy, scipy, soundfile. The same folder comes out each time (16 kHz, mono, 16 bit).
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import soundfile
from scipy.signal import resample_poly

SENTENCES = [
    "The weather was really nice when we left the house this morning.",
    "I can not believe that you did this to me again!",
    "Could you please bring me the blue folder from the kitchen?",
    "No, wait. That is not what I meant, and you know it.",
    "We are going home now, and nobody is going to stop us.",
    "It is raining; the children are tired, and I am hungry.",
    "Why would anyone ever want to live in such a place?",
    "My mother always said that patience is a virtue.",
]
VOICES = ["en-us", "en-gb", "de", "fr-fr", "it", "es", "nl", "sv"]
VARIANTS = ["", "+m1", "+m2", "+m3", "+m4", "+m5", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5", "+croak", "+whisper"]


def clip(i: int, rng: np.random.Generator) -> np.ndarray:
    variant = VARIANTS[int(rng.integers(0, len(VARIANTS) - 2))] if rng.random() > 0.04 else VARIANTS[-2]
    voice = VOICES[int(rng.integers(0, len(VOICES)))] + variant
    pitch, speed, spread = int(rng.integers(10, 95)), int(rng.integers(100, 240)), int(rng.integers(10, 90))
    text = f'<speak><prosody range="{spread}">{SENTENCES[int(rng.integers(0, len(SENTENCES)))]}</prosody></speak>'
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-m", "-v", voice, "-p", str(pitch), "-s", str(speed), "-w", file.name, text], check=True)
        x, rate = soundfile.read(file.name)
    x = resample_poly(x, 320, 441) if rate == 22050 else x
    x = x / np.max(np.abs(x)) * 10 ** (-rng.uniform(1, 20) / 20)
    x = x + 10 ** (-rng.uniform(55, 75) / 20) * rng.standard_normal(len(x))
    return np.clip(x, -1, 1)


def main() -> None:
    folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 7)
    for i in range(count):
        soundfile.write(folder / f"clip{i:03d}.wav", clip(i, rng), 16000, subtype="PCM_16")


main()
