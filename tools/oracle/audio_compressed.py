"""Fixtures for packages/audio-features: small compressed files made by ffmpeg, with ffmpeg's (flac: libsndfile's) own decoding.

usage: python tools/oracle/audio_compressed.py   (needs numpy, soundfile and an ffmpeg with libmp3lame, libvorbis, libopus)
"""
import json
import pathlib
import subprocess

import numpy as np
import soundfile as sf

OUT = pathlib.Path(__file__).resolve().parents[2] / "packages/audio-features/test/fixtures/compressed"
OUT.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(11)


def sound(rate, channels, seconds):
    """A gliding tone of three partials with a syllable-like envelope and a little noise, another pitch in each channel."""
    t = np.arange(int(rate * seconds)) / rate
    out = []
    for c in range(channels):
        f0 = 120 * 1.3**c * (1 + 0.2 * np.sin(2 * np.pi * 1.5 * t))
        phase = 2 * np.pi * np.cumsum(f0) / rate
        x = sum(np.sin(k * phase) / k for k in (1, 2, 3)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t + c))
        out.append(0.25 * x + 0.01 * rng.standard_normal(len(t)))
    return np.stack(out, 1)


FILES = [
    # name, rate, channels, seconds, ffmpeg's arguments
    ("flac-16-mono.flac", 16000, 1, 0.5, ["-c:a", "flac", "-sample_fmt", "s16"]),
    ("flac-24-stereo.flac", 44100, 2, 0.2, ["-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24"]),
    ("flac-16-5.1.flac", 16000, 6, 0.2, ["-c:a", "flac", "-sample_fmt", "s16", "-channel_layout", "5.1"]),
    ("flac-level0.flac", 22050, 2, 0.2, ["-c:a", "flac", "-sample_fmt", "s16", "-compression_level", "0"]),
    ("flac-level12.flac", 48000, 2, 0.2, ["-c:a", "flac", "-sample_fmt", "s16", "-compression_level", "12", "-lpc_type", "cholesky"]),
    ("mp3-stereo.mp3", 44100, 2, 0.7, ["-c:a", "libmp3lame", "-b:a", "128k"]),
    ("mp3-mono-vbr.mp3", 16000, 1, 0.7, ["-c:a", "libmp3lame", "-q:a", "4"]),
    ("mp3-id3.mp3", 22050, 1, 0.5, ["-c:a", "libmp3lame", "-b:a", "64k", "-metadata", "title=A tag of some length"]),
    ("vorbis-stereo.ogg", 44100, 2, 0.5, ["-c:a", "libvorbis", "-q:a", "4"]),
    ("vorbis-mono.ogg", 16000, 1, 0.7, ["-c:a", "libvorbis", "-q:a", "3"]),
    ("opus-mono.opus", 16000, 1, 0.7, ["-c:a", "libopus", "-b:a", "32k"]),
    ("opus-stereo.ogg", 48000, 2, 0.5, ["-c:a", "libopus", "-b:a", "96k"]),
    ("opus-5.1.opus", 48000, 6, 0.3, ["-c:a", "libopus", "-b:a", "256k", "-mapping_family", "1", "-channel_layout", "5.1"]),
    ("aac.m4a", 44100, 1, 0.7, ["-c:a", "aac", "-b:a", "64k"]),
    ("aac-adts.aac", 22050, 2, 0.5, ["-c:a", "aac", "-b:a", "64k"]),
    ("aac-5.1.mp4", 48000, 6, 0.4, ["VIDEO", "-c:a", "aac", "-b:a", "256k", "-channel_layout", "5.1"]),
    ("opus.webm", 48000, 1, 0.5, ["-c:a", "libopus", "-b:a", "32k"]),
    ("vorbis.webm", 48000, 2, 0.5, ["-c:a", "libvorbis"]),
]


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, args)], check=True)


index = []
for name, rate, channels, seconds, args in FILES:
    sf.write("/tmp/oracle-in.wav", sound(rate, channels, seconds), rate, subtype="PCM_24", format="WAVEX" if channels > 2 else "WAV")
    video = ["-f", "lavfi", "-i", f"color=c=gray:s=64x64:r=24:d={seconds}", "-c:v", "mpeg4"] if args[0] == "VIDEO" else []
    args = args[1:] if video else args
    layout = ["-ac", channels]
    ffmpeg("-channel_layout", "5.1", "-i", "/tmp/oracle-in.wav", *video, *layout, *args, OUT / name) if channels == 6 else ffmpeg(
        "-i", "/tmp/oracle-in.wav", *video, *layout, *args, OUT / name
    )
    if name.startswith("flac"):
        got, out_rate = sf.read(OUT / name, dtype="float32", always_2d=True)
    else:
        # ffmpeg's own Opus decoder resamples SILK frames its own way; libopus is the reference.
        decoder = ["-c:a", "libopus"] if name.startswith("opus-") else []
        ffmpeg(*decoder, "-i", OUT / name, "-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "/tmp/oracle-out.wav")
        got, out_rate = sf.read("/tmp/oracle-out.wav", dtype="float32", always_2d=True)
    # 16 bits are enough to tell whether a lossy decoder agrees; lossless files of 24 bits are kept in 32.
    if "24" in name:
        np.round(got.T * 2**23).astype("<i4").tofile(OUT / f"{name}.s32")
    else:
        np.round(got.T * 32768).clip(-32768, 32767).astype("<i2").tofile(OUT / f"{name}.s16")
    index.append({"name": name, "channels": got.shape[1], "frames": got.shape[0], "sampleRate": out_rate})
(OUT / "index.json").write_text(json.dumps(index, indent=1) + "\n")
