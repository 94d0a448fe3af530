/**
 * @file `npm run -s bench -- features [--rounds N]`: milliseconds of our features for 10 s of synthetic speech (30 s for Whisper's), and of
 * librosa, transformers and opensmile in the same run when `EMOSLLM_PYTHON` (default `python3`) has them.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { egemaps, encodeWav, logMel, prosodyFrames, trackF0 } from "@emosllm/audio-features";

const RATE = 16_000;

/** Syllables of a vowel whose pitch moves, with pauses and a little noise: what every extractor has work with. */
function speechLike(seconds: number): Float32Array {
  const out = new Float32Array(seconds * RATE);
  let phase = 0;
  let seed = 1;
  for (let i = 0; i < out.length; i++) {
    const t = i / RATE;
    const hz = 140 + 40 * Math.sin(2 * Math.PI * 0.7 * t) + 10 * Math.sin(2 * Math.PI * 3 * t);
    phase += hz / RATE;
    const open = t % 2.5 < 2 ? Math.max(0, Math.sin(2 * Math.PI * 2.2 * t)) : 0;
    let x = 0;
    for (let h = 1; h <= 25; h++)
      x += (Math.cos(2 * Math.PI * h * phase) / h) * (1 + 2 * Math.exp(-(((h * hz - 700) / 200) ** 2)));
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    out[i] = 0.1 * open * x + 0.002 * (seed / 2 ** 31 - 1);
  }
  return out;
}

/** V8 compiles WebAssembly quickly at first and well in the background: what is measured comes after this. */
const WARM_MS = 600;

function medianMs(rounds: number, work: () => unknown): number {
  const began = performance.now();
  for (let i = 0; i < 3 || performance.now() - began < WARM_MS; i++) work();
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return times[rounds >> 1]!;
}

/** Times in ms, and how many times faster than each opponent that is there. */
export async function benchFeatures(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({ args: [...argv], options: { rounds: { type: "string", default: "9" } } });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: expected a whole number`);
  const clip = speechLike(10);
  const long = new Float32Array(3 * clip.length);
  for (let i = 0; i < 3; i++) long.set(clip, i * clip.length);
  const ours = {
    log_mel: medianMs(rounds, () => logMel(clip, RATE, { padSeconds: null })),
    log_mel_30s: medianMs(rounds, () => logMel(long, RATE)),
    f0: medianMs(rounds, () => trackF0(clip, RATE)),
    egemaps: medianMs(rounds, () => egemaps(clip, RATE)),
    prosody_frames: medianMs(rounds, () => prosodyFrames(clip, RATE)),
  };
  const theirs = await opponents(clip, rounds);
  const ratio = (a: string, b: number): number | null => (theirs[a] === undefined ? null : theirs[a] / b);
  return {
    unit: "ms",
    ours,
    theirs,
    times_faster: {
      log_mel_than_librosa: ratio("log_mel_librosa", ours.log_mel),
      log_mel_than_transformers: ratio("log_mel_transformers_30s", ours.log_mel_30s),
      log_mel_than_transformers_with_torch: ratio("log_mel_transformers_torch_30s", ours.log_mel_30s),
      f0_than_pyin: ratio("f0_pyin", ours.f0),
      egemaps_than_opensmile: ratio("egemaps_opensmile", ours.egemaps),
    },
  };
}

async function opponents(clip: Float32Array, rounds: number): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), "emosllm-bench-"));
  try {
    const wav = join(folder, "clip.wav");
    await writeFile(wav, encodeWav({ samples: [clip], sampleRate: RATE }));
    const python = process.env["EMOSLLM_PYTHON"] ?? "python3";
    const script = join(import.meta.dirname, "../../oracle/features_bench.py");
    const { stdout } = await promisify(execFile)(python, [script, wav, String(rounds)], { timeout: 300_000 });
    return JSON.parse(stdout) as Record<string, number>;
  } catch (error) {
    process.stderr.write(`no opponents: ${(error as Error).message.split("\n")[0]}\n`);
    return {};
  } finally {
    await rm(folder, { recursive: true });
  }
}
