#!/usr/bin/env python3
"""A Llama of random weights as a GGUF file without a tokenizer, for llama_cpp_bench.py (needs the package `gguf`).

    python tools/oracle/random_gguf.py OUT F16|Q8_0|Q4_0 CONFIG_JSON

The embeddings, which are the output matrix too, have 8 bits also with Q4_0, as ours have.
"""
import json, os, sys
import numpy as np, gguf

out, kind, c = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
rng = np.random.default_rng(0)
Q = gguf.GGMLQuantizationType


def blocks(shape, kind):
    """Random blocks as they lie in the file: a scale in f16, then 32 numbers of 8 or 4 bits."""
    n = int(np.prod(shape))
    if kind == Q.F16: return np.resize((rng.standard_normal(1 << 20) * 0.02).astype(np.float16), n).reshape(shape)
    width = 34 if kind == Q.Q8_0 else 18
    some = rng.integers(0, 256, (1 << 15, width), dtype=np.uint8)
    scale = 0.02 / (60 if kind == Q.Q8_0 else 4)
    some[:, :2] = np.full((1 << 15, 1), scale, np.float16).view(np.uint8)
    return np.resize(some, (n // 32, width)).reshape(*shape[:-1], shape[-1] // 32 * width)


w = gguf.GGUFWriter(out + ".tmp", "llama")
h, layers, kv = c["hidden_size"], c["num_hidden_layers"], c["hidden_size"] // c["num_attention_heads"] * c["num_key_value_heads"]
w.add_context_length(c["max_position_embeddings"]); w.add_embedding_length(h); w.add_block_count(layers); w.add_feed_forward_length(c["intermediate_size"])
w.add_head_count(c["num_attention_heads"]); w.add_head_count_kv(c["num_key_value_heads"]); w.add_layer_norm_rms_eps(c["rms_norm_eps"]); w.add_rope_freq_base(c["rope_theta"])
w.add_rope_dimension_count(h // c["num_attention_heads"]); w.add_vocab_size(c["vocab_size"]); w.add_tokenizer_model("none")
main = getattr(Q, kind)


def add(name, shape, kind):
    if len(shape) == 1: w.add_tensor(name, np.ones(shape, np.float32)); return
    w.add_tensor(name, blocks(shape, kind), raw_dtype=kind)


add("token_embd.weight", (c["vocab_size"], h), Q.F16 if main == Q.F16 else Q.Q8_0)
for i in range(layers):
    for name, shape in (("attn_q", (h, h)), ("attn_k", (kv, h)), ("attn_v", (kv, h)), ("attn_output", (h, h)), ("ffn_gate", (c["intermediate_size"], h)), ("ffn_up", (c["intermediate_size"], h)), ("ffn_down", (h, c["intermediate_size"])), ("attn_norm", (h,)), ("ffn_norm", (h,))):
        add(f"blk.{i}.{name}.weight", shape, main)
add("output_norm.weight", (h,), main)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
os.replace(out + ".tmp", out)
