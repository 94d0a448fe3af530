"""Losses over alternative answers (packages/training/src/answer-loss.ts) and their gradients from PyTorch's autograd.

    python tools/oracle/answer_loss.py packages/training/test/fixtures/answer_loss.json
"""
import json
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
VOCAB = 11


def case(name, answers, labels, weights=None, smoothing=0.0, gamma=0.0):
    """answers: per row, per answer, the token ids; labels: per row an index or a distribution."""
    tokens = [(r, a, t) for r, row in enumerate(answers) for a, ids in enumerate(row) for t in ids]
    logits = (2 * torch.randn(len(tokens), VOCAB)).float().double().requires_grad_()
    nll = F.cross_entropy(logits, torch.tensor([t for _, _, t in tokens]), reduction="none")
    likelihood = {}
    for i, (r, a, _) in enumerate(tokens):
        likelihood[r, a] = likelihood.get((r, a), 0) - nll[i]
    targets = []
    for row, label in zip(answers, labels):
        n = len(row)
        q = torch.zeros(n)
        if isinstance(label, int):
            q[label] = 1
        else:
            q = torch.tensor(label) / sum(label)
        q = (1 - smoothing) * q + smoothing / n
        targets.append(q * (torch.tensor(weights) if weights else 1))
    # answer: a weighted mean over tokens
    total = sum(t * len(row[a]) for row, q in zip(answers, targets) for a, t in enumerate(q))
    answer = -sum(t * likelihood[r, a] for r, q in enumerate(targets) for a, t in enumerate(q)) / total
    # scored: a weighted mean over rows of the cross entropy among the row's answers
    scored, weight = 0, sum(q.sum() for q in targets)
    for r, q in enumerate(targets):
        logs = torch.log_softmax(torch.stack([likelihood[r, a] for a in range(len(q))]), 0)
        scored = scored - (q * (1 - logs.exp()) ** gamma * logs).sum() / weight
    same = len({len(row) for row in answers}) == 1
    if same and gamma == 0 and all(isinstance(label, int) for label in labels) and not (weights and smoothing):
        table = torch.stack([torch.stack([likelihood[r, a] for a in range(len(row))]) for r, row in enumerate(answers)])
        wanted = F.cross_entropy(table, torch.tensor(labels), weight=torch.tensor(weights) if weights else None, label_smoothing=smoothing)
        assert torch.allclose(wanted, scored), (name, wanted, scored)
    grads = [torch.autograd.grad(loss, logits, retain_graph=True)[0].flatten().tolist() for loss in (answer, scored)]
    return dict(name=name, answers=answers, labels=labels, weights=weights, smoothing=smoothing, gamma=gamma, vocab=VOCAB,
                logits=logits.flatten().tolist(), answer=answer.item(), scored=scored.item(),
                answer_gradient=grads[0], scored_gradient=grads[1])


WORDS = [[3], [4, 5], [6], [7, 8, 9]]
cases = [
    case("labels", [WORDS] * 3, [0, 1, 3]),
    case("class weights", [WORDS] * 3, [0, 1, 3], weights=[0.5, 2.0, 1.0, 1.5]),
    case("label smoothing", [WORDS] * 3, [2, 1, 3], smoothing=0.1),
    case("raters' shares", [WORDS] * 2, [[0.2, 0.5, 0.3, 0.0], [3.0, 0.0, 0.0, 1.0]]),
    case("focal loss", [WORDS] * 3, [0, 1, 3], gamma=2.0),
    case("focal loss, a root", [WORDS] * 2, [0, 2], gamma=0.5),
    case("everything at once", [WORDS] * 3, [[0.2, 0.5, 0.3, 0.0], 1, 3], weights=[0.5, 2.0, 1.0, 1.5], smoothing=0.2, gamma=1.5),
    case("rows with other numbers of answers", [WORDS, [[1], [2], [3], [4], [5]]], [1, [0.0, 0.0, 0.4, 0.6, 0.0]]),
]
with open(sys.argv[1], "w") as file:
    json.dump(cases, file)
