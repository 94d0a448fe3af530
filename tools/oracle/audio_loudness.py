"""Fixtures for packages/audio-features: integrated loudness by pyloudnorm (De Man's K-weighting) and by ffmpeg's ebur128 filter.

usage: python tools/oracle/audio_loudness.py   (needs numpy, soundfile, pyloudnorm, ffmpeg)
The signals are formulas that the test repeats.
"""
import json
import pathlib
import re
import subprocess

import numpy as np
import pyloudnorm
import soundfile as sf

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/audio-features/test/fixtures"
CASES = [
    # rate, channels, the level in dB of each second
    (48000, 2, [-23] * 4),
    (48000, 2, [-23, -23, -60, -23, -80, -36, -23]),
    (16000, 1, [-20, -30, -75, -12, -90, -25]),
    (44100, 1, [-40, -18, -18, -50]),
    (16000, 2, [-33]),
    (22050, 6, [-20, -26, -45]),
]


def signal(rate, channels, levels):
    n = np.arange(rate * len(levels))
    t = n / rate
    gain = 10 ** (np.array(levels)[n // rate] / 20)
    base = np.sin(2 * np.pi * 997 * t) + 0.5 * np.sin(2 * np.pi * 233 * t) + 0.25 * np.sin(2 * np.pi * 3011 * t)
    return np.stack([gain * base * (1 - 0.1 * c) for c in range(channels)], 1)


out = []
for rate, channels, levels in CASES:
    x = signal(rate, channels, levels)
    meter = pyloudnorm.Meter(rate, filter_class="DeMan")
    # pyloudnorm knows five channels; LFE (the fourth) does not count.
    reference = meter.integrated_loudness(np.delete(x, 3, 1) if channels == 6 else x)
    sf.write("/tmp/loudness.wav", x, rate, subtype="FLOAT", format="WAVEX" if channels > 2 else "WAV")
    layout = ["-channel_layout", "5.1"] if channels == 6 else []
    log = subprocess.run(
        ["ffmpeg", "-nostats", *layout, "-i", "/tmp/loudness.wav", "-af", "ebur128", "-f", "null", "-"], capture_output=True, text=True
    ).stderr
    ffmpeg = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", log)[-1])
    out.append({"rate": rate, "channels": channels, "levels": levels, "pyloudnorm": reference, "ffmpeg": ffmpeg})
(OUT / "loudness.json").write_text(json.dumps(out, indent=1) + "\n")
print(out)
