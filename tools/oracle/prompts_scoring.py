"""Makes test/fixtures/scoring.json of packages/prompts: label scoring, calibration, abstention, sensitivity and word errors by
scipy, numpy, scikit-learn, statsmodels-style formulas and jiwer.

usage: python tools/oracle/prompts_scoring.py [OUT=packages/prompts/test/fixtures/scoring.json] [--seed 0]
"""
import argparse, itertools, json
import jiwer
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import binomtest
from sklearn.metrics import recall_score


def scoring(rng):
    cases = []
    for _ in range(12):
        answers = [[(-rng.gamma(1.5, 2, rng.integers(1, 5))).tolist() for _ in range(rng.integers(1, 4))] for _ in range(rng.integers(2, 8))]
        rules = {"sum": np.sum, "mean": np.mean, "first": lambda t: t[0]}
        scores = {f"{rule} {pool}": [float({"logsumexp": logsumexp, "max": np.max}[pool]([f(t) for t in words])) for words in answers] for rule, f in rules.items() for pool in ("logsumexp", "max")}
        temperature, bias = float(rng.uniform(0.3, 3)), rng.normal(0, 1, len(answers)).tolist()
        s = np.array(scores["sum logsumexp"])
        cases.append({"answers": answers, "scores": scores, "probabilities": softmax(s).tolist(), "temperature": temperature, "bias": bias,
                      "calibrated": softmax((s + bias) / temperature).tolist()})
    return cases


def temperature(rng):
    cases = []
    for sharp in (0.2, 1, 3, 8):
        for rows, labels in ((40, 4), (300, 7)):
            truth = rng.integers(0, labels, rows)
            scores = rng.normal(0, 1, (rows, labels)) + 1.2 * np.eye(labels)[truth]
            scores = sharp * scores - 5
            loss = lambda t: -log_softmax(scores / np.exp(t), 1)[np.arange(rows), truth].mean()
            best = minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-12})
            cases.append({"scores": scores.tolist(), "truth": truth.tolist(), "temperature": float(np.exp(best.x)), "before": float(loss(0)), "after": float(best.fun)})
    return cases


def abstention(rng):
    cases = []
    for n, steps in ((50, 1000), (400, 12), (7, 3)):
        confidence = np.round(rng.uniform(0.25, 1, n) * steps) / steps
        correct = rng.uniform(0, 1, n) < confidence
        for target in (0.5, 0.7, 0.9, 1.0):
            for z in (0, 1.645):
                best = None
                for threshold in np.unique(confidence):
                    kept = correct[confidence >= threshold]
                    if z == 0: low = kept.mean()
                    else:
                        # scipy's Wilson interval of the confidence level that z standard deviations are
                        from scipy.stats import norm
                        low = binomtest(int(kept.sum()), len(kept)).proportion_ci(2 * norm.cdf(z) - 1, "wilson").low
                    if low >= target - 1e-15 and (best is None or len(kept) > best["answered"]):
                        best = {"threshold": float(threshold), "coverage": len(kept) / n, "accuracy": float(kept.mean()), "answered": len(kept)}
                cases.append({"confidence": confidence.tolist(), "correct": correct.tolist(), "target": target, "z": z, "best": best})
    return cases


def sensitivity(rng):
    labels = ["angry", "happy", "sad", "neutral"]
    truth = rng.choice(labels, 60).tolist()
    runs = []
    for prompt, order, slot in itertools.product("abc", ("1", "2"), ("none", "transcript")):
        noise = {"a": 0.2, "b": 0.3, "c": 0.5}[prompt] + 0.1 * (slot == "none")
        runs.append({"name": f"{prompt}{order}{slot}", "factors": {"prompt": prompt, "order": order, "slots": slot},
                     "predictions": [(None if rng.uniform() < 0.05 else rng.choice(labels)) if rng.uniform() < noise else t for t in truth]})
    score = lambda p: recall_score(truth, [x or "none" for x in p], labels=labels, average="macro", zero_division=0)
    scores = [float(score(r["predictions"])) for r in runs]
    pairs = list(itertools.combinations(range(len(runs)), 2))
    equal = lambda i, j: np.mean([a == b for a, b in zip(runs[i]["predictions"], runs[j]["predictions"])])
    factors = {}
    for f in ("prompt", "order", "slots"):
        level = {v: float(np.mean([s for s, r in zip(scores, runs) if r["factors"][f] == v])) for v in dict.fromkeys(r["factors"][f] for r in runs)}
        only = [(i, j) for i, j in pairs if [k for k in runs[i]["factors"] if runs[i]["factors"][k] != runs[j]["factors"][k]] == [f]]
        factors[f] = {"levels": level, "range": max(level.values()) - min(level.values()), "changed": float(np.mean([1 - equal(i, j) for i, j in only]))}
    return {"truth": truth, "runs": runs, "scores": scores, "mean": float(np.mean(scores)), "worst": min(scores), "best": max(scores), "deviation": float(np.std(scores, ddof=1)),
            "agreement": float(np.mean([equal(i, j) for i, j in pairs])), "unanimous": float(np.mean([len({r["predictions"][i] for r in runs}) == 1 for i in range(len(truth))])), "factors": factors}


def words(rng):
    vocabulary = "a b c d e".split()
    cases = []
    for _ in range(60):
        r, h = (rng.choice(vocabulary, rng.integers(1, 12)).tolist() for _ in range(2))
        m = jiwer.process_words(" ".join(r), " ".join(h))
        cases.append({"reference": r, "hypothesis": h, "errors": m.substitutions + m.deletions + m.insertions})
    return cases


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out", nargs="?", default="packages/prompts/test/fixtures/scoring.json")
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    rng = np.random.default_rng(a.seed)
    json.dump({f.__name__: f(rng) for f in (scoring, temperature, abstention, sensitivity, words)}, open(a.out, "w"))


main()
