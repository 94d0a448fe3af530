/** @file One batch of utterances: decodes each, judges all that are sound in one pass, answers the others with their own error. */
import type { EmotionAnswer } from "@emosllm/model";
import { describe } from "../voice/describe.ts";
import { decodePayload } from "./decode.ts";
import type { BatchContext } from "./generate-batch.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { refused } from "./settled.ts";
import type { ItemResult, ScoreInput } from "./tasks.ts";

interface Decoded {
  readonly samples: Float32Array;
  readonly decodeMs: number;
}

/** Answers in the order of `inputs`; one that cannot be judged does not touch its neighbours. */
export async function scoreBatch(
  { emosllm, info }: LoadedModel,
  inputs: readonly ScoreInput[],
  { did }: BatchContext,
): Promise<readonly ItemResult<"score">[]> {
  const results: (ItemResult<"score"> | undefined)[] = inputs.map(() => undefined);
  const decoded: (Decoded | undefined)[] = [];
  for (const [i, { audio, limits }] of inputs.entries()) {
    const started = performance.now();
    try {
      const samples = await decodePayload(audio, info.sampleRate, limits);
      decoded[i] = { samples, decodeMs: performance.now() - started };
    } catch (error) {
      results[i] = refused(error);
    }
  }
  did("decode");
  const settle = async (which: readonly number[]): Promise<void> => {
    try {
      const answers = await emosllm.score(
        which.map((i) => ({ audio: decoded[i]!.samples, transcript: inputs[i]!.transcript })),
        { onHeard: () => did("encode") },
      );
      did("score");
      which.forEach((i, k) => (results[i] = answered(answers[k]!, decoded[i]!, inputs[i]!, { emosllm, info })));
    } catch (error) {
      // A clip that cannot be judged (silent, too short) refuses its whole batch; alone, it is refused alone.
      if (which.length > 1) for (const i of which) await settle([i]);
      else results[which[0]!] = refused(error);
    }
  };
  const sound = inputs.flatMap((_, i) => (decoded[i] ? [i] : []));
  if (sound.length > 0) await settle(sound);
  did("voice");
  return results as ItemResult<"score">[];
}

function answered(
  { label, probabilities, reliability, seconds }: EmotionAnswer,
  { samples, decodeMs }: Decoded,
  { voice }: ScoreInput,
  { emosllm, info }: LoadedModel,
): ItemResult<"score"> {
  return {
    ok: true,
    output: {
      label,
      probabilities,
      reliability,
      seconds,
      decodeMs,
      voice: describe(samples, info.sampleRate, voice, emosllm.manifest.voice),
    },
  };
}
