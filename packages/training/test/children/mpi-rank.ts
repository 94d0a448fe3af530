/** @file One rank of a job that the test starts with mpirun: does what its argument says and prints one JSON line. */
import { agree } from "../../src/collectives/collective.ts";
import { openCollective } from "../../src/collectives/mpi.ts";

const [what = "collect"] = process.argv.slice(2);
const collective = await openCollective();
const { rank, size, carrier } = collective;

const act: Readonly<Record<string, () => Promise<unknown>>> = {
  collect: async () => {
    const sum = Float32Array.of(rank + 1, 10 * rank, 0.1);
    await collective.sum(sum);
    const first = Float32Array.of(rank === 0 ? 42 : -1);
    await collective.broadcast(first);
    const large = new Float32Array(3_000_000).fill(rank + 0.25);
    for (let i = 0; i < 5; i++) await collective.sum(large);
    const same = await agree(collective, large);
    const other = Float32Array.of(1, 2, 3 + (rank === size - 1 ? 1e-6 : 0));
    return {
      sum: [...sum],
      first: first[0],
      large: large[17],
      same,
      differs: !(await agree(collective, other)),
    };
  },
  throw: async () => {
    if (rank === size - 1) throw new Error("this rank fails");
    await collective.sum(new Float32Array(4));
  },
  leave: async () => {
    if (rank === size - 1) process.exit(0);
    await collective.sum(new Float32Array(4));
  },
  kill: async () => {
    if (rank === size - 1) process.kill(process.pid, "SIGKILL");
    await collective.sum(new Float32Array(4));
  },
};
const result = await act[what]?.();
process.stdout.write(`${JSON.stringify({ rank, size, carrier, ...(result as object) })}\n`);
await collective.close();
