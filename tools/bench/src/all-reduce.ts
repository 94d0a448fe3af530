/** @file `mpirun -n N npm run -s bench -- all-reduce --megabytes 64`: seconds to add a gradient of that size up over the ranks (median, on every rank). */
import { parseArgs } from "node:util";
import { openCollective } from "@emosllm/training";

/** One line a rank. */
export async function benchAllReduce(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { values } = parseArgs({
    args: [...argv],
    options: { megabytes: { type: "string", default: "64" }, rounds: { type: "string", default: "11" } },
  });
  const collective = await openCollective();
  const data = new Float32Array((Number(values.megabytes) * 1e6) / 4);
  const seconds: number[] = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    await collective.barrier();
    const start = performance.now();
    await collective.sum(data);
    seconds.push((performance.now() - start) / 1000);
  }
  seconds.sort((a, b) => a - b);
  const { rank, size, carrier } = collective;
  await collective.close();
  return { rank, size, carrier, megabytes: Number(values.megabytes), seconds: seconds[seconds.length >> 1] };
}
