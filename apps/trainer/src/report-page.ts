/** @file Writes the page of a summary of predictions, the hardest utterances' sound included. */
import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { decodeAudio, encodeWav, resample, selectChannel } from "@emosllm/audio-features";
import { EmosllmError } from "@emosllm/interfaces";
import { type LogLine, type MetricsSummary, type Studies, renderReport, summarizePredictions } from "@emosllm/report";
import { writeWhole } from "./write-whole.ts";

/** Options of {@link writeReportPage}. */
export interface ReportPageOptions {
  readonly title?: string | undefined;
  /** Put the hardest utterances' sound into the page. */
  readonly sound: boolean;
  /** Relative sound files count from here; `log.jsonl`, `sensitivity.json` and `probe.json` in it go into the page. */
  readonly folder: string;
}

/** Draws the page and writes it whole or not at all. Throws EmosllmError `config_invalid` when it cannot be written. */
export async function writeReportPage(
  page: string,
  summary: MetricsSummary,
  { title, sound, folder }: ReportPageOptions,
): Promise<void> {
  const audio = sound ? await soundOf(summary, folder) : new Map<string, string>();
  const text = renderReport(summary, { title, audio, studies: await studiesIn(folder), log: await logIn(folder) });
  try {
    await writeWhole(page, text);
  } catch (cause) {
    throw new EmosllmError("config_invalid", `${page}: the page cannot be written (${(cause as Error).message})`, {
      cause,
    });
  }
}

/** Speech needs no more; 20 clips of 5 s are 4 MB of page. */
const PAGE_RATE = 16_000;
const LONGEST_CLIP_S = 30;

/** The hardest utterances' sound as `data:` URLs; a clip that cannot be read has no player, and a note on stderr says why. */
async function soundOf(summary: MetricsSummary, folder: string): Promise<Map<string, string>> {
  const sounds = new Map<string, string>();
  for (const { id, audio } of summary.hardest) {
    if (!audio) continue;
    const path = isAbsolute(audio.path) ? audio.path : join(folder, audio.path);
    try {
      const start = audio.start ?? 0;
      const end = Math.min(audio.end ?? Infinity, start + LONGEST_CLIP_S);
      const sound = await decodeAudio({ path, start, ...(Number.isFinite(end) ? { end } : {}) });
      const samples = resample(selectChannel(sound, "downmix"), sound.sampleRate, PAGE_RATE);
      const wav = encodeWav({ samples: [samples], sampleRate: PAGE_RATE });
      sounds.set(id, `data:audio/wav;base64,${Buffer.from(wav).toString("base64")}`);
    } catch (error) {
      process.stderr.write(`no player for ${id}: ${(error as Error).message}\n`);
    }
  }
  return sounds;
}

/** The page of a finished run, beside its predictions. Gives its path. */
export async function writeRunReport(folder: string, labels: readonly string[], title: string): Promise<string> {
  const page = join(folder, "report.html");
  const summary = await summarizePredictions(join(folder, "predictions.jsonl"), { labels });
  await writeReportPage(page, summary, { title, sound: true, folder });
  return page;
}

/** Lines of the run's log; a file of that name that is another program's has none. */
async function logIn(folder: string): Promise<LogLine[]> {
  const text = await readFile(join(folder, "log.jsonl"), "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    try {
      const entry = JSON.parse(line) as LogLine | null;
      return Number.isFinite(entry?.step) ? [entry as LogLine] : [];
    } catch {
      return [];
    }
  });
}

/** What `emosllm prompts sensitivity` and `emosllm probe` left in the folder. */
async function studiesIn(folder: string): Promise<Studies> {
  const read = async <T>(name: string): Promise<T | undefined> => {
    const text = await readFile(join(folder, name), "utf8").catch(() => undefined);
    try {
      return text === undefined ? undefined : (JSON.parse(text) as T);
    } catch (cause) {
      throw new EmosllmError("config_invalid", `${join(folder, name)} is not JSON: ${(cause as Error).message}`, {
        cause,
      });
    }
  };
  return { sensitivity: await read("sensitivity.json"), probe: await read("probe.json") };
}
