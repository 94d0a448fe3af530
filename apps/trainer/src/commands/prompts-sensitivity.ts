/** @file `emosllm prompts sensitivity`: how much a model's answers depend on the way of asking, and on which slot. */
import { join } from "node:path";
import { promptSensitivity } from "@emosllm/prompts";
import { type SensitivityStudy, renderStudies } from "@emosllm/report";
import { PARTS } from "@emosllm/datasets";
import { defineCommand } from "citty";
import { makeFolder } from "../make-folder.ts";
import { type Question, openAsker } from "../asking/asker.ts";
import { PART_ARGS, chosenUtterances, outFolder } from "../asking/part.ts";
import { SPACE_ARGS, askedSpace } from "../asking/prompt-set.ts";
import { uaScore } from "../asking/score.ts";
import { statusLine } from "../status-line.ts";
import { writeWhole } from "../write-whole.ts";
import { oneOf, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

const sensitivity = defineCommand({
  meta: {
    name: "sensitivity",
    description:
      "Asks the same utterances in many ways (prompts, label orders, label words): mean, worst, spread and agreement, and which factor and which slot move most: sensitivity.json and sensitivity.html.",
  },
  args: {
    bundle: { type: "string", required: true, description: "folder of a trained model" },
    ...SPACE_ARGS,
    forms: { ...SPACE_ARGS.forms, default: "adjective" },
    slots: { ...SPACE_ARGS.slots, default: "transcript" },
    split: { type: "string", default: "test", description: `part of the split: ${PARTS.join(", ")}` },
    ...PART_ARGS,
  },
  async run({ args }) {
    const seed = wholeArg("seed", args.seed, 0);
    const part = oneOf("split", args.split, PARTS);
    const asker = await openAsker(args.bundle, { batchSize: wholeArg("batch-size", args["batch-size"], 1) });
    try {
      const { utterances, about } = await chosenUtterances(args.bundle, asker, args, part);
      const configurations = await askedSpace(args, asker.labels, seed);
      const truth = utterances.map((u) => u.label);
      const line = statusLine();
      const ask = (name: string, make: (u: (typeof utterances)[number]) => Question): Promise<string[]> =>
        asker.ask(utterances.map(make), (n) => line.show(`${name}: ${n}/${utterances.length}`));
      const runs: { name: string; factors: Readonly<Record<string, string>>; predictions: readonly string[] }[] = [];
      for (const c of configurations)
        runs.push({
          name: c.name,
          factors: c.factors,
          predictions: await ask(`${runs.length + 1}/${configurations.length}`, (u) => ({
            sound: asker.sound(u),
            transcript: c.slots.includes("transcript") ? u.text : undefined,
            voice: c.slots.includes("voice") ? asker.sound(u) : undefined,
            prompt: c.prompt,
            labels: c.labels,
          })),
        });
      const summary = promptSensitivity(truth, runs);
      const slots = await slotEffects(asker, utterances, ask);
      line.clear();
      const scored = runs.map(({ name, factors, predictions }) => ({
        name,
        factors,
        ...uaScore(truth, predictions, asker.labels, seed),
      }));
      const study: SensitivityStudy = {
        about: { ...about, metric: "ua" },
        runs: scored,
        mean: summary.mean,
        worst: summary.worst,
        best: summary.best,
        spread: summary.spread,
        deviation: summary.deviation,
        agreement: summary.agreement,
        unanimous: summary.unanimous,
        majority: summary.majority,
        factors: summary.factors.map(({ factor, levels, range, changed }) => ({ factor, levels, range, changed })),
        most_sensitive: summary.mostSensitive,
        slots,
        most_sensitive_slot: slots[0]?.slot ?? null,
      };
      const out = outFolder(args);
      await makeFolder(out);
      await writeWhole(join(out, "sensitivity.json"), `${JSON.stringify(study, null, 2)}\n`);
      await writeWhole(join(out, "sensitivity.html"), renderStudies("Prompt sensitivity", { sensitivity: study }));
      process.stdout.write(args.json ? `${JSON.stringify(study)}\n` : text(study));
    } finally {
      await asker.dispose();
    }
  },
});
export default sensitivity as AnyCommand;

/** What leaving each slot out of the bundle's own prompt does; the one that changes most answers first. */
async function slotEffects(
  asker: Awaited<ReturnType<typeof openAsker>>,
  utterances: Awaited<ReturnType<typeof chosenUtterances>>["utterances"],
  ask: (name: string, make: (u: (typeof utterances)[number]) => Question) => Promise<string[]>,
): Promise<SensitivityStudy["slots"]> {
  const truth = utterances.map((u) => u.label);
  const score = (answers: readonly string[]): number => uaScore(truth, answers, asker.labels).ua;
  const full = (u: (typeof utterances)[number]): Question => ({
    sound: asker.sound(u),
    transcript: u.text,
    voice: asker.sound(u),
  });
  const all = await ask("all slots", full);
  const without: Readonly<Record<string, (q: Question) => Question>> = {
    audio: (q) => ({ ...q, sound: null }),
    ...(utterances.some((u) => (u.text ?? "").trim() !== "")
      ? { transcript: (q: Question) => ({ ...q, transcript: undefined }) }
      : {}),
    ...(asker.manifest.voice ? { voice: (q: Question) => ({ ...q, voice: undefined }) } : {}),
  };
  const effects = [];
  for (const [slot, change] of Object.entries(without)) {
    const answers = await ask(`without ${slot}`, (u) => change(full(u)));
    const changed = answers.filter((a, i) => a !== all[i]).length / answers.length;
    effects.push({ slot, with: score(all), without: score(answers), changed });
  }
  return effects.sort((a, b) => b.changed - a.changed);
}

const share = (v: number | null): string => (v === null ? "-" : `${(100 * v).toFixed(1)} %`);
const text = (s: SensitivityStudy): string =>
  [
    `${s.runs.length} ways of asking: UA mean ${share(s.mean)}, worst ${share(s.worst)}, best ${share(s.best)}, spread ${share(s.spread)}`,
    `answers agree in ${share(s.agreement)} of pairs; ${share(s.unanimous)} of utterances are answered alike by all`,
    ...s.factors.map(
      (f) => `  ${f.factor.padEnd(8)} changes ${share(f.changed)} of answers, range of means ${share(f.range)}`,
    ),
    ...s.slots.map(
      (e) =>
        `  without ${e.slot.padEnd(11)} ${share(e.changed)} of answers change, UA ${share(e.with)} to ${share(e.without)}`,
    ),
    "",
  ].join("\n");
