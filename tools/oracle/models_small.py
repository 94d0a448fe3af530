#!/usr/bin/env python3
"""Checkpoints for the tests of packages/backbones: as models_torch.py makes them, but smaller, and each with what its family has beyond
the plain case (windows, partial and scaled rotary positions, both kinds of layers).

    python tools/oracle/models_small.py --out packages/backbones/test/fixtures [--seed N] [--only NAME,...]

Whisper hears one second instead of thirty, so that its features are small. `last` stands beside `hidden` there.
"""
import argparse, json, os
import torch
from safetensors.torch import save_file
from models_torch import enliven


def save(model, path, golden):
    os.makedirs(path, exist_ok=True)
    model.save_pretrained(path)
    for junk in ("generation_config.json",):
        if os.path.exists(f"{path}/{junk}"): os.remove(f"{path}/{junk}")
    save_file({k: v.detach().clone().contiguous() for k, v in golden.items()}, f"{path}/golden.safetensors")


def language(build):
    def make(path):
        m = build().eval(); enliven(m)
        lengths = torch.tensor([13, 7]); ids = torch.randint(4, m.config.vocab_size, (2, 13)); ids[1, 7:] = 0
        with torch.no_grad(): logits = m(ids, attention_mask=(torch.arange(13)[None] < lengths[:, None]).long()).logits
        save(m, path, {"input_ids": ids, "lengths": lengths, "logits": logits})
    return make


def languages():
    import transformers as t
    s = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=48, bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation="eager")
    windows = dict(use_sliding_window=True, sliding_window=5, max_window_layers=1)
    llama3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
    long = dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.2], long_factor=[1.5, 2.0, 4.0], partial_rotary_factor=0.75)
    return {
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**s, tie_word_embeddings=True, max_position_embeddings=256, rope_parameters=llama3, attention_bias=True, mlp_bias=True)),
        "llama-linear": lambda: t.LlamaForCausalLM(t.LlamaConfig(**s, tie_word_embeddings=False, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))),
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**s, sliding_window=5)),
        "qwen2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**s, **windows, tie_word_embeddings=True)),
        "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**s, **windows, head_dim=12, tie_word_embeddings=True)),
        "smollm3": lambda: t.SmolLM3ForCausalLM(t.SmolLM3Config(**s, no_rope_layer_interval=2)),
        "gemma2": lambda: t.Gemma2ForCausalLM(t.Gemma2Config(**s, head_dim=12, query_pre_attn_scalar=20, sliding_window=5, final_logit_softcapping=4.0, attn_logit_softcapping=2.0)),
        "gemma3": lambda: t.Gemma3ForCausalLM(t.Gemma3TextConfig(**s, head_dim=12, query_pre_attn_scalar=20, sliding_window=5, sliding_window_pattern=2)),
        "phi3": lambda: t.Phi3ForCausalLM(t.Phi3Config(**s, sliding_window=5)),
        "phi3-longrope-short": lambda: t.Phi3ForCausalLM(t.Phi3Config(**s, max_position_embeddings=64, original_max_position_embeddings=16, rope_parameters=long)),
        "phi3-longrope-long": lambda: t.Phi3ForCausalLM(t.Phi3Config(**s, max_position_embeddings=64, original_max_position_embeddings=12, rope_parameters=long)),
    }


def encoder(kind, stable):
    import transformers as t
    config_class, model_class = {"wav2vec2": (t.Wav2Vec2Config, t.Wav2Vec2Model), "hubert": (t.HubertConfig, t.HubertModel), "wavlm": (t.WavLMConfig, t.WavLMModel)}[kind]

    def make(path):
        # Distances above max_bucket_distance, and logarithmic buckets, are reached within these clips.
        more = dict(num_buckets=16, max_bucket_distance=12) if kind == "wavlm" else {}
        c = config_class(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, conv_dim=(8,) * 7, num_conv_pos_embeddings=8 if stable else 7, num_conv_pos_embedding_groups=4,
                         feat_extract_norm="layer" if stable else "group", do_stable_layer_norm=stable, conv_bias=stable, mask_time_prob=0.0, layerdrop=0.0, **more)
        m = model_class(c).eval(); enliven(m)
        os.makedirs(path, exist_ok=True)
        f = t.Wav2Vec2FeatureExtractor(do_normalize=stable, return_attention_mask=stable); f.save_pretrained(path)
        w = [torch.randn(7000) * 0.3, torch.randn(3300) * 0.1 + 0.02]
        x = f([v.numpy() for v in w], sampling_rate=16000, padding=True, return_tensors="pt")
        lengths = torch.tensor([7000, 3300])
        with torch.no_grad():
            o = m(**x, output_hidden_states=True); alone = m(f(w[1].numpy(), sampling_rate=16000, return_tensors="pt").input_values).last_hidden_state[0]
        save(m, path, {"waveform": torch.nn.utils.rnn.pad_sequence(w, batch_first=True), "lengths": lengths, "frames": m._get_feat_extract_output_lengths(lengths), "alone": alone, "last": o.last_hidden_state, **{f"hidden.{i}": h for i, h in enumerate(o.hidden_states)}})
    return make


def whisper(path):
    import transformers as t
    m = t.WhisperModel(t.WhisperConfig(d_model=24, encoder_layers=2, encoder_attention_heads=3, encoder_ffn_dim=40, decoder_layers=1, decoder_attention_heads=3, decoder_ffn_dim=8, vocab_size=8, max_source_positions=50, max_target_positions=4, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)).eval()
    enliven(m)
    os.makedirs(path, exist_ok=True)
    f = t.WhisperFeatureExtractor(chunk_length=1); f.save_pretrained(path)
    w = [torch.randn(14000) * 0.2, torch.randn(6000) * 0.1]
    x = f([v.numpy() for v in w], sampling_rate=16000, return_tensors="pt").input_features
    with torch.no_grad(): o = m.encoder(x, output_hidden_states=True)
    save(m, path, {"waveform": torch.nn.utils.rnn.pad_sequence(w, batch_first=True), "lengths": torch.tensor([14000, 6000]), "input_features": x, "hidden": o.last_hidden_state, **{f"hidden.{i}": h for i, h in enumerate(o.hidden_states)}})


def wavlm_buckets(path):
    """transformers' bucket of every distance, for the shape of the published WavLM models."""
    from transformers.models.wavlm.modeling_wavlm import WavLMAttention
    out = {}
    for buckets, distance in ((320, 800), (16, 12), (64, 100)):
        a = WavLMAttention(8, 2, num_buckets=buckets, max_distance=distance)
        out[f"{buckets},{distance}"] = a._relative_positions_bucket(torch.arange(-1200, 1201)).tolist()
    with open(f"{path}.json", "w") as f: json.dump(out, f)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True); ap.add_argument("--seed", type=int, default=0); ap.add_argument("--only", default="")
    a = ap.parse_args()
    makers = {**{k: language(b) for k, b in languages().items()}, **{f"{k}-{'large' if st else 'base'}": encoder(k, st) for k in ("wavlm", "wav2vec2", "hubert") for st in (False, True)}, "whisper": whisper, "wavlm-buckets": wavlm_buckets}
    os.makedirs(a.out, exist_ok=True)
    for name, make in makers.items():
        if a.only and name not in a.only.split(","): continue
        torch.manual_seed(a.seed)
        make(f"{a.out}/{name}"); print("made", name, flush=True)
