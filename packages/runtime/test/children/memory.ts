/** @file Compiles, runs and releases many programs and prints this process's resident memory in MB as it goes. */
import { input, matmul, weight } from "@emosllm/graph";
import { type Program, compile, zeros } from "../../src/index.ts";

const rounds = Number(process.argv[2]);
const size = 256;
const w = { dtype: "f32", shape: [size, size], data: new Float32Array(size * size) } as const;
const rss: number[] = [];
// Kept, so that it is dispose that gives the memory back, not the garbage collector.
const programs: Program[] = [];
for (let i = 0; i <= rounds; i++) {
  const program = await compile(
    { y: matmul(input("x", ["rows", size]), weight("w", [size, size]), { transB: true }) },
    { weights: () => w, threads: 1 },
  );
  await program.run({ x: zeros("f32", [64 + (i % 8), size]) });
  await program.dispose();
  programs.push(program);
  if (i % (rounds / 10) === 0) {
    globalThis.gc?.();
    rss.push(Math.round(process.memoryUsage.rss() / 1e6));
  }
}
console.log(JSON.stringify(rss));
