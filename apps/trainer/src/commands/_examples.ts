/** @file What `--help` shows of each command, by its words. A command without an example does not pass the tests. */

/** Command lines without `emosllm`. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "": ["train config.yaml", "predict --bundle runs/demo/best turn.wav"],
  init: [
    "init --corpus iemocap:data/IEMOCAP_full_release --model meta-llama/Llama-3.2-1B-Instruct --out config.yaml",
    "init --corpus meld:data/MELD.Raw --model Qwen/Qwen2.5-0.5B-Instruct --encoder microsoft/wavlm-large",
  ],
  validate: [
    "validate config.yaml",
    "validate config.yaml learning_rate=0.0003 --resolved",
    "validate config.yaml --json",
  ],
  doctor: ["doctor", "doctor config.yaml", "doctor config.yaml per_device_train_batch_size=4 --measure --json"],
  corpus: ["corpus list", "corpus audit iemocap:data/IEMOCAP_full_release --protocol loso5 --scheme iemocap-4"],
  "corpus audit": ["corpus audit iemocap:data/IEMOCAP_full_release --scheme iemocap-4 --protocol loso5 --json"],
  "corpus export": ["corpus export meld:data/MELD.Raw --out meld.jsonl --format jsonl --scheme meld-7"],
  "corpus split": ["corpus split iemocap:data/IEMOCAP_full_release --scheme iemocap-4 --protocol loso5 --fold 5"],
  "corpus list": ["corpus list --json"],
  prompts: ["prompts list --task emotion --language en", "prompts check my-prompts.yaml"],
  "prompts list": ["prompts list --task emotion --language en", "prompts list --json"],
  "prompts check": ["prompts check my-prompts.yaml --json"],
  "prompts render": ["prompts render emotion-question-first --model tools/tiny-backbone/model --transcript 'I see.'"],
  "prompts search": [
    "prompts search --bundle runs/r16/best --out runs/r16/search",
    "prompts search --config config.yaml --prompts emotion-plain,my-prompts.yaml --orders 5 --out runs/search",
  ],
  "prompts sensitivity": ["prompts sensitivity --bundle runs/demo/best --orders 4 --out runs/demo/sensitivity"],
  probe: [
    "probe --bundle runs/demo/best --out runs/demo/probe",
    "probe --bundle runs/demo/best --out runs/demo/probe --corruptions noise:20,10,5,0 reverb:0.4,0.8 telephone wer:0.1,0.3",
  ],
  features: ["features extract turn.wav --features log-mel --out turn.safetensors", "features size cache"],
  "features bins": ["features bins iemocap:data/IEMOCAP_full_release --protocol loso5 --fold 5 --out bins.json"],
  "features build": ["features build meld:data/MELD.Raw --features egemaps --cache cache --shard 0/8"],
  "features describe": ["features describe turn.wav --bins bins.json --gender female"],
  "features extract": [
    "features extract turn.wav --features log-mel --settings '{\"numMelBins\":80}' --out turn.safetensors",
  ],
  "features prune": ["features prune cache --older-than-days 30 --dry-run"],
  "features size": ["features size cache --json"],
  "features verify": ["features verify cache --repair"],
  predict: [
    "predict --bundle runs/demo/best turn.wav --transcript 'I will see you tomorrow.'",
    "predict --bundle runs/demo/best recordings/ --json > answers.jsonl",
    "predict --bundle runs/demo/best calls.csv --json",
    "find . -name '*.flac' | emosllm predict --bundle runs/demo/best --list - --json",
    "predict --bundle runs/demo/best --timeline meeting.wav --format rttm --out meeting.rttm",
  ],
  serve: [
    "serve --bundle runs/demo/best --port 8080",
    "serve --bundle ser=runs/a/best --bundle meld=runs/b/best --log json",
  ],
  train: [
    "train apps/trainer/recipes/demo.yaml",
    "train config.yaml learning_rate=0.0003 lora.r=16 output_dir=runs/r16",
  ],
  crossval: [
    "crossval apps/trainer/recipes/iemocap-5fold.yaml corpus=iemocap:data/IEMOCAP_full_release",
    "crossval config.yaml --folds 1,2 --jobs 2 --latex",
  ],
  ablate: [
    "ablate apps/trainer/recipes/demo.yaml --only lora,projector,transcript",
    "ablate config.yaml --encoders microsoft/wavlm-base-plus,openai/whisper-small --folds all --jobs 2 --latex",
  ],
  evaluate: [
    "evaluate --bundle runs/demo/best --corpus iemocap:runs/demo-corpus --protocol loso5 --fold 5 --out runs/demo/test",
    "evaluate --bundle runs/iemocap/best --corpus meld:data/MELD.Raw --protocol official --out runs/iemocap-on-meld --json",
    "evaluate --bundle runs/paper/best --corpus iemocap:data/IEMOCAP_full_release --protocol loso5 --fold 5 --transcribe --out runs/paper/words",
  ],
  compare: [
    "compare runs/a runs/b",
    "compare runs/a/predictions.jsonl runs/b/predictions.jsonl --cluster dialogue --json",
  ],
  completion: ["completion bash", "completion zsh", "completion fish"],
  merge: [
    "merge --bundle runs/demo/best --out runs/demo/merged",
    "merge --bundle runs/demo/best --out merged --dtype bf16",
  ],
  export: [
    "export --bundle runs/demo/best --to vllm --out adapters/emotion",
    "export --bundle runs/demo/best --to peft --out adapter",
  ],
  metrics: [
    "metrics runs/demo/predictions.jsonl",
    "metrics runs/a/predictions.jsonl --compare runs/b/predictions.jsonl --json",
  ],
};
