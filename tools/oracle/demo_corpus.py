"""How hard is the demo corpus? An independent look with librosa and scikit-learn; it reads the folder as an IEMOCAP copy.

usage: python demo_corpus.py FOLDER [--plots OUT]

Prints one JSON object: unweighted average recall (UA) on session 5 of small models trained on sessions 1 to 4, from a few
statistics of pitch, loudness, rate, pauses and spectrum; of each statistic alone; of the file's level alone; of the words alone
(bag of words, and a table of the training labels of the very sentence).
"""
import argparse
import glob
import json
import os
import re

import librosa
import numpy as np
import soundfile as sf
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

LABELS = ["ang", "hap", "neu", "sad"]
LINE = re.compile(r"^\[(\d+\.\d+) - (\d+\.\d+)\]\t(\w+)\t(\w+)\t\[(\d+\.\d+), (\d+\.\d+), (\d+\.\d+)\]$")
TEXT = re.compile(r"^(Ses0[1-5][MF]_(?:impro|script)0[1-9][ab]?(?:_\db?)?_[MF][X\d]{2}\d) \[\d+\.\d+-\d+\.\d+\]:(.*)$")


def read(root):
    clips, words = [], {}
    for path in sorted(glob.glob(f"{root}/Session*/dialog/transcriptions/*.txt")):
        for line in open(path):
            if m := TEXT.match(line.rstrip("\n")):
                words[m[1]] = m[2].strip()
    for path in sorted(glob.glob(f"{root}/Session*/dialog/EmoEvaluation/*.txt")):
        for line in open(path):
            if m := LINE.match(line.rstrip("\n")):
                turn, label = m[3], {"exc": "hap"}.get(m[4], m[4])
                dialog = turn.rsplit("_", 1)[0]
                wav = f"{root}/Session{turn[4]}/sentences/wav/{dialog}/{turn}.wav"
                clips.append(dict(turn=turn, label=label, raw=m[4], wav=wav, text=words[turn], session=int(turn[4])))
    return clips


def statistics(path):
    x, sr = sf.read(path)
    rms = librosa.feature.rms(y=x, frame_length=512, hop_length=160)[0]
    f0 = librosa.yin(x, fmin=60, fmax=500, sr=sr, frame_length=1024, hop_length=160)
    n = min(len(rms), len(f0))
    db = 20 * np.log10(rms[:n] + 1e-7)
    speech = db > db.max() - 25
    voiced = db > db.max() - 15
    st = 12 * np.log2(f0[:n][voiced] / 55)
    st = st[np.abs(st - np.median(st)) < 10]  # octave errors
    power = np.abs(librosa.stft(x, n_fft=512, hop_length=160))[:, :n] ** 2
    freq = librosa.fft_frequencies(sr=sr, n_fft=512)
    mean = power[:, voiced].mean(1)
    first, last = np.flatnonzero(speech)[[0, -1]]
    inside = speech[first : last + 1]
    third = max(1, len(st) // 3)
    step = np.abs(np.diff(st))
    flat = librosa.feature.spectral_flatness(S=power[:, voiced]).mean()
    return {
        "duration": len(x) / sr,
        "file_level": 10 * np.log10((x**2).mean()),
        "f0_median": np.median(st),
        "f0_range": np.percentile(st, 90) - np.percentile(st, 10),
        "f0_sd": st.std(),
        "f0_slope": np.median(st[-third:]) - np.median(st[:third]),
        "f0_jitter": np.median(step),
        "loudness_range": np.percentile(db[speech], 90) - np.percentile(db[speech], 10),
        "snr": np.percentile(db, 90) - np.percentile(db, 3),
        "tilt": 10 * np.log10(mean[(freq > 1200) & (freq < 5000)].sum() / mean[(freq > 80) & (freq <= 1200)].sum()),
        "flatness": np.log(flat),
        "high": 10 * np.log10(mean[freq > 4000].sum() / mean.sum()),
        "speech_time": len(inside) / 100,
        "pauses": 1 - inside.mean(),
    }


def ua(truth, guess):
    return round(float(recall_score(truth, guess, average="macro")), 4)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--plots")
    a = p.parse_args()
    clips = read(a.folder)
    counts = {}
    for c in clips:
        counts[c["raw"]] = counts.get(c["raw"], 0) + 1
    clips = [c for c in clips if c["label"] in LABELS]
    rows = [statistics(c["wav"]) for c in clips]
    for row, c in zip(rows, clips):
        row["rate"] = len(re.sub("[^a-z]", "", c["text"].lower())) / row["speech_time"]
    names = list(rows[0])
    X = np.array([[r[n] for n in names] for r in rows])
    y = np.array([c["label"] for c in clips])
    session = np.array([c["session"] for c in clips])
    text = np.array([c["text"] for c in clips])
    durations = np.array([r["duration"] for r in rows])

    models = {
        "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000)),
        "svm": lambda: make_pipeline(StandardScaler(), SVC(C=3)),
        "forest": lambda: RandomForestClassifier(300, min_samples_leaf=3, random_state=0),
    }
    out = {"clips": counts, "seconds": [round(float(v), 2) for v in (durations.min(), np.median(durations), durations.max())]}
    tr, te = session != 5, session == 5
    guesses = {}
    for name, make in models.items():
        guesses[name] = make().fit(X[tr], y[tr]).predict(X[te])
        out[name + "_ua"] = ua(y[te], guesses[name])
    by_fold = []
    for k in range(1, 6):
        by_fold.append(ua(y[session == k], models["svm"]().fit(X[session != k], y[session != k]).predict(X[session == k])))
    out["svm_ua_of_each_session"] = by_fold
    out["confusion_svm"] = confusion_matrix(y[te], guesses["svm"], labels=LABELS).tolist()
    alone = {}
    for i, name in enumerate(names):
        tree = DecisionTreeClassifier(max_leaf_nodes=8, min_samples_leaf=15, random_state=0)
        alone[name] = ua(y[te], tree.fit(X[tr][:, [i]], y[tr]).predict(X[te][:, [i]]))
    out["single_statistic_ua"] = dict(sorted(alone.items(), key=lambda kv: -kv[1]))
    bag = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=2000)).fit(text[tr], y[tr])
    out["words_ua"] = ua(y[te], bag.predict(text[te]))
    print(json.dumps(out))

    if a.plots:
        plot(clips, a.plots)


def plot(clips, out):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    os.makedirs(out, exist_ok=True)
    for speaker in ("1F", "3M", "5F"):
        own = [c for c in clips if c["turn"][4] == speaker[0] and c["turn"].rsplit("_", 1)[1][0] == speaker[1]]
        sentence = own[0]["text"]
        fig, axes = plt.subplots(1, 4, figsize=(20, 4.2), sharey=True)
        for ax, label in zip(axes, LABELS):
            c = next(c for c in own if c["text"] == sentence and c["label"] == label)
            x, sr = sf.read(c["wav"])
            S = librosa.amplitude_to_db(np.abs(librosa.stft(x, n_fft=512, hop_length=80)), ref=np.max)
            ax.imshow(S, origin="lower", aspect="auto", extent=[0, len(x) / sr, 0, sr / 2], cmap="magma", vmin=-70)
            ax.set_ylim(0, 5000)
            f0 = librosa.yin(x, fmin=60, fmax=500, sr=sr, frame_length=1024, hop_length=160)
            db = librosa.amplitude_to_db(librosa.feature.rms(y=x, frame_length=512, hop_length=160)[0], ref=np.max)
            n = min(len(f0), len(db))
            f0 = np.where(db[:n] > -18, f0[:n], np.nan)
            ax2 = ax.twinx()
            ax2.plot(np.arange(n) / 100, f0, "c.", ms=3)
            ax2.set_ylim(50, 450)
            ax.set_title(f"{c['turn']} {c['raw']} {sentence}", fontsize=8)
        fig.tight_layout()
        fig.savefig(f"{out}/{speaker}.png", dpi=70)
        plt.close(fig)


main()
