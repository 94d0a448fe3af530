/** @file Makes the corpus on disk: once, whole or not at all. */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { EmosllmError } from "@emosllm/interfaces";
import { dialogFiles } from "./iemocap-files.ts";
import { planCorpus, type PlannedClip } from "./plan.ts";
import type { Job, Reply } from "./worker.ts";

/** The file that says a folder is a finished demo corpus, and of which recipe. */
export const MARKER = "demo-corpus.json";

/** A step forward: `done` of `total` clips exist. */
export interface DemoCorpusProgress {
  readonly done: number;
  readonly total: number;
}

/** Options of {@link makeDemoCorpus}. */
export interface DemoCorpusOptions {
  /** Another seed gives other sentences, cues, noises and speakers' ways; the ten voices stay. Default 1. */
  readonly seed?: number;
  /** From 5 to 2000; default 104, 24 for each of the four classes and 8 others. */
  readonly utterancesPerSpeaker?: number;
  /** Worker threads; they do not change a byte. Default: the machine's cores, at most 10. */
  readonly workers?: number;
  readonly onProgress?: (progress: DemoCorpusProgress) => void;
}

/** What {@link makeDemoCorpus} made or found. */
export interface DemoCorpus {
  /** The folder to give to an IEMOCAP loader. */
  readonly root: string;
  readonly clips: number;
  /** Hash of everything that decides the bytes. */
  readonly recipe: string;
  /** False when it was there already. */
  readonly made: boolean;
}

interface Marker {
  readonly recipe: string;
  readonly clips: number;
  readonly seconds: number;
}

/** Hash of options and of these sources, so that a changed recipe is never mistaken for an older one. */
function recipeOf(seed: number, utterancesPerSpeaker: number): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const hash = createHash("sha256").update(JSON.stringify({ seed, utterancesPerSpeaker }));
  const sources = readdirSync(here).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  for (const name of sources.sort()) hash.update(readFileSync(join(here, name), "utf8").replaceAll("\r\n", "\n"));
  return hash.digest("hex").slice(0, 32);
}

function markerOf(root: string): Marker | undefined {
  try {
    return JSON.parse(readFileSync(join(root, MARKER), "utf8")) as Marker;
  } catch {
    return undefined;
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** Speaks all clips under `folder`; gives seconds by turn. */
async function speakAll(
  folder: string,
  clips: readonly PlannedClip[],
  seed: number,
  workers: number,
  onProgress: ((progress: DemoCorpusProgress) => void) | undefined,
): Promise<Map<string, number>> {
  const bySpeaker = groupBy(clips, (clip) => clip.speaker);
  const jobs = [...bySpeaker.values()].map((own): Job => ({
    seed,
    clips: own.map((clip) => ({ clip, file: wavFile(folder, clip) })),
  }));
  const seconds = new Map<string, number>();
  const threads = Array.from(
    { length: Math.min(workers, jobs.length) },
    () => new Worker(new URL("./worker.mjs", import.meta.url)),
  );
  try {
    await Promise.all(
      threads.map(
        (thread) =>
          new Promise<void>((finish, fail) => {
            const next = (): void => {
              const job = jobs.shift();
              if (job === undefined) finish();
              else thread.postMessage(job, []);
            };
            thread.on("error", fail);
            thread.on("exit", (code) => fail(new Error(`a synthesis worker ended early (exit code ${code})`)));
            thread.on("message", (reply: Reply) => {
              if (reply.kind === "free") next();
              else if (reply.kind === "failed") fail(new Error(reply.message));
              else {
                seconds.set(reply.turn, reply.seconds);
                onProgress?.({ done: seconds.size, total: clips.length });
              }
            });
            next();
          }),
      ),
    );
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
  return seconds;
}

function wavFile(folder: string, clip: PlannedClip): string {
  return join(folder, `Session${clip.session}`, "sentences", "wav", clip.dialog, `${clip.turn}.wav`);
}

function writeTexts(folder: string, clips: readonly PlannedClip[], seed: number, seconds: Map<string, number>): void {
  for (const [dialog, own] of groupBy(clips, (clip) => clip.dialog)) {
    const base = join(folder, `Session${own[0]?.session ?? 0}`, "dialog");
    const spoken = own.map((clip) => ({ ...clip, seconds: seconds.get(clip.turn) ?? 0 }));
    const { evaluation, transcription } = dialogFiles(spoken, seed);
    for (const [kind, text] of [
      ["EmoEvaluation", evaluation],
      ["transcriptions", transcription],
    ] as const) {
      mkdirSync(join(base, kind), { recursive: true });
      writeFileSync(join(base, kind, `${dialog}.txt`), text);
    }
  }
}

/** Puts `folder` at `root`; an older demo corpus there gives way, anything else has been refused before. */
function moveInto(folder: string, root: string): void {
  if (!existsSync(root)) return renameSync(folder, root);
  const old = `${root}.old-${randomUUID().slice(0, 8)}.tmp`;
  renameSync(root, old);
  renameSync(folder, root);
  rmSync(old, { recursive: true, force: true });
}

/**
 * Makes the demo corpus at `root`, or finds it there. It is written beside `root` and renamed when it is whole.
 *
 * @throws EmosllmError `usage` for an option out of range, or when `root` holds something that is not a demo corpus.
 * @example
 * const { clips } = await makeDemoCorpus("runs/demo-corpus", { seed: 1 });
 */
export async function makeDemoCorpus(root: string, options: DemoCorpusOptions = {}): Promise<DemoCorpus> {
  const { seed = 1, utterancesPerSpeaker = 104, workers = Math.min(10, availableParallelism()), onProgress } = options;
  if (!Number.isInteger(workers) || workers < 1)
    throw new EmosllmError("usage", `workers ${workers}: a whole number from 1 is expected`);
  let clips: PlannedClip[];
  try {
    clips = planCorpus({ seed, utterancesPerSpeaker });
  } catch (cause) {
    if (cause instanceof RangeError) throw new EmosllmError("usage", cause.message, { cause });
    throw cause;
  }
  const target = resolve(root);
  const recipe = recipeOf(seed, utterancesPerSpeaker);
  const found = markerOf(target);
  if (found?.recipe === recipe) return { root: target, clips: found.clips, recipe, made: false };
  if (found === undefined && existsSync(target) && readdirSync(target).length > 0)
    throw new EmosllmError(
      "usage",
      `${target}: not empty and not a demo corpus (it has no ${MARKER}); name another folder`,
    );

  const folder = `${target}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    mkdirSync(folder, { recursive: true });
    const seconds = await speakAll(folder, clips, seed, workers, onProgress);
    writeTexts(folder, clips, seed, seconds);
    const total = [...seconds.values()].reduce((sum, s) => sum + s, 0);
    const marker: Marker & Record<string, unknown> = {
      recipe,
      seed,
      utterancesPerSpeaker,
      clips: clips.length,
      seconds: Math.round(total),
    };
    writeFileSync(join(folder, MARKER), `${JSON.stringify(marker, null, 2)}\n`);
    // Somebody else may have finished the same corpus meanwhile; theirs is as good.
    if (markerOf(target)?.recipe === recipe) rmSync(folder, { recursive: true, force: true });
    else moveInto(folder, target);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return { root: target, clips: clips.length, recipe, made: true };
}
