"""Fixtures of spectral features: transformers' extractors, torchaudio.compliance.kaldi, librosa.

    python tools/oracle/features.py packages/audio-features/test/fixtures/spectral.safetensors

Needs numpy, safetensors, transformers, torch, librosa, and torchaudio (its source file is enough: TORCHAUDIO=folder holding it).
"""

import importlib.util
import os
import sys
import types

import librosa
import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor


def kaldi_module():
    """torchaudio's Kaldi functions are pure torch: load them without its binary extension."""
    folder = os.environ.get("TORCHAUDIO")
    if folder is None:
        import torchaudio.compliance.kaldi as module

        return module
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    spec = importlib.util.spec_from_file_location("kaldi", os.path.join(folder, "torchaudio/compliance/kaldi.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def signal(rate: int, seconds: float, seed: int) -> np.ndarray:
    """A glide of pulses through a resonance, noise, and digital silence; 16-bit values."""
    rng = np.random.default_rng(seed)
    n = int(rate * seconds)
    t = np.arange(n) / rate
    phase = np.cumsum(110 + 80 * t) / rate
    x = sum(np.sin(2 * np.pi * h * phase) / h for h in range(1, 20)) * 0.2
    x += 0.02 * rng.standard_normal(n)
    x[int(0.7 * n) : int(0.8 * n)] = 0
    x[int(0.9 * n) :] = 0.001 * rng.standard_normal(n - int(0.9 * n))
    return (np.clip(np.round(x * 20000), -32768, 32767)).astype(np.int16)


def main(out: str) -> None:
    kaldi = kaldi_module()
    tensors = {"signal16k": signal(16000, 0.83, 1), "signal8k": signal(8000, 0.61, 2)}
    x16 = tensors["signal16k"].astype(np.float32) / 32768
    x8 = tensors["signal8k"].astype(np.float32) / 32768

    whisper = WhisperFeatureExtractor()
    plain = whisper(x16, sampling_rate=16000, padding=False, truncation=False, return_tensors="np")["input_features"][0]
    tensors["whisper_80_unpadded"] = plain.T
    padded = WhisperFeatureExtractor(feature_size=128)(x16, sampling_rate=16000, return_tensors="np")["input_features"][0]
    assert padded.shape == (128, 3000) and np.all(padded[:, 90:] == padded[0, 2999])
    tensors["whisper_128_first_90"] = padded.T[:90]

    def fbank(x, rate, **options):
        return kaldi.fbank(torch.from_numpy(x)[None], sample_frequency=rate, **options).numpy()

    tensors["kaldi_default"] = fbank(x16, 16000.0)
    tensors["kaldi_scaled_80"] = fbank(x16 * 32768, 16000.0, num_mel_bins=80)
    tensors["kaldi_options"] = fbank(
        x16, 16000.0, num_mel_bins=40, window_type="hamming", snip_edges=False, use_energy=True,
        low_freq=60.0, high_freq=-200.0, preemphasis_coefficient=0.9, subtract_mean=True, energy_floor=0.0,
    )  # fmt: skip
    tensors["kaldi_8k_magnitude"] = fbank(
        x8, 8000.0, use_power=False, use_log_fbank=False, round_to_power_of_two=False, raw_energy=False, use_energy=True,
        window_type="blackman", remove_dc_offset=False,
    )  # fmt: skip

    tensors["librosa_mel"] = librosa.feature.melspectrogram(y=x16, sr=16000).T
    tensors["librosa_mel_options"] = librosa.feature.melspectrogram(
        y=x8, sr=8000, n_fft=400, hop_length=100, win_length=320, window="hamming", center=False, power=1.0, n_mels=30,
        fmin=50, fmax=3500, htk=True, norm=None,
    ).T  # fmt: skip
    tensors["librosa_mfcc"] = librosa.feature.mfcc(y=x16, sr=16000).T
    tensors["librosa_mfcc_options"] = librosa.feature.mfcc(y=x8, sr=8000, n_mfcc=13, lifter=22, n_fft=512, hop_length=80, n_mels=26).T

    tensors["wav2vec2"] = Wav2Vec2FeatureExtractor()(x16, sampling_rate=16000, return_tensors="np")["input_values"][0][::7]
    save_file({k: np.ascontiguousarray(v if v.dtype == np.int16 else v.astype(np.float32)) for k, v in tensors.items()}, out)


if __name__ == "__main__":
    main(sys.argv[1])
