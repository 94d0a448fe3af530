/** @file What a machine has and lacks, one finding each. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, platform, arch, totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { findFfmpeg } from "@emosllm/audio-features";

/** One finding. */
export interface Finding {
  readonly check: string;
  /** `ok`; `note`: something optional is not there; `problem`: it will not work. */
  readonly status: "ok" | "note" | "problem";
  readonly value: string;
  /** What to do, where there is something to do. */
  readonly advice?: string | undefined;
  /** The number behind `value`, where there is one. */
  readonly number?: number | undefined;
}

const GIB = 2 ** 30;
/** `3.2 GiB`, or MiB under one. */
export const bytesText = (bytes: number): string =>
  bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** Bytes that a process may take: the machine's, or its container's if that is less. */
export function memoryLimit(): number {
  for (const file of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"])
    if (existsSync(file)) {
      const limit = Number(readFileSync(file, "utf8"));
      if (limit > 0 && limit < totalmem()) return limit;
    }
  return totalmem();
}

/** The first of `programs` that runs; its first line. */
function program(programs: readonly string[], ...args: string[]): string | undefined {
  for (const name of programs) {
    const { status, stdout, stderr } = spawnSync(name, args, { encoding: "utf8", timeout: 5000 });
    if (status === 0) return `${name}: ${(stdout || stderr).trim().split("\n")[0]}`;
  }
  return undefined;
}

/** Checks that need no config. `folder` is where runs are to be written. */
export async function machineChecks(folder: string): Promise<Finding[]> {
  const [major, minor] = process.versions.node.split(".").map(Number) as [number, number];
  const good = major > 20 || (major === 20 && minor >= 19);
  const ffmpeg = await findFfmpeg();
  const mpi = program(["mpirun", "mpiexec"], "--version");
  const browser = program(["chromium", "chromium-browser", "google-chrome", "firefox"], "--version");
  const disk = await freeDisk(folder);
  const optional = (check: string, value: string | undefined, advice: string): Finding =>
    value === undefined ? { check, status: "note", value: "not found", advice } : { check, status: "ok", value };
  return [
    {
      check: "node",
      status: good ? "ok" : "problem",
      value: `${process.versions.node} on ${platform()} ${arch()}`,
      ...(good ? {} : { advice: "install Node.js 20.19 or newer" }),
    },
    {
      check: "cores",
      status: "ok",
      value: `${availableParallelism()} of ${cpus()[0]?.model ?? "?"}`,
      number: availableParallelism(),
    },
    {
      check: "memory",
      status: "ok",
      value: `${bytesText(memoryLimit())}, ${bytesText(freemem())} free now`,
      number: freemem(),
    },
    {
      check: "disk",
      status: disk < 2 * GIB ? "note" : "ok",
      value: `${bytesText(disk)} free at ${folder}`,
      number: disk,
      ...(disk < 2 * GIB ? { advice: "a run with checkpoints of a 3B model's adapter takes 1 to 2 GiB" } : {}),
    },
    await onnxruntime(),
    optional(
      "ffmpeg",
      ffmpeg,
      "only needed for AAC, MP4, Matroska and the like: apt-get install ffmpeg, brew install ffmpeg",
    ),
    optional("mpi", mpi, "only needed for training on several machines: apt-get install openmpi-bin"),
    optional("browser", browser, "only needed to look at report.html; any browser will do, on any machine"),
  ];
}

async function onnxruntime(): Promise<Finding> {
  try {
    const { compile, f32 } = await import("@emosllm/runtime");
    const { add, input } = await import("@emosllm/graph");
    const x = input("x", [1]);
    const twice = await compile({ y: add(x, x) });
    const { y } = await twice.run({ x: f32([2], [1]) });
    await twice.dispose();
    const right = Number((y as { data: ArrayLike<number> }).data[0]) === 4;
    return {
      check: "onnxruntime",
      status: right ? "ok" : "problem",
      value: right ? "runs on cpu" : "computes wrong numbers",
    };
  } catch (error) {
    return {
      check: "onnxruntime",
      status: "problem",
      value: (error as Error).message.split("\n")[0] ?? "",
      advice: "npm install onnxruntime-node; on Linux it needs glibc 2.28 or newer",
    };
  }
}

/** Free bytes where `folder` is, or will be. */
async function freeDisk(folder: string): Promise<number> {
  let at = resolve(folder);
  while (!existsSync(at)) at = dirname(at);
  const { bavail, bsize } = await statfs(at);
  return bavail * bsize;
}
