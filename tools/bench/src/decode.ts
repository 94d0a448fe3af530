/**
 * @file `npm run -s bench -- decode [--file FILE] [--seconds 30] [--python PYTHON]`: decoding and resampling to 16 kHz mono, in
 * multiples of real time; with `--python` (one that has soundfile and soxr) the opponent runs in turn with us on the same file.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { decodeAudio, durationOf, encodeWav, loadSpeech, seededRandom } from "@emosllm/audio-features";

const ROUNDS = 7;
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const PYTHON = `
import sys, time, soundfile, soxr
best = []
for _ in range(3):
    t = time.perf_counter()
    x, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    soxr.resample(x.mean(axis=1), rate, 16000, "HQ")
    best.append(time.perf_counter() - t)
print(sorted(best)[1])
`;

/** One file of 44.1 kHz stereo noise of 16 bits, unless `--file` names another. */
export async function benchDecode(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({
    args: [...argv],
    options: { file: { type: "string" }, seconds: { type: "string", default: "30" }, python: { type: "string" } },
  });
  const folder = mkdtempSync(join(tmpdir(), "emosllm-bench-"));
  try {
    const file = values.file ?? join(folder, "noise.wav");
    if (values.file === undefined) {
      const random = seededRandom(1);
      const channel = (): Float32Array =>
        Float32Array.from({ length: 44_100 * Number(values.seconds) }, () => random.uniform() - 0.5);
      writeFileSync(file, encodeWav({ samples: [channel(), channel()], sampleRate: 44_100 }));
    }
    const sound = await decodeAudio(file);
    const seconds = durationOf(sound);
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      const began = performance.now();
      await loadSpeech(file, { sampleRate: 16_000 });
      ours.push((performance.now() - began) / 1000);
      if (values.python !== undefined)
        theirs.push(Number(execFileSync(values.python, ["-c", PYTHON, file], { encoding: "utf8" })));
    }
    return {
      name: "decode",
      sampleRate: sound.sampleRate,
      channels: sound.samples.length,
      seconds,
      run_s: median(ours),
      times_real_time: Math.round(seconds / median(ours)),
      ...(theirs.length > 0
        ? { soundfile_soxr_s: median(theirs), ratio: Number((median(theirs) / median(ours)).toFixed(2)) }
        : {}),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
