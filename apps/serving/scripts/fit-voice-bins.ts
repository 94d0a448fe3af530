/** @file Fits the bins that answers describe voices with: `node tools/setup/run.mjs apps/serving/scripts/fit-voice-bins.ts FOLDER` (wav files). */
import { readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type VoiceBins, fitVoiceBins, loadSpeech, measureVoice } from "@emosllm/audio-features";
import { quickMeasures } from "../src/voice/quick.ts";

const RATE = 16_000;
const folder = resolve(process.argv[2] ?? "runs/demo-corpus");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((f) => f.endsWith(".wav"))
  .sort();
// Every tenth clip tells the quantiles well enough.
const clips = await Promise.all(
  files.filter((_, i) => i % 10 === 0).map((f) => loadSpeech(join(folder, f), { sampleRate: RATE })),
);
const rounded = (bins: VoiceBins): VoiceBins =>
  JSON.parse(JSON.stringify(bins, (_, v) => (typeof v === "number" ? Number(v.toPrecision(4)) : v))) as VoiceBins;
const fit = (measure: typeof quickMeasures): string =>
  JSON.stringify(rounded(fitVoiceBins(clips.map((x) => ({ measures: measure(x, RATE) })))), null, 2);
writeFileSync(
  new URL("../src/voice/default-bins.ts", import.meta.url),
  `/** @file Levels of voices, fitted by \`scripts/fit-voice-bins.ts\` on the demo corpus. Made; don't edit. */
import type { VoiceBins } from "@emosllm/audio-features";

/** For \`quickMeasures\`. */
export const QUICK_BINS: VoiceBins = ${fit(quickMeasures)};

/** For \`measureVoice\`. */
export const FULL_BINS: VoiceBins = ${fit((x, rate) => measureVoice(x, rate))};
`,
);
process.stdout.write(`${clips.length} clips\n`);
