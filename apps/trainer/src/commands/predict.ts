/** @file `emosllm predict`: the emotion of sound files, folders, manifests and stdin, or over the time of a long recording. */
import { PRECISIONS } from "@emosllm/backbones";
import { EmosllmError } from "@emosllm/interfaces";
import { type EmoSllm, type WritingTask, loadEmoSllm } from "@emosllm/model";
import { defineCommand } from "citty";
import { linesOut } from "../lines-out.ts";
import { type AnswerFormat, ANSWER_FORMAT_NAMES, ANSWER_FORMATS } from "../predict/formats.ts";
import { judgeInputs } from "../predict/judge.ts";
import { listedPaths, predictionInputs, type PredictionInput } from "../predict/inputs.ts";
import { writeAnswers } from "../predict/write.ts";
import { statusLine } from "../status-line.ts";
import { clock } from "../timeline/figure.ts";
import { TIMELINE_FORMAT_NAMES, writeTimelines } from "../timeline/write.ts";
import { numberArg, oneOf, wholeArg } from "./_args.ts";
import type { AnyCommand } from "./_command.ts";

/** By what a user types; an emotion is judged, the others are written. */
const TASKS = {
  emotion: undefined,
  transcribe: "transcription",
  describe: "description",
} as const satisfies Record<string, WritingTask | undefined>;

const predict = defineCommand({
  meta: {
    name: "predict",
    description:
      "Probability of each emotion: files, folders, manifests (JSONL, CSV, Parquet), NAME:PATH corpora, - for sound on stdin. A damaged file is one line on stderr; exit code 1 when there was one.",
  },
  args: {
    bundle: { type: "string", description: "folder of a trained model", required: true },
    encoder: { type: "string", description: "another place of the bundle's speech encoder: hub id or folder" },
    "allow-other-encoder": {
      type: "boolean",
      description: "take that encoder even where it is not the one trained with",
    },
    "base-model": { type: "string", description: "another place of the bundle's language model: hub id or folder" },
    "allow-other-base": {
      type: "boolean",
      description: "take that language model even where it is not the one trained on",
    },
    transcript: { type: "string", description: "what was said, of a single file" },
    list: { type: "string", description: "a file of paths, one a line; - for stdin" },
    precision: { type: "string", default: "f32", description: `how the base model is held: ${PRECISIONS.join(", ")}` },
    task: {
      type: "string",
      default: "emotion",
      description: `${Object.keys(TASKS).join(", ")}: what is said, or how, in words instead of an emotion`,
    },
    json: { type: "boolean", description: "one JSON object per file; the same as --format jsonl" },
    "batch-size": { type: "string", default: "16", description: "clips judged together" },
    timeline: { type: "boolean", description: "segments with start, end and emotion instead of one answer a file" },
    format: {
      type: "string",
      description: `of answers: ${ANSWER_FORMAT_NAMES.join(", ")} (default text; jsonl with --out); of the timeline: ${TIMELINE_FORMAT_NAMES.join(", ")} (default jsonl)`,
    },
    out: { type: "string", description: "write to this file instead of stdout" },
    window: { type: "string", default: "4", description: "timeline: seconds judged at once" },
    hop: { type: "string", default: "2", description: "timeline: seconds from one window to the next" },
    resolution: { type: "string", default: "1", description: "timeline: seconds of a step" },
    hysteresis: { type: "string", default: "0.1", description: "timeline: lead that another emotion needs" },
    hold: { type: "string", default: "1.5", description: "timeline: seconds that it must lead" },
    file: { type: "positional", description: "FILE...", required: false },
  },
  async run({ args }) {
    const words = [...args._.map(String), ...(args.list === undefined ? [] : await listedPaths(args.list))];
    if (words.length === 0)
      throw new EmosllmError("usage", "give sound files, folders, manifests, - for sound on stdin, or --list FILE");
    if (words.filter((w) => w === "-").length > (args.list === "-" ? 0 : 1))
      throw new EmosllmError("usage", "stdin can be read once only");
    if (args.transcript !== undefined && (words.length > 1 || args.timeline))
      throw new EmosllmError("usage", `--transcript is of one file, but ${words.length} were given`);
    const batchSize = wholeArg("batch-size", args["batch-size"], 1);
    const plain = args.out === undefined && args.json !== true ? "text" : "jsonl";
    const answerFormat = args.timeline ? plain : oneOf("format", args.format ?? plain, ANSWER_FORMAT_NAMES);
    const timelineFormat = args.timeline ? oneOf("format", args.format ?? "jsonl", TIMELINE_FORMAT_NAMES) : "jsonl";
    if (args.timeline && timelineFormat === "svg" && words.length > 1)
      throw new EmosllmError("usage", "--format svg is of one recording; --format html takes several");
    const timeline = {
      window: numberArg("window", args.window, 0.2),
      hop: numberArg("hop", args.hop, 0.1),
      resolution: numberArg("resolution", args.resolution, 0.1),
      hysteresis: numberArg("hysteresis", args.hysteresis, 0),
      hold: numberArg("hold", args.hold, 0),
      batchSize,
    };
    const task = oneOf("task", args.task, Object.keys(TASKS) as (keyof typeof TASKS)[]);
    if (task !== "emotion" && (args.timeline || args.transcript !== undefined))
      throw new EmosllmError("usage", `--task ${task} takes sound alone: neither --timeline nor --transcript`);
    if (task !== "emotion" && answerFormat === "csv")
      throw new EmosllmError("usage", `--format csv is of emotions; --task ${task} has text or jsonl`);
    const report = (error: EmosllmError): boolean => process.stderr.write(`error: ${error.message}\n`);
    const model = await loadEmoSllm(args.bundle, {
      precision: oneOf("precision", args.precision, PRECISIONS),
      encoder: args.encoder,
      allowOtherEncoder: args["allow-other-encoder"] === true,
      baseModel: args["base-model"],
      allowOtherBase: args["allow-other-base"] === true,
    });
    try {
      const written = TASKS[task];
      if (written !== undefined)
        return await writeAnswers(model, words, written, {
          json: answerFormat === "jsonl",
          out: args.out,
          onError: report,
        });
      if (!args.timeline)
        return await answerAll(model, words, {
          transcript: args.transcript,
          format: ANSWER_FORMATS[answerFormat],
          out: args.out,
          batchSize,
        });
      const line = statusLine();
      const recordings = await Promise.all(
        words.map(async (file) => ({
          file: file === "-" ? "stdin" : file,
          source: file === "-" ? await stdin() : file,
        })),
      );
      const failed = await writeTimelines(model, recordings, {
        format: timelineFormat,
        out: args.out,
        timeline,
        onError: report,
        onProgress: (file, seconds) => line.show(`${file}: ${clock(seconds)}`),
      });
      line.clear();
      return failed > 0 ? 1 : 0;
    } finally {
      await model.dispose();
    }
  },
});
export default predict as AnyCommand;

async function answerAll(
  model: EmoSllm,
  words: readonly string[],
  {
    transcript,
    format,
    out,
    batchSize,
  }: {
    readonly transcript: string | undefined;
    readonly format: AnswerFormat;
    readonly out: string | undefined;
    readonly batchSize: number;
  },
): Promise<number> {
  let failed = 0;
  const inputs = async function* (): AsyncGenerator<PredictionInput> {
    for (const word of words)
      try {
        for await (const input of predictionInputs([word]))
          yield transcript === undefined ? input : { ...input, transcript };
      } catch (error) {
        if (!(error instanceof EmosllmError)) throw error;
        failed++;
        process.stderr.write(`error: ${error.message}\n`);
      }
  };
  await linesOut(out, async (write) => {
    if (format.head) await write(format.head(model.labels));
    for await (const judged of judgeInputs(model, inputs(), { batchSize })) {
      if ("error" in judged) {
        failed++;
        process.stderr.write(`error: ${judged.error.message}\n`);
      } else await write(format.line({ file: judged.input.file, id: judged.input.id, answer: judged.answer }));
    }
  });
  return failed > 0 ? 1 : 0;
}

async function stdin(): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts));
}
