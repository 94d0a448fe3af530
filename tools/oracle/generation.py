#!/usr/bin/env python3
"""What transformers generates from model folders (those of models_small.py, say), and what its logits processors make of random logits.

    python tools/oracle/generation.py --out packages/generation/test/fixtures packages/backbones/test/fixtures/{llama,gemma2,...}
    python tools/oracle/models_small.py --out DIR --seed 5; python tools/oracle/generation.py --out DIR --seed 5 DIR/*; npm run -s oracle -- generation DIR

Writes OUT/generation.json: for each folder (by name) runs `{prompt, options, ids, margin}`: greedy, alone, in f32, with transformers' own cache;
`margin` is the least distance of the chosen logit from the second best in units of the largest logit, so that a tie can be told from a mistake.
Writes OUT/processors.json: `{logits, said, options, result}`; null is -Infinity.
"""
import argparse, json, os
import torch, transformers
from transformers import AutoModelForCausalLM
from transformers.generation import (LogitsProcessorList, RepetitionPenaltyLogitsProcessor, MinNewTokensLengthLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper)


def runs(folder, seed, steps=40):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    g = torch.Generator().manual_seed(seed)
    vocab = model.config.vocab_size

    def run(prompt, **options):
        hf = {"max_new_tokens": steps, "do_sample": False, "eos_token_id": -1, "pad_token_id": 0, **options}
        ids = torch.tensor([prompt])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), return_dict_in_generate=True, output_scores=True, **hf)
        made = out.sequences[0, len(prompt):].tolist()
        margin = 1.0
        for s in out.scores:
            top = s[0].topk(2).values
            margin = min(margin, float((top[0] - top[1]) / s[0][s[0].isfinite()].abs().max()))
        given = {k: v for k, v in options.items()}
        return {"prompt": prompt, "options": {"max_new_tokens": steps, **given}, "ids": made, "margin": margin}

    prompts = [torch.randint(4, vocab, (n,), generator=g).tolist() for n in (9, 3, 14, 1)]
    list_ = [run(p) for p in prompts]
    list_.append(run(prompts[0], repetition_penalty=1.3))
    # An end that comes: the token that stands tenth in the plain run.
    end = list_[2]["ids"][9]
    list_.append(run(prompts[2], eos_token_id=[end]))
    list_.append(run(prompts[2], eos_token_id=[end], min_new_tokens=20, repetition_penalty=1.1))
    return list_


def processors(seed):
    g = torch.Generator().manual_seed(seed)
    cases = []
    for case in range(60):
        vocab = int(torch.randint(5, 90, (1,), generator=g))
        logits = torch.randn(vocab, generator=g) * float(torch.rand(1, generator=g) * 6 + 0.2)
        if case % 5 == 0: logits = (logits * 2).round() / 2  # ties
        pick = lambda *v: v[int(torch.randint(0, len(v), (1,), generator=g))]
        said = torch.randint(0, vocab, (int(torch.randint(5, 16, (1,), generator=g)),), generator=g)
        o = {"repetition_penalty": pick(1.0, 1.2, 0.8), "temperature": pick(1.0, 0.6, 1.7), "top_k": pick(0, 1, 5, 40, 200), "top_p": pick(1.0, 0.9, 0.5, 0.1), "min_new_tokens": pick(0, 4), "new_tokens": pick(0, 3, 4)}
        eos = [1, 3]
        steps = LogitsProcessorList()
        if o["repetition_penalty"] != 1.0: steps.append(RepetitionPenaltyLogitsProcessor(o["repetition_penalty"]))
        if o["min_new_tokens"] > 0: steps.append(MinNewTokensLengthLogitsProcessor(len(said) - o["new_tokens"], o["min_new_tokens"], eos, device="cpu"))
        if o["temperature"] != 1.0: steps.append(TemperatureLogitsWarper(o["temperature"]))
        if o["top_k"]: steps.append(TopKLogitsWarper(o["top_k"]))
        if o["top_p"] < 1.0: steps.append(TopPLogitsWarper(o["top_p"]))
        result = steps(said[None], logits[None].clone())[0]
        cases.append({"logits": logits.tolist(), "said": said.tolist(), "eos": eos, "options": o, "result": [None if v == float("-inf") else v for v in result.tolist()]})
    return cases


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folders", nargs="*"); ap.add_argument("--out", required=True); ap.add_argument("--seed", type=int, default=0)
    a = ap.parse_args()
    torch.set_num_threads(1); transformers.logging.set_verbosity_error(); transformers.logging.disable_progress_bar()
    os.makedirs(a.out, exist_ok=True)
    made = {}
    for folder in a.folders:
        config = os.path.join(folder, "config.json")
        if not os.path.exists(config) or not any("CausalLM" in n for n in json.load(open(config)).get("architectures", [])): continue
        name = os.path.basename(os.path.normpath(folder))
        made[name] = runs(folder, a.seed)
        print(name, "least margin", min(r["margin"] for r in made[name]), flush=True)
    json.dump(made, open(f"{a.out}/generation.json", "w"))
    json.dump(processors(a.seed), open(f"{a.out}/processors.json", "w"))
