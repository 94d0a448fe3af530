/** @file One run on several processes, under each MPI that is installed (Debian: `apt-get install openmpi-bin mpich`), and the files that start such jobs. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSafetensors } from "@emosllm/checkpoints";
import { writeIemocap } from "@emosllm/datasets/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { launchers, mpirun } from "../../../packages/training/test/mpi-jobs.ts";
import { run } from "./run.ts";
import { recipe, repository, tinyModel } from "./tiny-run.ts";

const main = join(repository, "apps/trainer/src/main.ts");
let folder = "";
const flags = (output: string, batch: number, ...more: string[]): string[] => [
  "train",
  recipe("demo"),
  `model_name_or_path=${tinyModel}`,
  `corpus=iemocap:${join(folder, "iemocap")}`,
  `output_dir=${join(folder, output)}`,
  "max_steps=6",
  "save_steps=3",
  "logging_steps=1",
  `per_device_train_batch_size=${batch}`,
  ...more,
];
const losses = (output: string): number[] =>
  readFileSync(join(folder, output, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { loss?: number })
    .flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
const weights = async (output: string): Promise<Float32Array> => {
  const stored = await loadSafetensors(join(folder, output, "last/projector.safetensors"));
  return [...stored.values()][0]!.data as Float32Array;
};

const installed = launchers.filter((l) => l.command);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mpi-train-"));
  writeIemocap(join(folder, "iemocap"), { quirks: false, turns: 4, dialogues: 1, seconds: 0.5 });
  if (installed.length > 0) expect((await run(...flags("alone", 12))).code).toBe(0);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const launcher of launchers)
  describe.skipIf(!launcher.command)(
    `${launcher.name}${launcher.command ? "" : ": not installed (apt-get install openmpi-bin mpich)"}`,
    () => {
      // prettier-ignore
      test.each([2, 3])("%i processes learn what one does with their batches together", { timeout: 180_000 }, async (n) => {
      const output = `${launcher.name}-${n}`.replaceAll(" ", "-");
      const { code, output: said } = mpirun(launcher, n, main, flags(output, 12 / n));
      expect(code, said).toBe(0);
      // Sums in another order: a few roundings of f32 in 6 steps.
      const want = losses("alone");
      losses(output).forEach((v, i) => expect(Math.abs(v - want[i]!) / want[i]!).toBeLessThan(1e-5));
      const [mine, theirs] = [await weights(output), await weights("alone")];
      const largest = Math.max(...theirs.map(Math.abs));
      mine.forEach((v, i) => expect(Math.abs(v - theirs[i]!) / largest).toBeLessThan(1e-4));
    });
    },
  );

test.skipIf(installed.length === 0)(
  "killed in the middle, the job fails; started again, it ends with the same bits",
  { timeout: 240_000 },
  async () => {
    // prettier-ignore
    const launcher = installed[0]!;
    expect(mpirun(launcher, 2, main, flags("whole", 6)).code).toBe(0);
    // The second process ends itself once the first checkpoint is there.
    const killer = `until [ -d '${join(folder, "killed/checkpoint-3")}' ]; do sleep 0.05; done; pkill -9 -n -f 'output_dir=${join(folder, "killed")}'`;
    const both = spawnSync("bash", ["-c", `(${killer}) & exit 0`], { stdio: "ignore" });
    expect(both.status).toBe(0);
    const first = mpirun(launcher, 2, main, flags("killed", 6));
    expect(first.code, first.output).not.toBe(0);
    const again = mpirun(launcher, 2, main, flags("killed", 6));
    expect(again.code, again.output).toBe(0);
    expect(await weights("killed")).toEqual(await weights("whole"));
    expect(losses("killed")).toEqual(losses("whole"));
  },
);

test.skipIf(installed.length === 0)(
  "what fails for the process that writes alone ends the others too",
  { timeout: 120_000 },
  () => {
    const launcher = installed[0]!;
    // Its folder is taken away once there is a line in the log: the next one cannot be written, by the first process only.
    const output = join(folder, "gone");
    const taker = `until [ -s '${join(output, "log.jsonl")}' ]; do sleep 0.02; done; rm -rf '${output}'`;
    expect(spawnSync("bash", ["-c", `(${taker}) & exit 0`], { stdio: "ignore" }).status).toBe(0);
    const { code, output: said } = mpirun(launcher, 2, main, flags("gone", 6, "max_steps=5000"));
    expect(code, said).not.toBe(0);
    expect(said).toMatch(/log\.jsonl|ENOENT/);
  },
);

test("the MPIJob has the operator's fields and a command that exists", () => {
  const container = z.strictObject({
    name: z.string(),
    image: z.string(),
    command: z.array(z.string()).optional(),
    resources: z.strictObject({ requests: z.record(z.string(), z.string()), limits: z.record(z.string(), z.string()) }),
    volumeMounts: z
      .array(z.strictObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() }))
      .optional(),
  });
  const replica = z.strictObject({
    replicas: z.int().min(1),
    template: z.strictObject({
      spec: z.strictObject({
        restartPolicy: z.enum(["Never", "OnFailure"]).optional(),
        containers: z.array(container).length(1),
        volumes: z.array(z.looseObject({ name: z.string() })).optional(),
      }),
    }),
  });
  const job = z
    .strictObject({
      apiVersion: z.literal("kubeflow.org/v2beta1"),
      kind: z.literal("MPIJob"),
      metadata: z.strictObject({ name: z.string() }),
      spec: z.strictObject({
        slotsPerWorker: z.int(),
        runPolicy: z.strictObject({ cleanPodPolicy: z.enum(["None", "Running", "All"]), backoffLimit: z.int() }),
        sshAuthMountPath: z.string(),
        mpiImplementation: z.enum(["OpenMPI", "Intel", "MPICH"]),
        mpiReplicaSpecs: z.strictObject({ Launcher: replica, Worker: replica }),
      }),
    })
    .parse(parse(readFileSync(join(repository, "deploy/train-mpijob.yaml"), "utf8")));
  expect(job.spec.mpiReplicaSpecs.Launcher.template.spec.containers[0]?.command).toContain("train");
});

test("the Slurm script is a shell script that asks for what it needs", () => {
  const file = join(repository, "deploy/train.sbatch");
  expect(spawnSync("bash", ["-n", file]).status).toBe(0);
  const { status, stderr } = spawnSync("bash", [file], { encoding: "utf8", env: { PATH: process.env["PATH"] } });
  expect(status).not.toBe(0);
  expect(stderr).toContain("CONFIG: the config");
});
