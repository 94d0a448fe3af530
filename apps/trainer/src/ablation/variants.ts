/** @file What an ablation changes, one thing at a time, as overrides of a config. */
import { PROJECTOR_TYPES } from "@emosllm/projector";
import type { TrainConfig } from "../training/config.ts";

/** Things that can be taken away or exchanged. */
export const ABLATIONS = ["lora", "projector", "transcript", "voice", "prompts", "encoder"] as const;
/** One of {@link ABLATIONS}. */
export type Ablation = (typeof ABLATIONS)[number];

/** A system to train. */
export interface Variant {
  /** What it differs in from the config; `full` differs in nothing. */
  readonly group: Ablation | "full";
  readonly name: string;
  /** `key=value` */
  readonly overrides: readonly string[];
  /** Whether it is given the words when it is tested. */
  readonly transcripts: boolean;
}

/** Kinds that need no more than frames; a sum of layers needs an encoder's layers. */
const KINDS = PROJECTOR_TYPES.filter((type) => type !== ("layer_sum" as string));

type Make = (config: TrainConfig, encoders: readonly string[]) => Omit<Variant, "group">[];

const VARIANTS: { readonly [K in Ablation]: Make } = {
  lora: (config) => [
    config.freeze_adapter
      ? { name: "with LoRA", overrides: ["freeze_adapter=false"], transcripts: true }
      : { name: "without LoRA", overrides: ["freeze_adapter=true", ...unfrozenStages(config)], transcripts: true },
  ],
  projector: ({ projector }) =>
    KINDS.filter((type) => type !== projector.type).map((type) => ({
      name: `projector ${type}`,
      // The kinds have different keys: the others are as their package has them, but for the number of vectors.
      overrides: [`projector=${JSON.stringify({ type, ...shared(projector, type) })}`],
      transcripts: true,
    })),
  transcript: () => [{ name: "without transcript", overrides: ["transcript_dropout=1"], transcripts: false }],
  voice: ({ voice_description: voice }) => [
    voice.enabled
      ? { name: "without voice description", overrides: ["voice_description=false"], transcripts: true }
      : { name: "with voice description", overrides: ["voice_description=true"], transcripts: true },
  ],
  prompts: ({ prompt }) => [
    typeof prompt === "string"
      ? { name: "curated prompts", overrides: ['prompt={"language":"en"}'], transcripts: true }
      : {
          name: "single prompt",
          overrides: [`prompt=${JSON.stringify(Array.isArray(prompt) ? prompt[0] : "emotion-question-first")}`],
          transcripts: true,
        },
  ],
  encoder: ({ encoder_name_or_path: own }, encoders) =>
    encoders
      .filter((e) => e !== own)
      .map((e) => ({
        name: `encoder ${e.split(/[\\/]/).at(-1)}`,
        overrides: [`encoder_name_or_path=${JSON.stringify(e)}`],
        transcripts: true,
      })),
};

/** Stages that say themselves that the adapter is frozen need no word; the others get it from the config. */
const unfrozenStages = ({ stages }: TrainConfig): string[] =>
  (stages ?? []).flatMap((stage, i) => (stage.freeze_adapter === false ? [`stages.${i}.freeze_adapter=true`] : []));

/** Kinds that have so many vectors for an utterance; the others have as many as its length gives. */
const QUERIES = new Set<string>(["qp_mapper", "q_former"]);
const shared = (projector: TrainConfig["projector"], type: string): Record<string, unknown> =>
  QUERIES.has(type) && "num_queries" in projector ? { num_queries: projector["num_queries"] } : {};

/** The full system and its variants. */
export const variantsOf = (
  config: TrainConfig,
  groups: readonly Ablation[],
  encoders: readonly string[],
): Variant[] => [
  { group: "full", name: "full system", overrides: [], transcripts: true },
  ...groups.flatMap((group) => VARIANTS[group](config, encoders).map((variant) => ({ group, ...variant }))),
];
