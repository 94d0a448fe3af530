/** @file A process that opens files and says what came of each and how far its memory grew until then, for the tests of memory. */
import { openCheckpoint, readTensor } from "../src/index.ts";

const [count, ...paths] = process.argv.slice(2);
// What reading takes at first (compiled code, buffers) belongs to the process, not to the files.
for (const path of paths.slice(Number(count)))
  for (const source of (await openCheckpoint(path)).tensors.values()) await readTensor(source);
const before = process.resourceUsage().maxRSS;
const results = [];
for (const path of paths.slice(0, Number(count))) {
  (globalThis as unknown as { gc(): void }).gc(); // what an earlier file needed is not this one's
  await new Promise((resolve) => setTimeout(resolve, 50)); // buffers are freed by a thread
  const outcome = await openCheckpoint(path).then(
    (c) => `${c.tensors.size} tensors`,
    (e: Error) => e.message,
  );
  results.push({ outcome, growth: (process.resourceUsage().maxRSS - before) * 1024 });
}
console.log(JSON.stringify(results));
