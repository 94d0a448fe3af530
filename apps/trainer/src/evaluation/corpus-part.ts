/** @file The utterances of one part of a split, with labels of a model's scheme: what an evaluation is made of. */
import {
  applyProtocol,
  betweenSchemes,
  collect,
  corpusProtocol,
  emotionScheme,
  mapLabel,
  openCorpus,
  type Part,
  parseCorpus,
  type Protocol,
  type Split,
  type ValidationRule,
} from "@emosllm/datasets";
import { EmosllmError, type EmotionScheme, type Utterance } from "@emosllm/interfaces";

/** Which part of which split. */
export interface PartOptions {
  /** The scheme whose labels the model gives. */
  readonly labels: EmotionScheme;
  /** The corpus' own scheme, where it is not the model's; default the one that most papers use. */
  readonly scheme?: string | undefined;
  /** Without a protocol the whole corpus is the part. */
  readonly protocol?: string | undefined;
  /** Where validation comes from, when not as the protocol has it. */
  readonly validation?: ValidationRule | undefined;
  readonly fold?: number;
  readonly seed?: number;
  readonly part?: Part;
}

/** Utterances that have a label of the model, and the split that they are of. */
export interface CorpusPart {
  readonly utterances: readonly Utterance[];
  readonly split: Split | undefined;
  /** `iemocap-4`, or `meld-7->iemocap-4` when labels were carried over by their common names. */
  readonly scheme: string;
}

/** Throws EmosllmError `corpus_invalid` when nothing is left, `config_invalid` for unknown names, `label_unknown` without a common label. */
export async function corpusPart(reference: string, options: PartOptions): Promise<CorpusPart> {
  const { labels, protocol: protocolName, fold = 1, seed = 0, part = "test" } = options;
  const corpus = parseCorpus(reference);
  const own = options.scheme ?? (labels.name.startsWith(`${corpus.name}-`) ? undefined : corpus.entry.scheme);
  const from = own === undefined || own === labels.name ? undefined : emotionScheme(own);
  const across = from && betweenSchemes(from, labels, { excited: "happy" });
  const direct = { ...labels, mapping: { ...Object.fromEntries(labels.labels.map((l) => [l, l])), ...labels.mapping } };
  const utterances = (await collect(openCorpus(reference))).flatMap((u): Utterance[] => {
    const mapped = mapLabel(u, from ?? direct);
    const carried = mapped && across ? mapLabel(mapped, across) : mapped;
    return carried ? [carried] : [];
  });
  const split =
    protocolName === undefined
      ? undefined
      : applyProtocol(await withValidation(corpusProtocol(corpus, protocolName), options.validation), utterances, {
          fold,
          seed,
        });
  const ids = split && new Set(split[part]);
  const chosen = ids ? utterances.filter((u) => ids.has(u.id)) : utterances;
  const scheme = across?.name ?? labels.name;
  if (chosen.length === 0) {
    const where = split ? `the ${part} part of ${protocolName}, fold ${fold}, of ${reference}` : reference;
    throw new EmosllmError("corpus_invalid", `${where}: no utterance with a label of ${scheme}`);
  }
  return { utterances: chosen, split, scheme };
}

const withValidation = async (
  protocol: Promise<Protocol>,
  validation: ValidationRule | undefined,
): Promise<Protocol> => ({ ...(await protocol), ...(validation === undefined ? {} : { validation }) });
