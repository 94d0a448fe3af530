/** @file A trained vocabulary as the files that Hugging Face's libraries read. */
import { PRE_TOKENS, type Bpe } from "./bpe.ts";

/** Control tokens, ids 0 to 6; names are Llama 3's where it has them. */
export const CONTROL_TOKENS = [
  "<|begin_of_text|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|end_of_text|>",
  "<|eot_id|>",
  "<|pad|>",
  "<|audio|>",
] as const;

/** Llama 3's turns: a header with the role, a blank line, the content, `<|eot_id|>`. */
export const CHAT_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";

/** `tokenizer.json`, as `tokenizers` writes it. */
export function tokenizerJson({ tokens, merges }: Bpe): unknown {
  const vocabulary = Object.fromEntries([...CONTROL_TOKENS, ...tokens].map((token, id) => [token, id]));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: CONTROL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PRE_TOKENS }, behavior: "Isolated", invert: false },
        byteLevel,
      ],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<|begin_of_text|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        { SpecialToken: { id: "<|begin_of_text|>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "<|begin_of_text|>", type_id: 1 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: {
        "<|begin_of_text|>": { id: "<|begin_of_text|>", ids: [0], tokens: ["<|begin_of_text|>"] },
      },
    },
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabulary,
      merges: merges.map((pair) => [...pair]),
    },
  };
}

/** `tokenizer_config.json`, as transformers writes it. */
export function tokenizerConfig(): unknown {
  return {
    added_tokens_decoder: Object.fromEntries(
      CONTROL_TOKENS.map((content, id) => [
        String(id),
        { content, lstrip: false, normalized: false, rstrip: false, single_word: false, special: true },
      ]),
    ),
    additional_special_tokens: ["<|start_header_id|>", "<|end_header_id|>", "<|audio|>"],
    bos_token: "<|begin_of_text|>",
    chat_template: CHAT_TEMPLATE,
    clean_up_tokenization_spaces: false,
    eos_token: "<|eot_id|>",
    model_input_names: ["input_ids", "attention_mask"],
    model_max_length: 1024,
    pad_token: "<|pad|>",
    tokenizer_class: "PreTrainedTokenizerFast",
  };
}
