#!/usr/bin/env python3
"""Projectors of every kind in PyTorch: outputs and gradients for the same weights and frames.

    python tools/oracle/projectors.py --out DIR [--seed N] [--size N]     DIR/CASE/{projector_config.json,projector.safetensors,golden.safetensors}

golden.safetensors: frames [R, T, W] (random beyond a row's length, too: nothing may depend on it), lengths [R], counts [R] (vectors of a row),
dy [R, n, D] (0 beyond a row's count), y [R, n, D] (0 there), `grad.NAME` of sum(y * dy) for each parameter, and `grad_frames`.
Every row runs by itself, cut to its length, so that there is no mask to get wrong; in float64. --size makes widths and lengths larger.

The package's fixtures: --out packages/projector/test/fixtures --seed 3
"""
import argparse, json, math, os
import torch
from torch import nn
from safetensors.torch import save_file

from emosllm_torch import QueryPoolingMapper


class QFormer(nn.Module):
    """SLAM-LLM's EncoderProjectorQFormer over transformers' Blip2QFormerModel (eager attention)."""
    def __init__(self, c):
        super().__init__()
        from transformers import Blip2QFormerConfig, Blip2QFormerModel
        q = Blip2QFormerConfig(hidden_size=c["hidden_size"], num_hidden_layers=c["num_layers"], num_attention_heads=c["num_heads"], intermediate_size=c["intermediate_size"],
                               cross_attention_frequency=c["cross_attention_frequency"], encoder_hidden_size=c["input_size"], layer_norm_eps=c["layer_norm_eps"],
                               hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, hidden_act="gelu", attn_implementation="eager")
        self.query = nn.Parameter(torch.randn(1, c["num_queries"], c["hidden_size"]))
        self.qformer = Blip2QFormerModel(q)
        self.linear = nn.Linear(c["hidden_size"], c["output_size"])
        self.norm = nn.LayerNorm(c["output_size"], eps=1e-5)

    def forward(self, x):
        mask = torch.ones(x.shape[:2], dtype=torch.long)
        y = self.qformer(query_embeds=self.query.expand(x.shape[0], -1, -1), encoder_hidden_states=x, encoder_attention_mask=mask, return_dict=True).last_hidden_state
        return self.norm(self.linear(y))


class WindowQFormer(QFormer):
    """SALMONN's: layer norm, then the Q-Former on each window; the last one may be short."""
    def __init__(self, c):
        super().__init__(c)
        self.ln = nn.LayerNorm(c["input_size"])
        self.size = max(1, math.floor(c["frames_per_second"] * c["seconds_per_window"] + 0.5))

    def forward(self, x):
        x = self.ln(x)
        return torch.cat([super(WindowQFormer, self).forward(x[:, i:i + self.size]) for i in range(0, x.shape[1], self.size)], 1)


class ConcatMlp(nn.Module):
    """SLAM-LLM's EncoderProjectorConcat, zeros after the end instead of dropping it."""
    def __init__(self, c):
        super().__init__()
        self.k = c["frames_per_vector"]
        self.linear1 = nn.Linear(c["input_size"] * self.k, c["hidden_size"])
        self.linear2 = nn.Linear(c["hidden_size"], c["output_size"])

    def forward(self, x):
        x = nn.functional.pad(x, (0, 0, 0, -x.shape[1] % self.k))
        return self.linear2(nn.functional.relu(self.linear1(x.reshape(x.shape[0], -1, x.shape[2] * self.k))))


class Conv(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.conv = nn.ModuleList([nn.Conv1d(c["input_size"] if i == 0 else d, d, c["kernel_size"], c["stride"], padding=c["kernel_size"] // 2) for i in range(c["num_layers"])])
        self.output = nn.Linear(d, c["output_size"])

    def forward(self, x):
        x = x.transpose(1, 2)
        for layer in self.conv: x = nn.functional.gelu(layer(x))
        return self.output(x.transpose(1, 2))


class PooledLinear(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.size = c["frames_per_vector"]
        self.linear = nn.Linear(c["input_size"], c["output_size"])

    def forward(self, x):
        return self.linear(torch.cat([part.mean(1, keepdim=True) for part in (x.split(self.size, 1) if self.size else [x])], 1))


class QpMapper(QueryPoolingMapper):
    def __init__(self, c):
        super().__init__(c["input_size"], c["output_size"], c["num_queries"], c["hidden_size"], c["num_layers"], c["num_heads"], c["positions"])

    def forward(self, x): return super().forward(x, torch.tensor([x.shape[1]] * x.shape[0]))


class OverLayers(nn.Module):
    """s3prl's Featurizer: softmax weights over the layers."""
    def __init__(self, inner, layers):
        super().__init__()
        self.layers, self.layer_weights, self.inner = layers, nn.Parameter(torch.zeros(layers)), inner

    def forward(self, x):
        parts = x.reshape(*x.shape[:2], self.layers, -1)
        return self.inner((self.layer_weights.softmax(0)[:, None] * parts).sum(2))


KINDS = dict(qp_mapper=QpMapper, q_former=QFormer, window_q_former=WindowQFormer, concat_mlp=ConcatMlp, conv=Conv, pooled_linear=PooledLinear)
Q = dict(hidden_size=12, num_layers=3, num_heads=3, intermediate_size=20, cross_attention_frequency=2, layer_norm_eps=1e-12)
CASES = {
    "qp-mapper": dict(type="qp_mapper", num_queries=3, hidden_size=8, num_layers=2, num_heads=2, positions="none", layer_norm_eps=1e-5),
    "qp-mapper-positions": dict(type="qp_mapper", num_queries=2, hidden_size=12, num_layers=1, num_heads=3, positions="sinusoidal", layer_norm_eps=1e-5, num_layers_in=4),
    "q-former": dict(type="q_former", num_queries=5, **Q),
    "q-former-layers": dict(type="q_former", num_queries=2, num_layers_in=3, **{**Q, "cross_attention_frequency": 1, "num_layers": 2}),
    "window-q-former": dict(type="window_q_former", num_queries=1, frames_per_second=12, seconds_per_window=1 / 3, **{**Q, "num_layers": 2}),
    "window-q-former-two": dict(type="window_q_former", num_queries=2, frames_per_second=50, seconds_per_window=0.06, num_layers_in=2, **{**Q, "num_layers": 1}),
    "concat-mlp": dict(type="concat_mlp", frames_per_vector=5, hidden_size=11),
    "concat-mlp-one": dict(type="concat_mlp", frames_per_vector=1, hidden_size=7, num_layers_in=5),
    "conv": dict(type="conv", num_layers=3, kernel_size=3, stride=2, hidden_size=9),
    "conv-wide": dict(type="conv", num_layers=2, kernel_size=7, stride=3, hidden_size=6, num_layers_in=2),
    "conv-one": dict(type="conv", num_layers=1, kernel_size=1, stride=4, hidden_size=5),
    "pooled-linear": dict(type="pooled_linear", frames_per_vector=None),
    "pooled-linear-groups": dict(type="pooled_linear", frames_per_vector=4, num_layers_in=3),
}


def make(name, given, a, index):
    torch.manual_seed(a.seed * 1000 + index)
    g = lambda lo, hi: int(torch.randint(lo, hi + 1, (1,)))
    c = dict(num_layers_in=1, **{}) | given | dict(input_size=g(5, 8 + a.size), output_size=g(3, 6 + a.size))
    module = KINDS[c["type"]](c).double()
    if c["num_layers_in"] > 1: module = OverLayers(module, c["num_layers_in"]).double()
    with torch.no_grad():
        for p in module.parameters(): p.add_(torch.randn_like(p) * 0.3); p.copy_(p.float().double())
    lengths = [1, g(2, 6), g(11, 23 + 4 * a.size), g(1, 4)]
    width = c["input_size"] * c["num_layers_in"]
    frames = torch.randn(len(lengths), max(lengths), width).double().requires_grad_()
    ys = [module(frames[r:r + 1, :n])[0] for r, n in enumerate(lengths)]
    counts = [y.shape[0] for y in ys]
    most = max(counts)
    y = torch.stack([nn.functional.pad(v, (0, 0, 0, most - v.shape[0])) for v in ys])
    dy = torch.randn_like(y) * (torch.arange(most)[None, :, None] < torch.tensor(counts)[:, None, None])
    (y * dy).sum().backward()
    own = lambda n: n.removeprefix("inner.")
    folder = f"{a.out}/{name}"; os.makedirs(folder, exist_ok=True)
    f32 = lambda t: t.detach().float().contiguous()
    save_file({own(n): f32(p) for n, p in module.named_parameters()}, f"{folder}/projector.safetensors", {"format": "pt"})
    golden = dict(frames=f32(frames), lengths=torch.tensor(lengths), counts=torch.tensor(counts), y=f32(y), dy=f32(dy), grad_frames=f32(frames.grad))
    golden |= {f"grad.{own(n)}": f32(p.grad) for n, p in module.named_parameters()}
    save_file(golden, f"{folder}/golden.safetensors")
    with open(f"{folder}/projector_config.json", "w") as f: f.write(json.dumps(c, indent=2) + "\n")
    print(json.dumps(dict(case=name, lengths=lengths, counts=counts, parameters=sum(p.numel() for p in module.parameters()))), flush=True)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True); ap.add_argument("--seed", type=int, default=0); ap.add_argument("--size", type=int, default=0)
    a = ap.parse_args()
    for i, (name, given) in enumerate(CASES.items()): make(name, given, a, i)
