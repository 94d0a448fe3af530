/** @file Collectives between real processes, under each MPI that is installed (Debian: `apt-get install openmpi-bin mpich`). */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { launchOf, openCollective } from "../src/index.ts";
import { launchers, mpirun } from "./mpi-jobs.ts";

const rankFile = fileURLToPath(new URL("children/mpi-rank.ts", import.meta.url));

for (const launcher of launchers)
  describe.skipIf(!launcher.command)(
    `${launcher.name}${launcher.command ? "" : ": not installed (apt-get install openmpi-bin mpich)"}`,
    () => {
      // prettier-ignore
      test.each([2, 3])("%i ranks sum, copy and compare", { timeout: 120_000 }, (ranks) => {
      const { code, lines, output } = mpirun(launcher, ranks, rankFile);
      expect(code, output).toBe(0);
      const all = (f: (rank: number) => number): number => [...Array(ranks).keys()].reduce((s, r) => s + f(r), 0);
      expect(lines.toSorted((a, b) => Number(a["rank"]) - Number(b["rank"]))).toEqual(
        [...Array(ranks).keys()].map((rank) => ({
          rank,
          size: ranks,
          carrier: `${launcher.name}, ${ranks} processes`,
          sum: [all((r) => r + 1), all((r) => 10 * r), expect.closeTo(0.1 * ranks, 6)],
          first: 42,
          // Summed five times: each time all ranks hold the same, so it grows by their number.
          large: all((r) => r + 0.25) * ranks ** 4,
          same: true,
          differs: true,
        })),
      );
    });

      test.each(["throw", "leave", "kill"])(
        "a rank that is lost (%s) ends the job as failed",
        { timeout: 120_000 },
        (how) => {
          const started = performance.now();
          const { code, output } = mpirun(launcher, 2, rankFile, [how]);
          expect(code, output).not.toBe(0);
          expect(performance.now() - started).toBeLessThan(60_000);
          if (how === "throw") expect(output, `exit code ${code}`).toContain("this rank fails");
        },
      );
    },
  );

const [openMpi, mpich] = launchers;
test.skipIf(!openMpi?.command || !mpich?.command)(
  "the launcher of one MPI with the library of another is refused, not run as so many jobs of one",
  { timeout: 120_000 },
  () => {
    const { code, output } = mpirun(mpich!, 2, rankFile, [], { EMOSLLM_MPI_LIBRARY: "libmpi.so.40" });
    expect(code).not.toBe(0);
    expect(output).toContain("PMI_SIZE says 2 processes, but Open MPI sees 1: the launcher belongs to another MPI.");
  },
);

test("a process that nobody launched is alone", async () => {
  expect(launchOf({ SLURM_STEP_NUM_TASKS: "1" })).toBeUndefined();
  expect(launchOf({ SLURM_STEP_NUM_TASKS: "4" })?.size).toBe(4);
  const alone = await openCollective({});
  const data = Float32Array.of(1, 2);
  await alone.sum(data);
  expect([alone.size, ...data]).toEqual([1, 1, 2]);
});

test("a missing library is named, with what to install", async () => {
  await expect(openCollective({ PMI_SIZE: "2", EMOSLLM_MPI_LIBRARY: "/nowhere/libmpi.so" })).rejects.toThrow(
    /PMI_SIZE=2: several processes were started, but no MPI library could be loaded \(tried \/nowhere\/libmpi\.so\)/,
  );
});
