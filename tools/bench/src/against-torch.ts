/**
 * @file `bench train --against torch`: the whole table against PyTorch + PEFT (`tools/oracle/emosllm_torch.py bench`). Each figure is a process
 * of its own; ours and PyTorch's take turns on the same machine, so that both see the same load.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";

const run = promisify(execFile);

/** The table's lines: the flags that both sides understand. */
const SHAPES: readonly (readonly string[])[] = [
  ["--shape", "smollm2-135m"],
  ["--shape", "llama-3.2-1b", "--layers", "4"],
  ["--shape", "qwen2.5-0.5b"],
];

/** What one process says of its steps. */
interface Figures {
  readonly train_step_s: number;
  readonly peak_rss_mib: number;
}

interface Line {
  readonly shape: string;
  readonly torch: Readonly<Record<"float32" | "bfloat16", Figures>>;
  readonly ours: Readonly<Record<"f32" | "int8", Figures>>;
}

/** Runs the table. `--python PATH` (python3), `--steps N`, `--only TEXT` (shapes whose flags hold it), `--markdown FILE`. */
export async function benchAgainstTorch(argv: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      against: { type: "string" },
      python: { type: "string", default: "python3" },
      steps: { type: "string", default: "2" },
      only: { type: "string", default: "" },
      markdown: { type: "string" },
    },
  });
  if (values.against !== "torch") throw new Error(`--against '${values.against}' is not torch`);
  const versions = await torchVersions(values.python);
  const steps = ["--steps", values.steps];
  const lines: Line[] = [];
  for (const flags of SHAPES.filter((f) => f.join(" ").includes(values.only))) {
    const f32 = await ours([...flags, ...steps]);
    const torch32 = await torch(values.python, [...flags, ...steps]);
    const int8 = await ours([...flags, ...steps, "--precision", "int8"]);
    const torch16 = await torch(values.python, [...flags, ...steps, "--dtype", "bfloat16"]);
    lines.push({
      shape: flags.slice(1).join(" "),
      torch: { float32: torch32, bfloat16: torch16 },
      ours: { f32, int8 },
    });
    process.stderr.write(`${row(lines.at(-1) as Line)}\n`);
  }
  const machine = `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${cpus().length} logical cores`;
  const date = new Date().toISOString().slice(0, 10);
  const text = `${[
    `| shape, batch 8 | PyTorch f32 / bf16 | ours f32 / int8 | f32 vs f32 | int8 vs f32 | int8 vs bf16 | peak memory, int8 vs bf16 |`,
    `| --- | --- | --- | --- | --- | --- | --- |`,
    ...lines.map(row),
  ].join(
    "\n",
  )}\n\n${machine}; Node ${process.versions.node}; ${versions}; ${date}; \`npm run bench -- train --against torch\`.\n`;
  if (values.markdown) await writeFile(values.markdown, text);
  else process.stdout.write(text);
  return { machine, node: process.versions.node, versions, date, lines };
}

const seconds = ({ train_step_s }: Figures): string => `${train_step_s.toFixed(2)} s`;
const times = (theirs: Figures, own: Figures): string => `${(theirs.train_step_s / own.train_step_s).toFixed(1)}x`;

function row({ shape, torch: t, ours: o }: Line): string {
  const memory = o.int8.peak_rss_mib / t.bfloat16.peak_rss_mib;
  return `| ${[
    `\`${shape}\``,
    `${seconds(t.float32)} / ${seconds(t.bfloat16)}`,
    `${seconds(o.f32)} / ${seconds(o.int8)}`,
    times(t.float32, o.f32),
    times(t.float32, o.int8),
    times(t.bfloat16, o.int8),
    memory.toFixed(2),
  ].join(" | ")} |`;
}

/** Versions of what PyTorch's side is made of. Throws with what to install. */
async function torchVersions(python: string): Promise<string> {
  const code =
    "import torch, transformers, peft; print(f'PyTorch {torch.__version__}, transformers {transformers.__version__}, PEFT {peft.__version__}')";
  try {
    return (await run(python, ["-c", code])).stdout.trim();
  } catch (cause) {
    throw new Error(
      `'${python}' cannot import torch, transformers and peft. Make an environment with them and name its Python:\n` +
        "  python3 -m venv .venv && .venv/bin/pip install torch transformers peft safetensors\n" +
        "  npm run bench -- train --against torch --python .venv/bin/python",
      { cause },
    );
  }
}

/** The last line of what a benchmark printed. */
const lastLine = (stdout: string): Figures => JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Figures;

const root = process.env["EMOSLLM_ROOT"] ?? process.cwd();
const NODE_FLAGS = process.execArgv;

async function ours(flags: readonly string[]): Promise<Figures> {
  const main = join(root, "tools/bench/src/main.ts");
  return lastLine((await run(process.execPath, [...NODE_FLAGS, main, "train", ...flags])).stdout);
}

async function torch(python: string, flags: readonly string[]): Promise<Figures> {
  const script = join(root, "tools/oracle/emosllm_torch.py");
  // Its own defaults for threads, whatever the environment says: that is what a user gets.
  const { OMP_NUM_THREADS: _threads, OMP_WAIT_POLICY: _policy, ...env } = process.env;
  return lastLine((await run(python, [script, "bench", ...flags], { env })).stdout);
}
