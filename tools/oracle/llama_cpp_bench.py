"""Times llama.cpp on a GGUF file of random weights: a prompt read and tokens written, the fastest settings it has by itself.

    python tools/oracle/llama_cpp_bench.py FILE.gguf PROMPT NEW ROUNDS THREADS

Needs llama-cpp-python, which builds llama.cpp for this machine. Prints {"prefill_s", "decode_s"}: medians, decode per token after the prompt.
"""

import json
import statistics
import sys
import time

import llama_cpp as ll

path, *numbers = sys.argv[1:]
prompt, new, rounds, threads = (int(v) for v in numbers)

silent = ll.llama_log_callback(lambda level, text, data: None)  # kept: C calls it
ll.llama_log_set(silent, None)
ll.llama_backend_init()
model = ll.llama_model_load_from_file(path.encode(), ll.llama_model_default_params())
settings = ll.llama_context_default_params()
settings.n_ctx = prompt + new
settings.n_batch = settings.n_ubatch = prompt
settings.n_threads = settings.n_threads_batch = threads
context = ll.llama_init_from_model(model, settings)


def run(ids: list[int]) -> float:
    tokens = (ll.llama_token * len(ids))(*ids)
    began = time.perf_counter()
    if ll.llama_decode(context, ll.llama_batch_get_one(tokens, len(ids))) != 0:
        raise SystemExit("llama_decode failed")
    ll.llama_synchronize(context)
    return time.perf_counter() - began


prefill, decode = [], []
for _ in range(rounds + 1):
    ll.llama_memory_clear(ll.llama_get_memory(context), True)
    prefill.append(run([(7 * i) % 1000 + 3 for i in range(prompt)]))
    decode.append(sum(run([(11 * i) % 1000 + 3]) for i in range(new)) / new)
# The first round warms up.
print(json.dumps({"prefill_s": statistics.median(prefill[1:]), "decode_s": statistics.median(decode[1:])}))
