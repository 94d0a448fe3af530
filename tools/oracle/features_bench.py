"""Times the reference implementations that `npm run -s bench -- features` compares with: one JSON object on stdout.

    python tools/oracle/features_bench.py CLIP.wav ROUNDS

CLIP.wav lasts 10 s at 16 kHz. Milliseconds, the median of ROUNDS (pYIN: of at most 3). A package that is missing is left out.
"""

import json
import sys
import time

import numpy as np
import soundfile

x, rate = soundfile.read(sys.argv[1], dtype="float32")
rounds = int(sys.argv[2])


def median_ms(work, n=rounds) -> float:
    work()
    times = []
    for _ in range(n):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


out = {}
try:
    import librosa

    out["log_mel_librosa"] = median_ms(
        lambda: librosa.power_to_db(librosa.feature.melspectrogram(y=x, sr=rate, n_fft=400, hop_length=160, n_mels=80))
    )
    out["f0_pyin"] = median_ms(lambda: librosa.pyin(x, fmin=60, fmax=500, sr=rate, hop_length=160), min(rounds, 3))
except ImportError:
    pass
try:
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor()
    long = np.tile(x, 3)
    # with torch installed the extractor uses it; without, this is what it does
    out["log_mel_transformers_30s"] = median_ms(lambda: extractor._np_extract_fbank_features(long[None], "cpu"))
    out["log_mel_transformers_torch_30s"] = median_ms(lambda: extractor(long, sampling_rate=rate, return_tensors="np"))
except ImportError:
    pass
try:
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    out["egemaps_opensmile"] = median_ms(lambda: smile.process_signal(x, rate))
except ImportError:
    pass
print(json.dumps(out))
