/**
 * @file `bench profile`: where a training step spends its time, by phase (forward, backward, update) and kind of op, and which
 * share of the machine's arithmetic limit its products reach. The limit is one large product, measured in the same run.
 */
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { input, matmul, sum } from "@emosllm/graph";
import { buildGraph, weightedLoss } from "@emosllm/model";
import { fastestRun, hostTensor, lower, mappedFiles } from "@emosllm/runtime";
import { round, setUpTraining } from "./set-up.ts";

/** One kernel run, as onnxruntime's profile has it. */
interface KernelEvent {
  readonly name: string;
  readonly cat: string;
  /** microseconds */
  readonly dur: number;
  readonly ts: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/** Time and arithmetic of one kind of op in one phase, for one step. */
interface Row {
  readonly phase: string;
  readonly op: string;
  readonly calls: number;
  readonly ms: number;
  /** Multiply-adds of products times 2, in 10^9; 0 for what is no product. */
  readonly gflop: number;
}

/** Times one step. `--json` gives every line as fields; else a table goes to stdout as well. `--by shape` splits by shapes of the inputs. */
export async function benchProfile(argv: readonly string[]): Promise<Record<string, unknown>> {
  const json = argv.includes("--json");
  const byShape = argv.includes("--by-shape");
  const folder = await mkdtemp(join(tmpdir(), "emosllm-profile-"));
  try {
    const { shape, precision, steps, threads, parts, batch, trainer } = await setUpTraining(
      argv.filter((a) => a !== "--json" && a !== "--by-shape"),
      { profile: join(folder, "step") },
    );
    const wall: number[] = [];
    for (let i = 0; i < steps + 1; i++) {
      const start = performance.now();
      await trainer.accumulate(batch, true);
      await trainer.update();
      wall.push(performance.now() - start);
    }
    const limit = await arithmeticLimit(threads);
    await trainer.dispose();
    // The nodes that the loss needs come first.
    const loss = weightedLoss(buildGraph(parts, batch.form));
    const forward = lower({ loss }, (name) => parts.languageModel.weights.get(name), mappedFiles()).nodes.length - 1;
    const rows = await readProfiles(folder, forward, byShape);
    const total = rows.reduce((n, r) => n + r.ms, 0);
    const products = rows.filter((r) => r.gflop > 0);
    const gflop = products.reduce((n, r) => n + r.gflop, 0);
    const productMs = products.reduce((n, r) => n + r.ms, 0);
    const step = Math.min(...wall);
    if (!json) process.stdout.write(`${table(rows, total)}\n`);
    return {
      shape,
      precision,
      tokens: batch.tokens,
      step_ms: round(step),
      kernels_ms: round(total),
      products_ms: round(productMs),
      gflop: round(gflop),
      limit_gflops: round(limit),
      products_share_of_limit: round(gflop / (productMs / 1000) / limit),
      step_share_of_limit: round(gflop / (step / 1000) / limit),
      ...(json ? { rows: rows.map((r) => ({ ...r, ms: round(r.ms), gflop: round(r.gflop) })) } : {}),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** 10^9 floating-point operations a second of the best of ten products 1024x2048x2048 in f32, by the step's own kernel and threads. */
export async function arithmeticLimit(threads: number): Promise<number> {
  const [m, n, k] = [1024, 2048, 2048];
  const a = input("a", [m, k]);
  const b = input("b", [n, k]);
  const feeds = {
    a: hostTensor("f32", [m, k], new Float32Array(m * k).fill(0.5)),
    b: hostTensor("f32", [n, k], new Float32Array(n * k).fill(0.25)),
  };
  const best = await fastestRun(sum(matmul(a, b, { transB: true }), [0, 1]), feeds, { threads, runs: 10 });
  return (2 * m * n * k) / best / 1e6;
}

async function readProfiles(folder: string, forward: number, byShape: boolean): Promise<Row[]> {
  const sums = new Map<string, { phase: string; op: string; calls: number; ms: number; gflop: number }>();
  const files = await readdir(folder);
  for (const file of files) {
    const events = JSON.parse(await readFile(join(folder, file), "utf8")) as KernelEvent[];
    const runs = events.filter((e) => e.name === "model_run");
    // The median run: the first one fills caches, others may be disturbed.
    const chosen = runs.slice(1).toSorted((a, b) => a.dur - b.dur)[Math.floor((runs.length - 1) / 2)] ?? runs[0];
    if (!chosen) continue;
    const kernels = events.filter(
      (e) => e.cat === "Node" && e.name.endsWith("_kernel_time") && e.ts >= chosen.ts && e.ts < chosen.ts + chosen.dur,
    );
    const isUpdate = !kernels.some((e) => /Softmax/.test(e.args?.op_name ?? ""));
    for (const e of kernels) {
      const index = Number(/^n(\d+)/.exec(e.name)?.[1] ?? NaN);
      const phase = isUpdate ? "update" : index < forward ? "forward" : "backward";
      const ins = (e.args?.input_type_shape ?? []).map((t) => Object.values(t)[0] ?? []);
      const out = Object.values(e.args?.output_type_shape?.[0] ?? {})[0] ?? [];
      const op = e.args?.op_name ?? "?";
      const label = byShape ? `${op} ${ins.map((s) => s.join("x")).join(" ")} -> ${out.join("x")}` : op;
      const key = `${phase} ${label}`;
      const row = sums.get(key) ?? { phase, op: label, calls: 0, ms: 0, gflop: 0 };
      row.calls++;
      row.ms += e.dur / 1000;
      row.gflop += flop(op, ins, out) / 1e9;
      sums.set(key, row);
    }
  }
  return [...sums.values()].toSorted((a, b) => b.ms - a.ms);
}

const size = (s: readonly number[]): number => s.reduce((a, b) => a * b, 1);

/** 2mnk of a product from the sizes of both sides and the result: their product is m^2 n^2 k^2 (times the square of the batch axes). */
function flop(op: string, ins: readonly (readonly number[])[], out: readonly number[]): number {
  const [a, b] = ins;
  if (!a || !/MatMul|Gemm/.test(op)) return 0;
  // Weights that a kernel holds in its own layout are not listed: what follows is scales, or nothing.
  if (!b || b.length < 2 || op === "MatMulNBits") return 2 * size(out) * (a.at(-1) ?? 0);
  const batch = Math.max(size(a.slice(0, -2)), size(b.slice(0, -2)));
  // One matrix for all of a batch counts once for each.
  const all = (s: readonly number[]): number => size(s.slice(-2)) * batch;
  return (2 * Math.sqrt(all(a) * all(b) * (size(out.slice(-2)) * batch))) / Math.sqrt(batch);
}

function table(rows: readonly Row[], total: number): string {
  const cells = rows
    .filter((r) => r.ms > total / 1000)
    .map((r) => [
      r.phase,
      r.op,
      String(r.calls),
      r.ms.toFixed(1),
      `${((100 * r.ms) / total).toFixed(1)} %`,
      r.gflop > 0 ? (r.gflop / (r.ms / 1000)).toFixed(0) : "",
    ]);
  const phases = ["forward", "backward", "update"].map((phase) => {
    const ms = rows.filter((r) => r.phase === phase).reduce((n, r) => n + r.ms, 0);
    return [phase, "all", "", ms.toFixed(1), `${((100 * ms) / total).toFixed(1)} %`, ""];
  });
  const all = [["phase", "op", "calls", "ms", "share", "Gflop/s"], ...cells, ...phases];
  const widths = all[0]?.map((_, c) => Math.max(...all.map((r) => (r[c] as string).length))) ?? [];
  return all
    .map((r) => r.map((v, c) => (c < 2 ? v.padEnd(widths[c] ?? 0) : v.padStart(widths[c] ?? 0))).join("  "))
    .join("\n");
}
