/** @file A process that opens one file and says what came of it and how far its memory grew, for the tests of memory. */
import { openCheckpoint, readTensor } from "../src/index.ts";

const [file, ...warmUp] = process.argv.slice(2);
// What reading takes at first (compiled code, buffers) belongs to the process, not to the file.
for (const other of warmUp)
  for (const source of (await openCheckpoint(other)).tensors.values()) await readTensor(source);
const before = process.resourceUsage().maxRSS;
const outcome = await openCheckpoint(file!).then(
  (c) => `${c.tensors.size} tensors`,
  (e: Error) => e.message,
);
console.log(JSON.stringify({ outcome, growth: (process.resourceUsage().maxRSS - before) * 1024 }));
