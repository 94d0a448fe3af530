/** @file `emosllm predict --bundle DIR FILE.wav ... [--transcript T] [--json]` */
import { EmosllmError } from "@emosllm/interfaces";
import { type EmotionAnswer, loadEmoSllm } from "@emosllm/model";
import { defineCommand } from "citty";

export default defineCommand({
  meta: {
    name: "predict",
    description: "Probability of each emotion in sound files: emosllm predict --bundle runs/demo/best turn.wav",
  },
  args: {
    bundle: { type: "string", description: "folder of a trained model", required: true },
    transcript: { type: "string", description: "what was said" },
    json: { type: "boolean", description: "one JSON object per file" },
    file: { type: "positional", description: "sound files", required: true },
  },
  async run({ args }) {
    const files = args._.map(String);
    if (files.length > 1 && args["transcript"] !== undefined)
      throw new EmosllmError("usage", `--transcript is of one file, but ${files.length} were given`);
    const model = await loadEmoSllm(args["bundle"] as string);
    let failed = 0;
    try {
      for (const file of files) {
        try {
          const [answer] = await model.score([{ audio: file, transcript: args["transcript"] as string | undefined }]);
          process.stdout.write(
            args["json"] ? `${JSON.stringify({ file, ...answer })}\n` : describe(file, answer as EmotionAnswer),
          );
        } catch (error) {
          if (!(error instanceof EmosllmError)) throw error;
          failed++;
          process.stderr.write(`error: ${error.message}\n`);
        }
      }
    } finally {
      await model.dispose();
    }
    return failed > 0 ? 1 : 0;
  },
});

function describe(file: string, { label, probabilities, reliability, seconds }: EmotionAnswer): string {
  const width = Math.max(...Object.keys(probabilities).map((l) => l.length));
  const bars = Object.entries(probabilities)
    .sort(([, a], [, b]) => b - a)
    .map(
      ([name, p]) => `  ${name.padEnd(width)} ${(100 * p).toFixed(1).padStart(5)} %  ${"#".repeat(Math.round(40 * p))}`,
    );
  const note = reliability < 1 ? `  only ${seconds.toFixed(2)} s of sound: odds drawn towards even\n` : "";
  return `${file}: ${label ?? "no clear emotion"}\n${bars.join("\n")}\n${note}`;
}
