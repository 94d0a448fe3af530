"""Reads tools/tiny-backbone/model with transformers and writes what it makes of texts and chats: the fixture of the tokenizer tests.

usage: python tiny_backbone.py                      (from the repository root)
       python tiny_backbone.py --examples FILE      what the committed weights do on examples of write-examples.ts
Also checks that config.json is a Llama of 1 to 2 million parameters, and that tokenizers alone gives the same ids.
"""
import json
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

MODEL = "tools/tiny-backbone/model"
OUT = "tools/tiny-backbone/test/fixtures/tokenizer.json"
TEXTS = [
    "",
    "angry",
    " happy",
    "Which emotion does the speaker express? Answer with one word: angry, happy, neutral or sad.",
    "It's the 12th of May, isn't it?  I'm sure WE'LL see; they've 3.50 left...\n\nYes!\r\n\tOkay?   ",
    "naïve café – 日本語のテキスト, emoji 🙂👍🏽, combining e\u0301, nbsp\u00a0here, zero\u200bwidth",
    "<|begin_of_text|>control<|eot_id|> tokens <|audio|>in<|pad|> text <|not_one|>",
    "Supercalifragilistic antidisestablishmentarianism",
    "    four spaces\n      and six\n",
    "The voice is loud, high and fast.",
]
CHATS = [
    [{"role": "user", "content": "Repeat the sentence: The keys are on the table."}],
    [
        {"role": "system", "content": "You name the speaker's emotion with one word."},
        {"role": "user", "content": "  The voice is soft, low and slow.\n"},
        {"role": "assistant", "content": "sad"},
        {"role": "user", "content": "And now?"},
    ],
]



def kind_of(answer):
    if answer is None:
        return "reading"
    if answer.isalpha() and answer.islower():
        return "label word"
    return "letter or number" if len(answer) == 1 else "sentence"


def evaluate(file):
    model = LlamaForCausalLM.from_pretrained(MODEL).float().eval()
    table = {}
    for line in open(file):
        example = json.loads(line)
        ids = torch.tensor([example["ids"]])
        with torch.no_grad():
            guess = model(ids).logits[0, :-1].argmax(-1)
        mask = torch.tensor(example.get("lossMask", [True] * ids.shape[1])[1:])
        right = (guess == ids[0, 1:])[mask]
        row = table.setdefault(kind_of(example.get("answer")), {"examples": 0, "exact": 0, "tokens": 0, "right": 0})
        row["examples"] += 1
        row["exact"] += int(right.all())
        row["tokens"] += len(right)
        row["right"] += int(right.sum())
    print(json.dumps({k: {"examples": r["examples"], "exact": round(r["exact"] / r["examples"], 3), "tokens": round(r["right"] / r["tokens"], 3)} for k, r in table.items()}))


if sys.argv[1:2] == ["--examples"]:
    evaluate(sys.argv[2])
    sys.exit()

tokenizer = AutoTokenizer.from_pretrained(MODEL)
assert isinstance(tokenizer, PreTrainedTokenizerFast)
plain = Tokenizer.from_file(f"{MODEL}/tokenizer.json")
texts = []
for text in TEXTS:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert plain.encode(text, add_special_tokens=False).ids == ids, text
    assert tokenizer.encode(text) == [tokenizer.bos_token_id, *ids], text
    assert tokenizer.decode(ids) == text, (text, tokenizer.decode(ids))
    texts.append({"text": text, "ids": ids})
chats = []
for messages in CHATS:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    chats.append({"messages": messages, "text": text, "ids": ids})

config = AutoConfig.from_pretrained(MODEL)
assert (config.vocab_size, config.bos_token_id, config.eos_token_id, config.pad_token_id) == (
    len(tokenizer),
    tokenizer.bos_token_id,
    tokenizer.eos_token_id,
    tokenizer.pad_token_id,
)
model = LlamaForCausalLM(config)
parameters = sum(p.numel() for p in model.parameters())
assert 1e6 < parameters < 2e6, parameters
with torch.no_grad():
    assert model(torch.tensor([chats[0]["ids"]])).logits.shape[-1] == len(tokenizer)

with open(OUT, "w") as f:
    json.dump({"parameters": parameters, "texts": texts, "chats": chats}, f, ensure_ascii=False, indent=1)
    f.write("\n")
print(json.dumps({"parameters": parameters, "vocabulary": len(tokenizer), "texts": len(texts), "chats": len(chats)}))
