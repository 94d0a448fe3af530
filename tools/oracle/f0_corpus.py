"""Pitch tracking on a folder of speech whose pitch nobody knows: ours against librosa's pYIN and openSMILE, and each against the others' majority.

    emosllm features extract FOLDER/*.wav --features f0 --out OURS.safetensors
    python tools/oracle/f0_corpus.py OURS.safetensors FOLDER/*.wav

Gross error: voiced in both, off by more than 20 %. Voicing error: share of frames with the other decision. `agreed` takes as truth the
frames in which pYIN and openSMILE decide alike, and, where both are voiced, their pitch lies within 20 % of each other. `majority` takes
the decision of two of the three. Frames within 20 ms of a change of the reference's voicing are left out, as in `f0_truth.py`: the
trackers look through windows of 50 to 128 ms. Needs numpy, soundfile, safetensors, librosa, opensmile.
"""

import json
import os
import sys
import warnings

import librosa
import numpy as np
import opensmile
import soundfile
from safetensors.numpy import load_file


def away_from_changes(voiced: np.ndarray) -> np.ndarray:
    near = np.zeros(len(voiced), bool)
    for t in np.flatnonzero(np.diff(voiced.astype(int))):
        near[max(0, t - 1) : t + 3] = True
    return ~near


class Tally:
    def __init__(self) -> None:
        self.counts = np.zeros(4)

    def add(self, reference: np.ndarray, answer: np.ndarray, valid: np.ndarray) -> None:
        """`reference`, `answer`: Hz, 0 unvoiced; frames outside `valid` do not count."""
        sure = valid & away_from_changes(reference > 0)
        both = sure & (reference > 0) & (answer > 0)
        gross = np.abs(answer[both] / reference[both] - 1) > 0.2
        self.counts += [both.sum(), gross.sum(), sure.sum(), (sure & ((reference > 0) != (answer > 0))).sum()]

    def report(self) -> dict[str, float]:
        voiced, gross, frames, voicing = self.counts
        return {"frames": int(frames), "voiced": int(voiced), "gross_error": round(gross / max(1, voiced), 5), "voicing_error": round(voicing / max(1, frames), 5)}


def main() -> None:
    ours = load_file(sys.argv[1])
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    tallies: dict[str, Tally] = {}
    seconds = 0.0
    for clip in sys.argv[2:]:
        x, rate = soundfile.read(clip, dtype="float32", always_2d=True)
        x = x.mean(axis=1)
        if rate != 16000:
            x, rate = librosa.resample(x, orig_sr=rate, target_sr=16000), 16000
        seconds += len(x) / rate
        semitones = smile.process_signal(x, rate)["F0semitoneFrom27.5Hz_sma3nz"].to_numpy()
        # openSMILE's frame t is centred 30 ms after t * 10 ms
        tracks = {
            "ours": ours[os.path.basename(clip)][:, 0].astype(float),
            "pyin": np.nan_to_num(librosa.pyin(x, fmin=60, fmax=500, sr=rate, hop_length=160)[0]),
            "opensmile": np.concatenate([np.zeros(3), np.where(semitones > 0, 27.5 * 2 ** (semitones / 12), 0)]),
        }
        n = min(len(track) for track in tracks.values())
        # beyond openSMILE's last frame nobody can vote
        tracks = {name: track[:n] for name, track in tracks.items()}
        whole = np.ones(n, bool)
        for name in tracks:
            for reference in tracks:
                if name != reference:
                    tallies.setdefault(f"{name} against {reference}", Tally()).add(tracks[reference], tracks[name], whole)
        pyin, other = tracks["pyin"], tracks["opensmile"]
        alike = (pyin > 0) == (other > 0)
        close = (pyin == 0) | (other == 0) | (np.abs(other / np.maximum(pyin, 1) - 1) <= 0.2)
        tallies.setdefault("ours against agreed", Tally()).add(pyin, tracks["ours"], alike & close)
        votes = sum((track > 0).astype(int) for track in tracks.values())
        with warnings.catch_warnings():
            # where all three are unvoiced there is no median
            warnings.simplefilter("ignore", RuntimeWarning)
            middle = np.nanmedian([np.where(track > 0, track, np.nan) for track in tracks.values()], axis=0)
        majority = np.where(votes >= 2, np.nan_to_num(middle), 0)
        for name, track in tracks.items():
            tallies.setdefault(f"{name} against majority", Tally()).add(majority, track, whole)
    print(json.dumps({"clips": len(sys.argv) - 2, "seconds": round(seconds, 1)}))
    for name, tally in tallies.items():
        print(json.dumps({"pair": name, **tally.report()}))


main()
