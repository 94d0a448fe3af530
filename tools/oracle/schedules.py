"""Learning rates of transformers' schedulers: python tools/oracle/schedules.py packages/training/test/fixtures/schedules.json"""
import json, sys
import torch
from transformers import get_scheduler

CASES = [
    ("constant", 0, 0, 12, {}), ("constant_with_warmup", 4, 0, 12, {}), ("linear", 0, 10, 12, {}), ("linear", 3, 10, 12, {}), ("cosine", 0, 10, 11, {}),
    ("cosine", 5, 17, 17, {}), ("cosine", 7, 7, 8, {}), ("cosine_with_min_lr", 2, 11, 11, {"min_lr_rate": 0.1}),
]
out = []
for kind, warmup, total, steps, extra in CASES:
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-3)
    s = get_scheduler(kind, opt, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=extra or None)
    rates = []
    for _ in range(steps):
        rates.append(s.get_last_lr()[0]); opt.step(); s.step()
    out.append(dict(type=kind, learningRate=3e-3, warmupSteps=warmup, totalSteps=total, minRatio=extra.get("min_lr_rate", 0), rates=rates))
json.dump(out, open(sys.argv[1], "w"), indent=1)
