/**
 * @file `bench train --against torch`: the whole table against PyTorch + PEFT (`tools/oracle/emosllm_torch.py bench`). Each figure is a process
 * of its own; ours and PyTorch's take turns on the same machine, so that both see the same load.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { freshBench, printed } from "./fresh.ts";
import { needPython } from "./python.ts";

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

/** The largest model that is trained on a machine of 24 GiB: PyTorch's f32 weights alone take 13. */
const LARGEST: readonly string[] = ["--shape", "llama-3.2-3b", "--precision", "int4"];

/** What was measured so far, with the same machine and versions: shapes may be measured one by one. */
interface Results {
  readonly machine: string;
  readonly versions: string;
  readonly lines: Readonly<Record<string, Line & { readonly date: string }>>;
  readonly largest?: Figures & { readonly date: string };
}

/**
 * Runs the table. `--python PATH` (python3), `--steps N`, `--only TEXT` (shapes whose flags hold it; the others stand in the table as they
 * were measured before), `--results FILE` (where that is kept), `--markdown FILE` (its part between the marks, or the whole file).
 */
export async function benchAgainstTorch(argv: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      against: { type: "string" },
      python: { type: "string", default: "python3" },
      steps: { type: "string", default: "2" },
      only: { type: "string", default: "" },
      results: { type: "string", default: join(tmpdir(), "emosllm-bench", "against-torch.json") },
      markdown: { type: "string" },
    },
  });
  if (values.against !== "torch") throw new Error(`--against '${values.against}' is not torch`);
  await needPython(values.python, ["torch", "transformers", "peft", "safetensors"], "train --against torch");
  const versions = `Node ${process.versions.node}; ${await torchVersions(values.python)}`;
  const machine = `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${cpus().length} logical cores`;
  let results = await readResults(values.results, machine, versions);
  const keep = async (more: Partial<Results>): Promise<void> => {
    results = { ...results, ...more };
    await mkdir(dirname(values.results), { recursive: true });
    await writeFile(`${values.results}.tmp`, JSON.stringify(results, null, 2));
    await rename(`${values.results}.tmp`, values.results);
  };
  const steps = ["--steps", values.steps];
  const date = new Date().toISOString().slice(0, 10);
  for (const flags of SHAPES.filter((f) => f.join(" ").includes(values.only))) {
    const f32 = await ours([...flags, ...steps]);
    const torch32 = await torch(values.python, [...flags, ...steps]);
    const int8 = await ours([...flags, ...steps, "--precision", "int8"]);
    const torch16 = await torch(values.python, [...flags, ...steps, "--dtype", "bfloat16"]);
    const shape = flags.slice(1).join(" ");
    const line = { shape, torch: { float32: torch32, bfloat16: torch16 }, ours: { f32, int8 }, date };
    process.stderr.write(`${row(line)}\n`);
    await keep({ lines: { ...results.lines, [shape]: line } });
  }
  if (LARGEST.join(" ").includes(values.only))
    await keep({ largest: { ...(await ours([...LARGEST, "--steps", "1"])), date } });
  const text = tableOf(results);
  if (values.markdown) await writeInto(values.markdown, text);
  else process.stdout.write(text);
  return { ...results };
}

async function readResults(file: string, machine: string, versions: string): Promise<Results> {
  const none: Results = { machine, versions, lines: {} };
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return none;
  const known = JSON.parse(text) as Results;
  return known.machine === machine && known.versions === versions ? known : none;
}

function tableOf({ machine, versions, lines, largest }: Results): string {
  const known = SHAPES.flatMap((f) => lines[f.slice(1).join(" ")] ?? []);
  const dates = [...new Set([...known, ...(largest ? [largest] : [])].map((l) => l.date))].toSorted();
  return `${[
    `| shape, batch 8 | PyTorch f32 / bf16 | ours f32 / int8 | f32 vs f32 | int8 vs f32 | int8 vs bf16 | peak memory, int8 vs bf16 |`,
    `| --- | --- | --- | --- | --- | --- | --- |`,
    ...known.map(row),
    ...(largest
      ? [
          `| \`llama-3.2-3b\`, whole | does not fit | int4: ${seconds(largest)}, ${(largest.peak_rss_mib / 1024).toFixed(1)} GiB | | | | |`,
        ]
      : []),
  ].join("\n")}\n\n${machine}; ${versions}; ${dates.join(", ")}; \`npm run bench -- train --against torch\`.\n`;
}

const MARKS = ["<!-- bench train --against torch -->", "<!-- end -->"] as const;

/** Between the marks of a file that has them; as the whole file otherwise. */
async function writeInto(file: string, text: string): Promise<void> {
  const before = await readFile(file, "utf8").catch(() => "");
  const from = before.indexOf(MARKS[0]);
  const to = before.indexOf(MARKS[1], from);
  const whole =
    from < 0 || to < 0 ? text : `${before.slice(0, from + MARKS[0].length)}\n\n${text}\n${before.slice(to)}`;
  await writeFile(`${file}.tmp`, whole);
  await rename(`${file}.tmp`, file);
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

/** Versions of what PyTorch's side is made of. */
async function torchVersions(python: string): Promise<string> {
  const code =
    "import torch, transformers, peft; print(f'PyTorch {torch.__version__}, transformers {transformers.__version__}, PEFT {peft.__version__}')";
  return (await run(python, ["-c", code])).stdout.trim();
}

const root = process.env["EMOSLLM_ROOT"] ?? process.cwd();

const ours = (flags: readonly string[]): Promise<Figures> => freshBench(["train", ...flags]);

async function torch(python: string, flags: readonly string[]): Promise<Figures> {
  const script = join(root, "tools/oracle/emosllm_torch.py");
  // Its own defaults for threads, whatever the environment says: that is what a user gets.
  const { OMP_NUM_THREADS: _threads, OMP_WAIT_POLICY: _policy, ...env } = process.env;
  return printed((await run(python, [script, "bench", ...flags], { env })).stdout);
}
