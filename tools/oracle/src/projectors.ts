/** @file Replays what projectors.py made: same weights and frames in, same vectors and gradients out. */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Tensor, gradients, input, mul, sum } from "@emosllm/graph";
import { type StoredTensor, loadSafetensors } from "@emosllm/checkpoints";
import { makeProjector, projectorConfig } from "@emosllm/projector";
import { type HostTensor, compile, f32, feedsOf, i64 } from "@emosllm/runtime";
import { largest, relativeError } from "./compare.ts";

/** Largest errors relative to the largest reference value: of the vectors, of the gradients. */
export interface ProjectorResult {
  readonly case: string;
  readonly type: string;
  readonly error: number;
  readonly gradients: number;
  readonly ok: boolean;
}

/** f32 against float64: sums of up to a few thousand terms, and norms over few features that enlarge what went before. */
export const LIMITS = { error: 1e-5, gradients: 5e-5 } as const;

/** What softmax does not see (the bias of keys, scores of a single query) has a gradient of 0, and all there is of it in f32 is rounding (PyTorch's: 3e-8 of the largest gradient): judged against this share of the largest. */
const LIVE_GRADIENT = 1e-2;

/** Replays one case. */
export async function replayProjector(folder: string, name: string): Promise<ProjectorResult> {
  const config = projectorConfig(
    JSON.parse(await readFile(join(folder, "projector_config.json"), "utf8")) as Record<string, unknown>,
  );
  const projector = makeProjector(config);
  const golden = await loadSafetensors(join(folder, "golden.safetensors"));
  const weights = await loadSafetensors(join(folder, "projector.safetensors"));
  const stored = (key: string): StoredTensor => golden.get(key) ?? fail(`${name} has no '${key}'`);
  const host = ({ shape, data }: StoredTensor): HostTensor => f32(data as Float32Array, shape);
  const lengths = Array.from(stored("lengths").data as BigInt64Array, Number);
  const counts = Array.from(stored("counts").data as BigInt64Array, Number);
  lengths.forEach((n, r) => {
    if (projector.vectors(n) !== counts[r])
      fail(`${name}: ${n} frames give ${projector.vectors(n)} vectors, not ${counts[r]}`);
  });
  const missing = [...weights.keys()].filter((k) => !(k in projector.parameters));
  const extra = Object.keys(projector.parameters).filter((k) => !weights.has(k));
  if (missing.length + extra.length > 0) fail(`${name}: missing ${missing.join(", ")}; unexpected ${extra.join(", ")}`);

  const read: Record<string, Tensor> = {};
  const frames = input("frames", ["rows", "frames", projector.inputSize]);
  const y = projector.build(
    frames,
    input("lengths", ["rows"], "i64"),
    (key, shape) => (read[key] ??= input(key, shape)),
  );
  const loss = sum(mul(y, input("dy", y.shape)));
  const wanted = { ...read, frames };
  const ds = gradients(loss, Object.values(wanted));
  const named = Object.fromEntries(Object.keys(wanted).map((key, i) => [`grad.${key}`, ds[i] as Tensor]));
  const program = await compile({ y, ...named });
  try {
    const fed = { frames: host(stored("frames")), lengths: i64(lengths), dy: host(stored("dy")) };
    const parameters = Object.fromEntries([...weights].map(([key, t]) => [key, host(t)]));
    const out = await program.run(feedsOf(program, { ...fed, ...parameters }));
    const [, most, width] = stored("y").shape as [number, number, number];
    const counted = (i: number): boolean =>
      Math.floor(i / width) % most < (counts[Math.floor(i / width / most)] as number);
    const vectors = out["y"]?.data as Float32Array;
    if (!vectors.every(Number.isFinite)) fail(`${name}: not finite`);
    const references = Object.keys(wanted).map(
      (key) => [key, stored(key === "frames" ? "grad_frames" : `grad.${key}`).data as Float32Array] as const,
    );
    const live = LIVE_GRADIENT * Math.max(...references.map(([, reference]) => largest(reference)));
    let worst = 0;
    for (const [key, reference] of references) {
      const error = relativeError(out[`grad.${key}`]?.data as Float32Array, reference);
      worst = Math.max(worst, (error * (largest(reference) || 1)) / Math.max(largest(reference), live));
    }
    const error = relativeError(vectors, stored("y").data as Float32Array, counted);
    const ok = error <= LIMITS.error && worst <= LIMITS.gradients;
    return { case: name, type: config.type, error, gradients: worst, ok };
  } finally {
    await program.dispose();
  }
}

const fail = (message: string): never => {
  throw new Error(message);
};

/** Every case of each folder. */
export async function* checkProjectors(folders: readonly string[]): AsyncIterable<ProjectorResult> {
  for (const folder of folders)
    for (const name of (await readdir(folder)).sort()) yield await replayProjector(join(folder, name), name);
}
