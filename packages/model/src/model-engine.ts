/** @file A bundle's language model with its adapter, ready to score and to generate; and its projector, which turns frames into vectors. */
import { input } from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { type Engine, type RowInputs, type SharedPrompt, type Token, openEngine, tokensOf } from "@emosllm/generation";
import { type CompileOptions, type HostTensor, type Program, compile, f32, feedsOf, i64 } from "@emosllm/runtime";
import {
  ADAPTER_INPUT,
  type AdapterChoice,
  type NamedAdapters,
  adapterIndex,
  adapterParameters,
  withAdapters,
} from "./adapters.ts";
import { type EmoSllmParts, PROJECTOR_PREFIX, weightsOf } from "./assemble.ts";
import { type Frames, commonPrefix } from "./batch.ts";

/** See the file. Dispose it. */
export interface ModelEngine {
  readonly engine: Engine;
  /** Vectors of each clip, one token's place each; clips do not influence each other. */
  project(clips: readonly Frames[]): Promise<Token[][]>;
  /**
   * What of `begin`, the usual beginning of some prompts, all of these have: run once, kept, and found again by `name`.
   * undefined where it is too little to be worth it.
   */
  shared(
    name: string,
    begin: readonly number[],
    prompts: readonly (readonly Token[])[],
    adapters?: readonly AdapterChoice[],
  ): Promise<SharedPrompt | undefined>;
  /** What every pass is fed. */
  readonly parameters: Readonly<Record<string, HostTensor>>;
  /** What says to a pass which adapter each row has. Throws EmosllmError `usage` for a name that is not there. */
  rowInputs(adapters: readonly AdapterChoice[]): RowInputs;
  dispose(): Promise<void>;
}

/** Fewer tokens than this are run along. */
const LEAST_SHARED = 4;
/** Beginnings that are kept; the one not asked for the longest goes. */
const MOST_KEPT = 16;

/** Options of {@link openModelEngine}. */
export interface ModelEngineOptions extends CompileOptions {
  /** Further adapters of the language model (maybe none), to be chosen row by row; so can be having none. */
  readonly adapters?: NamedAdapters;
}

/** Opens both programs with the parameters of a bundle. */
export async function openModelEngine(
  parts: EmoSllmParts,
  trained: Readonly<Record<string, HostTensor>>,
  { adapters: others, ...options }: ModelEngineOptions = {},
): Promise<ModelEngine> {
  const { languageModel, projector, adapter, audioSize } = parts;
  const adapters: NamedAdapters = others ?? new Map();
  const parameters = { ...trained, ...adapterParameters(adapters) };
  const adapted = others
    ? withAdapters(parts, adapters)
    : adapter?.adapt(languageModel, (name, shape) => input(name, shape));
  const engine = await openEngine({ ...languageModel, ...adapted }, options);
  let program: Promise<Program> | undefined;
  const kept = new Map<string, Promise<SharedPrompt>>();
  const rowInputs = (choices: readonly AdapterChoice[]): RowInputs => {
    const indices = choices.map((choice, i) => adapterIndex(adapters, choice, i));
    if (others) return { [ADAPTER_INPUT]: indices };
    if (choices.includes(null))
      throw new EmosllmError("usage", "adapter: null (none) needs the option 'adapters' when loading; {} will do");
    return {};
  };
  return {
    engine,
    parameters,
    rowInputs,
    async project(clips) {
      if (clips.length === 0) return [];
      program ??= compile(
        {
          vectors: projector.build(
            input("audio_features", ["rows", "frames", audioSize]),
            input("audio_lengths", ["rows"], "i64"),
            (name, shape) => input(PROJECTOR_PREFIX + name, shape),
          ),
        },
        // An encoder with an adapter is a part of the projector; else there are no frozen weights in it.
        parts.encoder ? { ...options, weights: weightsOf(parts) } : options,
      );
      const ready = await program;
      const longest = Math.max(...clips.map((c) => c.length));
      const features = new Float32Array(clips.length * longest * audioSize);
      clips.forEach((clip, r) => features.set(clip.data, r * longest * audioSize));
      const feeds = {
        ...parameters,
        audio_features: f32(features, [clips.length, longest, audioSize]),
        audio_lengths: i64(clips.map((c) => c.length)),
      };
      const { vectors } = (await ready.run(feedsOf(ready, feeds))) as { vectors: HostTensor };
      const [, most, width] = vectors.shape as [number, number, number];
      const all = vectors.data as Float32Array;
      return clips.map((clip, r) =>
        tokensOf(
          [{ vectors: all.slice(r * most * width, (r * most + Number(projector.vectors(clip.length))) * width) }],
          width,
        ),
      );
    },
    async shared(name, begin, prompts, choices = prompts.map(() => undefined)) {
      // A beginning is run with one adapter.
      if (new Set(choices).size > 1) return undefined;
      const ids = prompts.map((p) => p.map((t) => (typeof t === "number" ? t : -1)));
      // At least one token of each prompt is left to be run.
      const length = Math.min(commonPrefix([begin, ...ids]), ...ids.map((p) => p.length - 1));
      if (length < LEAST_SHARED) return undefined;
      const key = `${name} ${JSON.stringify(choices[0])} ${begin.join(",")}`;
      const known =
        kept.get(key) ??
        engine
          .prefill([begin], { parameters, rowInputs: rowInputs(choices.slice(0, 1)) })
          .then(({ cache }): SharedPrompt => ({ cache, length: begin.length }));
      kept.delete(key);
      kept.set(key, known);
      known.catch(() => kept.delete(key));
      const oldest = kept.keys().next().value;
      if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
      return { ...(await known), length };
    },
    async dispose() {
      await (await program)?.dispose();
      await engine.dispose();
    },
  };
}
