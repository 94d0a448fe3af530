/** @file The text of a new config: every key that people change, with what it does. */
import { stringify } from "yaml";

/** What is filled in. */
export interface ConfigChoices {
  readonly corpus: string;
  readonly model: string;
  readonly encoder: string | undefined;
  readonly output: string;
  readonly scheme: string;
  readonly protocol: string;
  /** What is known of the corpus, for a comment. */
  readonly note: string;
  /** The utterances are turns of dialogues. */
  readonly dialogues: boolean;
}

/** A string as YAML reads it back. */
const plain = (text: string): string => stringify(text, { lineWidth: 0 }).trim();

/** YAML with comments; valid as it is. */
export function configText({
  corpus,
  model,
  encoder,
  output,
  scheme,
  protocol,
  note,
  dialogues,
}: ConfigChoices): string {
  const sound =
    encoder === undefined
      ? `# Sound: log-mel bands, pitch and loudness, which need no weights. Or a speech encoder:
# encoder_name_or_path: microsoft/wavlm-large
front_end:
  kind: prosody`
      : `encoder_name_or_path: ${plain(encoder)} # its frames are computed once and kept in a cache
encoder_layers: -1 # -1 the last layer, a list of layers, or all (weighed by a projector of type layer_sum)`;
  const prompt = dialogues
    ? "emotion-question-first # with dialogue context: emosllm prompts list --task emotion"
    : "emotion-question-first # emosllm prompts list --task emotion";
  return `# emosllm train THIS_FILE [key=value ...]
# Checks: emosllm validate THIS_FILE, emosllm doctor THIS_FILE

### model
model_name_or_path: ${plain(model)}
precision: int8 # how the frozen weights are held: f32 (exact), int8, int4
${sound}
projector: # sound to vectors that the language model reads: EmoSLLM's QPMapper
  type: qp_mapper
  num_queries: 32 # vectors for one utterance
  hidden_size: 768
  num_layers: 2
  num_heads: 8

### method
lora: # PEFT's own names
  r: 8
  lora_alpha: 16
  target_modules: all-linear
prompt: ${prompt}

### dataset
corpus: ${plain(corpus)} # ${note}
scheme: ${scheme} # emosllm corpus list
protocol: ${protocol} # how it is split; emosllm corpus audit ${plain(corpus)} --scheme ${scheme} --protocol ${protocol}
fold: 1 # all of them: emosllm crossval THIS_FILE

### train
learning_rate: 0.0004
num_train_epochs: 5
per_device_train_batch_size: 8
gradient_accumulation_steps: 2 # one update for 16 utterances
lr_scheduler_type: cosine
warmup_ratio: 0.1
weight_decay: 0.01
transcript_dropout: 0.5 # share of utterances shown without their words, so that the voice is listened to
seed: 0

### output
output_dir: ${plain(output)}
logging_steps: 10
`;
}
