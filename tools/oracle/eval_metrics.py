"""Reference numbers for packages/eval-metrics from scikit-learn, SciPy, torchmetrics, netcal, krippendorff, jiwer, statsmodels.

    python tools/oracle/eval_metrics.py [--seed 1] [--cases 1000] [--out packages/eval-metrics/test/fixtures/oracle.json.gz]
    pip install numpy scipy scikit-learn torch torchmetrics netcal krippendorff jiwer statsmodels

Where no library has a metric (adaptive calibration error, area under the risk-coverage curve, annotator match) its published
formula is written here in numpy, on its own. Inputs are stored as small integers (a row of probabilities is weights / sum, which
both sides compute alike), so that ties are frequent and the file stays small. Not-a-number and infinity are the strings
"nan", "inf", "-inf".
"""
import argparse
import gzip
import itertools
import json
import math
import types
import warnings
from pathlib import Path

import jiwer
import krippendorff
import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats
import sklearn.metrics as sk
import torch
from netcal.metrics import ECE, MCE
from scipy.spatial.distance import jensenshannon
from statsmodels.stats.multitest import multipletests
from torchmetrics.functional.classification.calibration_error import _ce_compute
from torchmetrics.functional.regression import concordance_corrcoef

warnings.filterwarnings("ignore")
LETTERS = "abcdefg"


def floats(value):
    if isinstance(value, dict):
        return {k: floats(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [floats(v) for v in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    value = float(value)
    return str(value) if not math.isfinite(value) else value


def classification(rng):
    k = int(rng.integers(1, 8))
    n = int(rng.integers(1, 41))
    labels = list(LETTERS[:k])
    skew = rng.dirichlet(np.full(k, 0.6))  # classes are often absent
    truth = rng.choice(labels, n, p=skew)
    guess = np.where(rng.random(n) < rng.random(), truth, rng.choice(labels, n))
    invalid = rng.random(n) < rng.choice([0, 0, 0.2])
    answer = np.where(invalid, "-", guess)
    matrix = sk.confusion_matrix(truth, answer, labels=[*labels, "-"])
    zero = [0, 1, np.nan][int(rng.integers(3))]
    prf = lambda average, **o: sk.precision_recall_fscore_support(
        truth, answer, labels=labels, average=average, zero_division=zero, **o)[:3]
    weights = [None, "linear", "quadratic"][int(rng.integers(3))]
    same = len(set(truth) | set(answer)) == 1
    expect = {
        "matrix": matrix[:k, :k].tolist(),
        "invalid": matrix[:k, k].tolist(),
        "accuracy": sk.accuracy_score(truth, answer),
        "uar": sk.balanced_accuracy_score(truth, answer),
        "classes": np.transpose(prf(None)),
        "macro": prf("macro"), "micro": prf("micro"), "weighted": prf("weighted"),
        "kappa": math.nan if same else sk.cohen_kappa_score(truth, answer, weights=weights, labels=[*labels, "-"]),
        "matthews": sk.matthews_corrcoef(truth, answer),
    }
    for by, name in (("true", "row"), ("pred", "column"), ("all", "all")):
        # sklearn drops the invalid column before it divides; the shares here count it, so divide by hand.
        full = matrix[:k].astype(float)
        div = {"row": full.sum(1, keepdims=True), "column": full[:, :k].sum(0, keepdims=True), "all": full.sum()}[name]
        ours = np.nan_to_num(full[:, :k] / div)
        if not invalid.any():
            assert np.allclose(ours, sk.confusion_matrix(truth, answer, labels=labels, normalize=by))
        expect[name] = ours
    return {"labels": "".join(labels), "truth": "".join(truth), "answer": "".join(answer),
            "zero": zero, "weights": weights or "none", "expect": expect}


def agreement(rng):
    raters, units, values = int(rng.integers(2, 5)), int(rng.integers(2, 15)), int(rng.integers(2, 6))
    while True:
        data = np.where(rng.random((raters, units)) < rng.choice([0.0, 0.3]), np.nan,
                        rng.integers(1, values + 1, (raters, units)).astype(float))
        keep = (~np.isnan(data)).sum(0) > 1
        if keep.any() and len(np.unique(data[:, keep][~np.isnan(data[:, keep])])) > 1:
            break
    alpha = {level: krippendorff.alpha(data, level_of_measurement=level)
             for level in ("nominal", "ordinal", "interval", "ratio")}
    return {"units": [[None if math.isnan(v) else int(v) for v in u] for u in data.T], "expect": alpha}


def rows_of(rng, n, k):
    """Integer weights; a few rows are certain, many tie."""
    top = int(rng.choice([2, 5, 30, 1000]))
    w = rng.integers(0, top, (n, k))
    w[w.sum(1) == 0, int(rng.integers(k))] = 1
    return w


def aurc(confidence, wrong):
    """Mean over m of the expected risk of the m surest rows, ties in random order; by definition, one m at a time."""
    n = len(confidence)
    total = 0.0
    for m in range(1, n + 1):
        cut = np.sort(confidence)[::-1][m - 1]
        above, tied = confidence > cut, confidence == cut
        total += (wrong[above].sum() + wrong[tied].mean() * (m - above.sum())) / m
    return total / n


def ace(y, p, bins):
    """Nixon et al. 2019, eq. 4, with numpy.array_split ranges."""
    errors = []
    for j in range(p.shape[1]):
        order = np.argsort(p[:, j], kind="stable")
        for part in np.array_split(order, bins):
            if len(part):
                errors.append(abs((y[part] == j).mean() - p[part, j].mean()))
    return np.mean(errors)


def temperature(y, p):
    z = np.log(np.maximum(p, 2.0**-52))
    z -= z.max(1, keepdims=True)  # so that rows that are right at any temperature add exactly 0
    own = z[np.arange(len(y)), y]
    slope = lambda beta: np.mean((scipy.special.softmax(beta * z, axis=1) * z).sum(1) - own)
    loss = lambda beta: np.mean(scipy.special.logsumexp(beta * z, axis=1) - beta * own)
    if slope(1) == 0:
        return {"bounded": False, "temperature": 1, "after": loss(1)}
    if slope(1e-3) >= 0:
        return {"bounded": True, "temperature": 1e3, "after": loss(1e-3)}
    if slope(1e3) <= 0:
        return {"bounded": True, "temperature": 1e-3, "after": loss(1e3)}
    beta = scipy.optimize.brentq(slope, 1e-3, 1e3, xtol=1e-15, rtol=8.9e-16, maxiter=1000)
    return {"bounded": False, "temperature": 1 / beta, "after": loss(beta)}


def probabilities(rng):
    k, n, bins = int(rng.integers(2, 6)), int(rng.integers(1, 21)), int(rng.choice([1, 3, 5, 10, 15]))
    w = rows_of(rng, n, k)
    p = w / w.sum(1, keepdims=True)
    y = np.where(rng.random(n) < rng.random(), p.argmax(1), rng.integers(0, k, n))
    labels = list(LETTERS[:k])
    names = np.array(labels)[y]
    top, right = p.max(1), (p.argmax(1) == y)
    # With two classes netcal looks at the second one only; its detection mode takes confidence and correctness as they are.
    ece = ECE(bins, detection=True).measure(top, right.astype(int))
    # Top-k accuracy treats two classes in its own way: a last class that nothing scores avoids it.
    wide = np.hstack([p, np.full((n, 1), -1)])
    if not (top == 1).any():  # torchmetrics puts a confidence of exactly 1 into a bin of its own
        tm = _ce_compute(torch.tensor(top), torch.tensor(right), bins)  # the public function rounds to float32 first
        edges = np.linspace(0, 1, bins + 1)  # torch.linspace rounds differently: leave confidences on an edge to netcal
        if np.abs(top[:, None] - edges).min() > 1e-9:
            assert abs(float(tm) - ece) < 1e-12, (float(tm), ece)
    area = [sk.roc_auc_score(y == j, p[:, j]) if 0 < (y == j).sum() < n else None for j in range(k)]
    counts = np.bincount(y, minlength=k)
    known = [j for j in range(k) if area[j] is not None]
    if len(known) == k and k > 2:
        assert abs(sk.roc_auc_score(y, p, multi_class="ovr", average="macro") - np.mean(area)) < 1e-12
    order = np.argsort(-top, kind="stable")
    coverage = float(rng.choice([0.1, 0.25, 0.5, 0.9, 1.0]))
    m = max(1, math.ceil(round(coverage * n, 9)))
    cut = top[order[m - 1]]
    selective = 1 - ((~right)[top > cut].sum() + (~right)[top == cut].mean() * (m - (top > cut).sum())) / m
    mass = np.array_split(np.argsort(top, kind="stable"), bins)
    k_top = int(rng.integers(1, k + 1))
    topk = (sk.top_k_accuracy_score(np.append(y, 0), np.vstack([wide, np.eye(k + 1)[0] * 2]), k=k_top, labels=range(k + 1)) * (n + 1) - 1) / n
    return {"k": k, "bins": bins, "weights": w.tolist(), "truth": "".join(names), "coverage": coverage, "top": k_top, "expect": {
        "logLoss": sk.log_loss(names, p, labels=labels),
        "brier": sk.brier_score_loss(names, p, labels=labels, scale_by_half=False),
        "brierAuto": sk.brier_score_loss(names, p, labels=labels, pos_label=labels[-1] if k == 2 else None),
        "topK": topk,
        "ece": ece, "mce": MCE(bins, detection=True).measure(top, right.astype(int)),
        "eceMass": sum(len(b) / n * abs(right[b].mean() - top[b].mean()) for b in mass if len(b)),
        "ace": ace(y, p, bins),
        "auroc": area,
        "aurocMacro": np.mean([area[j] for j in known]) if known else None,
        "aurocWeighted": np.average([area[j] for j in known], weights=counts[known]) if known else None,
        "aurc": aurc(top, ~right), "selective": selective,
        "temperature": temperature(y, p),
    }}


def soft_labels(rng):
    k, n = int(rng.integers(2, 6)), int(rng.integers(1, 6))
    t, q = rows_of(rng, n, k), rows_of(rng, n, k)
    P, Q = t / t.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    best = Q.argmax(1)
    share = P[np.arange(n), best]
    return {"k": k, "truth": t.tolist(), "predicted": q.tolist(), "expect": {
        "kl": np.mean([scipy.stats.entropy(a, b) for a, b in zip(P, Q)]),
        "klInfinite": int(sum(np.isinf(scipy.stats.entropy(a, b)) for a, b in zip(P, Q))),
        "jensenShannon": np.mean([jensenshannon(a, b) ** 2 for a, b in zip(P, Q)]),
        "cosine": np.mean([sk.pairwise.cosine_similarity([a], [b])[0, 0] for a, b in zip(P, Q)]),
        "random": share.mean(), "any": (share > 0).mean(), "majority": (share == P.max(1)).mean(),
    }}


def dimensional(rng):
    n = int(rng.integers(2, 31))
    x = rng.integers(1, 1 + int(rng.choice([3, 100, 10000])), n)
    y = np.round(x * rng.random() + rng.integers(0, 50, n) * rng.choice([0.1, 1, 20])).astype(int) + int(rng.choice([0, 0, 10**6]))
    if rng.random() < 0.05:
        y[:] = y[0]
    a, b = x / 7, y / 7
    constant = len(set(x)) == 1 or len(set(y)) == 1
    mean = a.mean() - b.mean()
    lin = np.nan if len(set(x)) == 1 and len(set(y)) == 1 and x[0] == y[0] else (
        2 * np.mean((a - a.mean()) * (b - b.mean())) / (a.var() + b.var() + mean**2))
    return {"x": x.tolist(), "y": y.tolist(), "expect": {
        "ccc": lin,
        # torchmetrics has 0/0 for a constant side
        "ccc1": None if constant else float(concordance_corrcoef(torch.tensor(b), torch.tensor(a))),
        "pearson": math.nan if constant else scipy.stats.pearsonr(a, b).statistic,
        "rmse": sk.root_mean_squared_error(a, b), "mae": sk.mean_absolute_error(a, b),
    }}


def transcription(rng):
    words = ["no", "i", "don't", "ever", "see", "why", "née", "日本", "🙂", "now", "  spaced "]
    sentence = lambda n: " ".join(rng.choice(words, n))
    n = int(rng.integers(1, 4))
    long = rng.random() < 0.01
    refs, hyps = [], []
    for _ in range(n):
        length = int(rng.integers(1, 180)) if long else int(rng.integers(1, 12))
        r = rng.choice(words[: int(rng.integers(2, len(words) + 1))], length).tolist()
        h = [str(rng.choice(words)) if rng.random() < 0.2 else x for x in r if rng.random() > 0.15]
        for _ in range(int(rng.integers(0, 4))):
            h.insert(int(rng.integers(0, len(h) + 1)), str(rng.choice(words)))
        refs.append(" ".join(r))
        hyps.append(" ".join(h) if rng.random() > 0.05 else "")
    expect = {}
    for name, out in (("word", jiwer.process_words(refs, hyps)), ("character", jiwer.process_characters(refs, hyps))):
        rate = out.wer if name == "word" else out.cer
        expect[name] = [out.hits, out.substitutions, out.deletions, out.insertions, rate]
    return {"references": refs, "hypotheses": hyps, "expect": expect}


def significance(rng):
    top = int(rng.choice([3, 30, 1000, 10**6]))
    b, c = int(rng.integers(0, top)), int(rng.integers(0, top))
    if rng.random() < 0.5:
        c = max(0, b + int(rng.integers(-3, 4) * math.sqrt(b + 1)))
    p = rng.integers(0, 1 + int(rng.choice([5, 1000])), int(rng.integers(1, 9)))
    ceiling = int(max(p.max(), 1) * rng.choice([1, 20]))
    q = np.sort(p / ceiling)
    steps = np.maximum.accumulate(np.minimum(1, q * np.arange(len(q), 0, -1)))  # Holm 1979
    adjusted = steps[np.argsort(np.argsort(p, kind="stable"), kind="stable")]
    if rng.random() < 0.03:  # statsmodels agrees, but takes most of a second
        assert np.allclose(adjusted, multipletests(p / ceiling, method="holm")[1], atol=1e-14)
    return {"b": b, "c": c, "p": p.tolist(), "ceiling": ceiling, "expect": {
        # binomtest searches slowly for large counts; a fair coin is symmetric, so twice the tail is the same number.
        "mcnemar": 1 if b == c else scipy.stats.binomtest(b, b + c).pvalue if b + c < 2000 else
        min(1, 2 * scipy.stats.binom.cdf(min(b, c), b + c, 0.5)),
        "holm": adjusted,
    }}


def intervals(rng):
    n, rounds = int(rng.integers(2, 21)), int(rng.integers(20, 120))
    x = (rng.integers(0, 4, n) ** int(rng.integers(1, 4))).astype(float)
    sums = rng.choice(x, (rounds, n)).sum(1)
    level = float(rng.choice([0.8, 0.9, 0.95, 0.99]))
    given = types.SimpleNamespace(bootstrap_distribution=sums / n)
    ends = {}
    for method in ("percentile", "BCa"):
        ci = scipy.stats.bootstrap((x,), np.mean, n_resamples=0, bootstrap_result=given, method=method,
                                   confidence_level=level).confidence_interval
        ends[method.lower()] = [ci.low, ci.high]
    q = rng.integers(1, 1000, 3) / 1000
    return {"x": x.astype(int).tolist(), "sums": sums.astype(int).tolist(), "level": level, "q": q, "expect": {
        **ends, "error": given.bootstrap_distribution.std(ddof=1), "normal": scipy.special.ndtri(q),
        "cdf": scipy.special.ndtr((q - 0.5) * 16)}}


def permutation(rng):
    k, n, groups = int(rng.integers(2, 4)), int(rng.integers(2, 9)), int(rng.integers(2, 7))
    y, a = rng.integers(0, k, n), rng.integers(0, k, n)
    b = np.where(rng.random(n) < rng.random(), y, rng.integers(0, k, n))
    cluster = rng.integers(0, groups, n)
    present = np.unique(y)
    accuracy = lambda x, axis=-1: (x == y).mean(axis)
    uar = lambda x, axis=-1: np.mean([(x[..., y == c] == c).mean(-1) for c in present], axis=0)
    expect = {}
    for name, f in (("accuracy", accuracy), ("uar", uar)):
        got = scipy.stats.permutation_test((a, b), lambda p, q, axis: f(p) - f(q), permutation_type="samples",
                                           n_resamples=np.inf, vectorized=True, axis=-1)
        observed, hits, ids = f(a) - f(b), [], np.unique(cluster)
        for flips in itertools.product([False, True], repeat=len(ids)):  # whole clusters: by definition
            swap = np.isin(cluster, ids[np.array(flips)])
            hits.append(abs(f(np.where(swap, b, a)) - f(np.where(swap, a, b))) >= abs(observed) - 1e-12)
        expect[name] = {"difference": got.statistic, "p": got.pvalue, "clustered": np.mean(hits)}
    letters = lambda x: "".join(LETTERS[i] for i in x)
    return {"k": k, "truth": letters(y), "first": letters(a), "second": letters(b), "cluster": letters(cluster), "expect": expect}


TOPICS = [classification, agreement, probabilities, soft_labels, dimensional, transcription, significance, intervals,
          permutation]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("packages/eval-metrics/test/fixtures/oracle.json.gz"))
    args = parser.parse_args()
    result = {}
    for number, topic in enumerate(TOPICS):
        rng = np.random.default_rng([args.seed, number])
        result[topic.__name__] = [floats(topic(rng)) for _ in range(args.cases)]
    text = json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(gzip.compress(text, 9, mtime=0))
    print(f"{args.out}: {len(text)} bytes of JSON, {args.out.stat().st_size} packed")


if __name__ == "__main__":
    main()
