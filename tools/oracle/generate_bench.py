#!/usr/bin/env python3
"""transformers' Llama at random weights: seconds to read a prompt and to write a token, with its own cache (one JSON line).

    python tools/oracle/generate_bench.py CONFIG_JSON float32|bfloat16 PROMPT NEW ROUNDS THREADS
"""
import json, sys, time, torch, transformers


def main(config, dtype, prompt, new, rounds, threads):
    torch.set_num_threads(int(threads)); torch.manual_seed(0); prompt, new, rounds = int(prompt), int(new), int(rounds)
    fields = {k: v for k, v in json.loads(config).items() if k not in ("model_type", "architectures")}
    torch.set_default_dtype(getattr(torch, dtype))
    c = transformers.LlamaConfig(**fields, attn_implementation="sdpa")
    with torch.device("meta"): m = transformers.LlamaForCausalLM(c)
    m = m.to_empty(device="cpu").eval(); m.tie_weights()
    noise = (torch.randn(1 << 20) * 0.02).to(getattr(torch, dtype))
    with torch.no_grad():
        for p in m.parameters():
            flat = p.view(-1)
            for i in range(0, flat.numel(), noise.numel()): flat[i:i + noise.numel()] = noise[:flat.numel() - i]
        m.model.rotary_emb = type(m.model.rotary_emb)(c)
    ids = torch.randint(4, c.vocab_size, (1, prompt)); prefill, decode = [], []
    with torch.inference_mode():
        for r in range(rounds + 1):
            t = time.perf_counter(); o = m(ids, use_cache=True, logits_to_keep=1); t1 = time.perf_counter() - t
            if r: prefill.append(t1)
            past, nxt = o.past_key_values, o.logits[:, -1:].argmax(-1)
            for _ in range(new if r else 1):
                t = time.perf_counter(); o = m(nxt, past_key_values=past, use_cache=True); t1 = time.perf_counter() - t
                if r: decode.append(t1)
                past, nxt = o.past_key_values, o.logits[:, -1:].argmax(-1)
    mid = lambda v: round(sorted(v)[len(v) // 2], 4)
    print(json.dumps({"prefill_s": mid(prefill), "decode_s": mid(decode)}))


main(*sys.argv[1:])
