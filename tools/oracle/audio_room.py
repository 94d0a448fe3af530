"""Fixture for packages/audio-features: impulse responses of shoebox rooms by pyroomacoustics' image-source method.

usage: python tools/oracle/audio_room.py   (needs numpy, pyroomacoustics)
"""
import json
import pathlib

import numpy as np
import pyroomacoustics as pra

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/audio-features/test/fixtures"
pra.constants.set("rir_hpf_enable", False)
pra.constants.set("c", 343.0)
cases = []
for size, source, microphone, rt60, rate in [
    ((5, 4, 3), (1.2, 1.7, 1.4), (3.9, 2.2, 1.1), 0.3, 16000),
    ((8.3, 6.1, 2.7), (2, 3, 1.5), (2.9, 3.2, 1.5), 0.5, 8000),
]:
    volume = np.prod(size)
    x, y, z = size
    surface = 2 * (x * y + y * z + z * x)
    absorption = 1 - np.exp(-24 * np.log(10) * volume / (343 * surface * rt60))
    room = pra.ShoeBox(size, fs=rate, materials=pra.Material(float(absorption)), max_order=30, air_absorption=False)
    room.add_source(list(source))
    room.add_microphone(list(microphone))
    room.compute_rir()
    rir = room.rir[0][0][pra.constants.get("frac_delay_length") // 2 :]
    n = int(0.12 * rate)  # order 30 reaches much further than this
    cases.append({"size": size, "source": source, "microphone": microphone, "rate": rate, "absorption": absorption,
                  "response": [float(f"{v:.7g}") for v in rir[:n]]})
(OUT / "room.json").write_text(json.dumps(cases) + "\n")
