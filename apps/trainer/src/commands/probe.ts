/** @file `emosllm probe`: which input carries a model's decisions, and what noise, rooms, telephones and misheard words cost. */
import { join } from "node:path";
import { corrupt } from "@emosllm/audio-features";
import { PARTS } from "@emosllm/datasets";
import { EmosllmError } from "@emosllm/interfaces";
import {
  MODALITIES,
  type Modality,
  PROBE_CONDITIONS,
  type ProbeInput,
  type ProbeUtterance,
  conditionName,
  modalityReliance,
  probeInputs,
  simulateTranscriptErrors,
} from "@emosllm/prompts";
import { type ProbeStudy, renderStudies } from "@emosllm/report";
import { defineCommand } from "citty";
import { makeFolder } from "../make-folder.ts";
import { type Asker, type Question, type Sound, openAsker } from "../asking/asker.ts";
import { readCorruptions } from "../asking/corruptions.ts";
import { type ChosenUtterances, PART_ARGS, chosenUtterances, outFolder } from "../asking/part.ts";
import { uaScore } from "../asking/score.ts";
import { statusLine } from "../status-line.ts";
import { writeWhole } from "../write-whole.ts";
import { oneOf, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

type Utterances = ChosenUtterances["utterances"];
type Ask = (name: string, questions: readonly Question[]) => Promise<string[]>;

const probe = defineCommand({
  meta: {
    name: "probe",
    description:
      "Takes inputs away, shuffles them and swaps them between utterances of conflicting labels: the share of decisions that sound, words and the described voice carry. With --corruptions, UA against severity. Writes probe.json and probe.html.",
  },
  args: {
    bundle: { type: "string", required: true, description: "folder of a trained model" },
    corruptions: {
      type: "string",
      description: "noise:20,10,5,0 reverb:0.4,0.8 telephone clipping:10 wer:0.1,0.3 (several words may follow)",
    },
    reliance: { type: "boolean", default: true, description: "--no-reliance: corruptions only" },
    split: { type: "string", default: "test", description: `part of the split: ${PARTS.join(", ")}` },
    ...PART_ARGS,
  },
  async run({ args }) {
    const seed = wholeArg("seed", args.seed, 0);
    const part = oneOf("split", args.split, PARTS);
    const words = [...(args.corruptions ?? "").split(/\s+/), ...args._.map(String)].filter((w) => w !== "");
    if (args.corruptions === undefined && args._.length > 0)
      throw new EmosllmError("usage", `${args._.join(" ")}: write --corruptions before it`);
    const severities = readCorruptions(words);
    const asker = await openAsker(args.bundle, { batchSize: wholeArg("batch-size", args["batch-size"], 1) });
    try {
      const { utterances, about } = await chosenUtterances(args.bundle, asker, args, part);
      const line = statusLine();
      const ask: Ask = (name, questions) => asker.ask(questions, (n) => line.show(`${name}: ${n}/${questions.length}`));
      const study: ProbeStudy = {
        about: { ...about, metric: "ua" },
        ...(args.reliance ? await reliance(asker, utterances, ask, seed) : { conditions: [], reliance: [] }),
        corruptions: await robustness(asker, utterances, ask, severities, seed),
      };
      line.clear();
      const out = outFolder(args);
      await makeFolder(out);
      await writeWhole(join(out, "probe.json"), `${JSON.stringify(study, null, 2)}\n`);
      await writeWhole(join(out, "probe.html"), renderStudies("Probes", { probe: study }));
      process.stdout.write(args.json ? `${JSON.stringify(study)}\n` : text(study));
    } finally {
      await asker.dispose();
    }
  },
});
export default probe as AnyCommand;

/** Every condition of the inputs there are, and whose label the answers follow where an input is swapped. */
async function reliance(
  asker: Asker,
  utterances: Utterances,
  ask: Ask,
  seed: number,
): Promise<Pick<ProbeStudy, "conditions" | "reliance">> {
  const byId = new Map(utterances.map((u) => [u.id, u]));
  const known: ProbeUtterance[] = [];
  for (const u of utterances)
    known.push({ id: u.id, label: u.label, transcript: u.text, voice: await asker.describe(asker.sound(u)) });
  const has: Readonly<Record<Modality, boolean>> = {
    audio: true,
    transcript: known.some((u) => (u.transcript ?? "").trim() !== ""),
    voice: known.some((u) => (u.voice ?? "").trim() !== ""),
  };
  const questionOf = ({ audio, transcript, voice }: ProbeInput): Question => ({
    sound: audio === null ? null : asker.sound(byId.get(audio) as Utterances[number]),
    transcript,
    voice,
  });
  const conditions: ProbeStudy["conditions"][number][] = [];
  const shares: ProbeStudy["reliance"][number][] = [];
  for (const condition of PROBE_CONDITIONS) {
    if (condition.kind !== "all" && !has[condition.modality]) continue;
    // Nothing is left of an utterance whose only input is taken away.
    const others = MODALITIES.filter((m) => condition.kind !== "all" && m !== condition.modality && has[m]);
    if (condition.kind === "without" && others.length === 0) continue;
    const inputs = probeInputs(known, condition, seed);
    if (inputs.length === 0) continue;
    const name = conditionName(condition);
    const answers = await ask(name, inputs.map(questionOf));
    const truth = inputs.map((i) => i.label);
    conditions.push({ condition: name, ...uaScore(truth, answers, asker.labels, seed) });
    if (condition.kind !== "swapped") continue;
    const given = new Map(inputs.map(({ id }, i) => [id, answers[i] as string]));
    const r = modalityReliance(condition.modality, inputs, given);
    shares.push({
      modality: r.modality,
      follows_swapped: r.followsSwapped,
      follows_rest: r.followsRest,
      neither: r.neither,
      share: r.share,
    });
  }
  return { conditions, reliance: shares };
}

/** The clean utterances first, then each severity. */
async function robustness(
  asker: Asker,
  utterances: Utterances,
  ask: Ask,
  severities: ReturnType<typeof readCorruptions>,
  seed: number,
): Promise<ProbeStudy["corruptions"]> {
  if (severities.length === 0) return [];
  const truth = utterances.map((u) => u.label);
  const rate = asker.manifest.front_end.sample_rate;
  const texts = utterances.map((u) => u.text ?? "");
  if (severities.some((s) => s.wer > 0) && texts.every((t) => t.trim() === ""))
    throw new EmosllmError("usage", "--corruptions wer: the corpus has no transcripts");
  const rows: ProbeStudy["corruptions"][number][] = [];
  const clean = { corruption: "none", value: null, unit: "", sound: [], wer: 0 };
  for (const { corruption, value, unit, sound, wer } of [clean, ...severities]) {
    const name = value === null ? corruption : `${corruption} ${value}`;
    const heard = wer > 0 ? simulateTranscriptErrors(texts, { wer, seed }) : undefined;
    const questions = utterances.map((u, i): Question => {
      const own = asker.sound(u);
      const corrupted: Sound = {
        ...own,
        key: `${u.id}\n${name}`,
        samples: async () => corrupt(await own.samples(), rate, sound, { seed: `${seed}/${u.id}` }),
      };
      const asked = sound.length === 0 ? own : corrupted;
      return {
        sound: asked,
        voice: asked,
        transcript: heard ? heard.transcripts[i] : u.text,
      };
    });
    const score = uaScore(truth, await ask(name, questions), asker.labels, seed);
    rows.push({ corruption, severity: value, unit, ...score, ...(heard ? { measured_wer: heard.wer } : {}) });
  }
  return rows;
}

const share = (v: number): string => `${(100 * v).toFixed(1)} %`;
const text = (s: ProbeStudy): string =>
  [
    ...s.conditions.map(
      (c) => `${c.condition.padEnd(22)} UA ${share(c.ua)} (${share(c.low)} to ${share(c.high)}) of ${c.n}`,
    ),
    ...s.reliance.map((r) =>
      r.share === null
        ? `${r.modality} swapped: no answer follows either side`
        : `${r.modality} swapped: ${share(r.share.estimate)} of decisions follow it (${share(r.share.low)} to ${share(r.share.high)})`,
    ),
    ...s.corruptions.map(
      (c) =>
        `${`${c.corruption}${c.severity === null ? "" : ` ${c.severity} ${c.unit}`}`.padEnd(22)} UA ${share(c.ua)} (${share(c.low)} to ${share(c.high)})`,
    ),
    "",
  ].join("\n");
