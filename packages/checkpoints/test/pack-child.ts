/** @file A process that packs a file, for the test of two at once. */
import { openCheckpoint, packWeights } from "../src/index.ts";

const [file, cacheFolder] = process.argv.slice(2);
const checkpoint = await openCheckpoint(file!);
let progress = 0;
const packed = await packWeights(
  [...checkpoint.tensors.values()].map((s) => ({
    name: s.name,
    sources: [s],
    bits: 8,
    blockSize: 32,
    transposed: true,
  })),
  { cacheFolder, threads: 1, onProgress: () => progress++ },
);
console.log(JSON.stringify({ file: packed.file, progress }));
