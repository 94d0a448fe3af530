/**
 * @file The worker threads of packing. Their program is the text of `workerMain`, not a file: a path to a worker file would have to
 * survive bundlers, and a `.ts` one cannot be started by every supported Node.js. So that function may use only what it is given.
 */
import type { createHash } from "node:crypto";
import type * as fs from "node:fs";
import { Worker, type MessagePort } from "node:worker_threads";
import { EmosllmError } from "@emosllm/interfaces";
import { invalid } from "./errors.ts";
import { packModule, type PackKernel } from "./pack-kernel.ts";

/** Consecutive rows of a source tensor. */
export interface Rows {
  readonly file: string;
  /** Byte of the first row. */
  readonly offset: number;
  readonly rows: number;
  readonly dtype: "f32" | "f16" | "bf16";
  readonly tensor: string;
}

/** Rows of one matrix to pack, small enough to be held in memory. */
export interface PackUnit {
  readonly kind: "pack";
  readonly pieces: readonly Rows[];
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  readonly blockSize: number;
  readonly target: string;
  /** Where in `target` the packed rows and their scales go. */
  readonly packedAt: number;
  readonly scalesAt: number;
  /** Where the transposed packing begins, and which of its blocks along a column these rows are. */
  readonly transposed?:
    | { readonly packedAt: number; readonly scalesAt: number; readonly firstBlock: number; readonly blocks: number }
    | undefined;
}
/** A whole matrix to pack with a scale a row, turned, and the transpose with one a column. */
export interface PackRowsUnit {
  readonly kind: "rows";
  readonly pieces: readonly Rows[];
  readonly rows: number;
  readonly columns: number;
  readonly target: string;
  readonly packedAt: number;
  readonly scalesAt: number;
  readonly transposed: { readonly packedAt: number; readonly scalesAt: number } | undefined;
  /** Added to the integers: 128 where they are to be unsigned. */
  readonly zero: 0 | 128;
  /** Weights that are held as f32 at once. */
  readonly tile: number;
}
/** A file whose SHA-256 is wanted. */
export interface HashUnit {
  readonly kind: "hash";
  readonly file: string;
}
export type Unit = PackUnit | PackRowsUnit | HashUnit;

type Answer =
  | { readonly kind: "done"; readonly result: string }
  | { readonly kind: "invalid"; readonly file: string; readonly tensor?: string; readonly message: string }
  | { readonly kind: "failed"; readonly code?: string | undefined; readonly message: string };

interface WorkerParts {
  readonly fs: typeof fs;
  readonly createHash: typeof createHash;
  readonly port: MessagePort;
  readonly kernel: PackKernel;
}

/** Answers one message per unit. Everything is synchronous: the thread has nothing else to do. */
function workerMain({ fs, createHash, port, kernel }: WorkerParts): void {
  const open = new Map<string, number>();
  const opened = (file: string, flags: string): number => {
    const known = open.get(file);
    if (known !== undefined) return known;
    const fd = fs.openSync(file, flags);
    open.set(file, fd);
    return fd;
  };
  class Invalid extends Error {
    readonly file: string;
    readonly tensor: string | undefined;
    constructor(file: string, tensor: string | undefined, message: string) {
      super(message);
      this.file = file;
      this.tensor = tensor;
    }
  }
  const readAll = (piece: Rows, at: number, target: Uint8Array): void => {
    const fd = opened(piece.file, "r");
    for (let done = 0; done < target.length;) {
      const n = fs.readSync(fd, target, done, target.length - done, at + done);
      if (n === 0) throw new Invalid(piece.file, piece.tensor, "the file has become shorter while it was read");
      done += n;
    }
  };
  const writeAll = (fd: number, bytes: Uint8Array, at: number): void => {
    for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done, bytes.length - done, at + done);
  };

  /** Gives places for arrays of so many bytes in the kernel's memory, each with room for what the loops touch past its end. */
  const layOut = (lengths: readonly number[]): number[] => {
    let end = 1024;
    const places = lengths.map((length) => {
      const place = end;
      end = (place + length + 64 + 15) & ~15;
      return place;
    });
    const lacking = end - kernel.memory.buffer.byteLength;
    if (lacking > 0) kernel.memory.grow(Math.ceil(lacking / 65536));
    return places;
  };
  const bytesAt = (at: number, length: number): Uint8Array => new Uint8Array(kernel.memory.buffer, at, length);

  /** Reads `rows` rows, beginning at row `first` of the unit, to `tile` as f32. */
  const readRows = (unit: PackUnit | PackRowsUnit, first: number, rows: number, raw: number, tile: number): void => {
    let begin = 0;
    for (const piece of unit.pieces) {
      const from = Math.max(first, begin);
      const to = Math.min(first + rows, begin + piece.rows);
      if (from < to) {
        const width = piece.dtype === "f32" ? 4 : 2;
        const count = (to - from) * unit.columns;
        const values = tile + (from - first) * unit.columns * 4;
        const bytes = bytesAt(piece.dtype === "f32" ? values : raw, count * width);
        readAll(piece, piece.offset + (from - begin) * unit.columns * width, bytes);
        if (piece.dtype === "bf16") kernel.widenBf16(raw, values, count);
        else if (piece.dtype === "f16") kernel.widenF16(raw, values, count);
      }
      begin += piece.rows;
    }
  };

  const refuseInfinite = ({ pieces: [piece] }: PackUnit | PackRowsUnit): never => {
    throw new Invalid(piece!.file, piece!.tensor, "holds a value that is not finite, or a tensor stacked with it does");
  };

  /** Two passes over the matrix, in tiles of rows: the largest values, then the integers. */
  const packRows = (unit: PackRowsUnit): string => {
    const { rows, columns, transposed, zero } = unit;
    const step = Math.max(1, Math.floor(unit.tile / columns));
    const [raw, tileAt] = layOut([2 * step * columns, 4 * step * columns]) as [number, number];
    const tiles = (use: (tile: Float32Array, first: number, here: number) => void): void => {
      for (let first = 0; first < rows; first += step) {
        const here = Math.min(step, rows - first);
        readRows(unit, first, here, raw, tileAt);
        use(new Float32Array(kernel.memory.buffer, tileAt, here * columns), first, here);
      }
    };
    const rowScales = new Float32Array(rows);
    const columnScales = new Float32Array(columns);
    let total = 0;
    tiles((tile, first, here) => {
      for (let r = 0; r < here; r++) {
        let largest = 0;
        for (let c = 0, i = r * columns; c < columns; c++, i++) {
          const a = Math.abs(tile[i]!);
          if (a > largest) largest = a;
          if (a > columnScales[c]!) columnScales[c] = a;
          total += a;
        }
        rowScales[first + r] = largest;
      }
    });
    // A NaN is larger than nothing, but it is in the sum.
    if (!Number.isFinite(total)) refuseInfinite(unit);
    // The factor is of the stored scale, so that the integers are nearest to what it gives.
    const factors = (scales: Float32Array): Float64Array => {
      for (let i = 0; i < scales.length; i++) scales[i]! /= 127;
      return Float64Array.from(scales, (s) => (s > 0 ? 1 / s : 0));
    };
    const [rowFactors, columnFactors] = [factors(rowScales), factors(columnScales)];
    const fd = opened(unit.target, "r+");
    // Stored as bytes, -1 is 255 either way.
    const turned = new Uint8Array(rows * columns);
    const straight = new Uint8Array(transposed ? step * columns : 0);
    const BLOCK = 32;
    const integer = (v: number): number => {
      const q = Math.round(v);
      return zero + (q > 127 ? 127 : q < -127 ? -127 : q);
    };
    tiles((tile, first, here) => {
      // Square by square, so that what is written by columns stays in the processor's cache.
      for (let r0 = 0; r0 < here; r0 += BLOCK)
        for (let c0 = 0; c0 < columns; c0 += BLOCK) {
          const [r1, c1] = [Math.min(here, r0 + BLOCK), Math.min(columns, c0 + BLOCK)];
          for (let r = r0; r < r1; r++) {
            const factor = rowFactors[first + r]!;
            for (let c = c0; c < c1; c++) turned[c * rows + first + r] = integer(tile[r * columns + c]! * factor);
          }
        }
      if (!transposed) return;
      for (let r = 0; r < here; r++)
        for (let c = 0, i = r * columns; c < columns; c++, i++) straight[i] = integer(tile[i]! * columnFactors[c]!);
      writeAll(fd, straight.subarray(0, here * columns), transposed.packedAt + first * columns);
    });
    writeAll(fd, turned, unit.packedAt);
    writeAll(fd, new Uint8Array(rowScales.buffer), unit.scalesAt);
    if (transposed) writeAll(fd, new Uint8Array(columnScales.buffer), transposed.scalesAt);
    return "";
  };

  const pack = (unit: PackUnit): string => {
    const { rows, columns, bits, blockSize, transposed } = unit;
    const blob = (blockSize * bits) / 8;
    const across = Math.ceil(columns / blockSize);
    const down = Math.ceil(rows / blockSize);
    const turned = transposed ? columns * down : 0;
    const sizes = [16 * blockSize, 2 * blockSize * columns, 4 * blockSize * columns, rows * across * blob, 4 * rows * across, turned * blob, 4 * turned]; // prettier-ignore
    const places = layOut(sizes) as [number, number, number, number, number, number, number];
    const [temporary, raw, tile, packed, scales, columnPacked, columnScales] = places;
    for (let block = 0; block < down; block++) {
      const first = block * blockSize;
      const here = Math.min(blockSize, rows - first);
      const at = first * across;
      readRows(unit, first, here, raw, tile);
      const finite =
        kernel.packRows(tile, here, columns, bits, blockSize, packed + at * blob, scales + at * 4, temporary) &&
        (!transposed ||
          kernel.packColumns(
            tile,
            here,
            columns,
            bits,
            blockSize,
            columnPacked + block * blob,
            down * blob,
            columnScales + block * 4,
            down * 4,
            temporary,
          ));
      if (!finite) refuseInfinite(unit);
    }
    const fd = opened(unit.target, "r+");
    writeAll(fd, bytesAt(packed, rows * across * blob), unit.packedAt);
    writeAll(fd, bytesAt(scales, rows * across * 4), unit.scalesAt);
    if (!transposed) return "";
    if (down === transposed.blocks) {
      writeAll(fd, bytesAt(columnPacked, turned * blob), transposed.packedAt);
      writeAll(fd, bytesAt(columnScales, turned * 4), transposed.scalesAt);
      return "";
    }
    for (let c = 0; c < columns; c++) {
      const place = c * transposed.blocks + transposed.firstBlock;
      writeAll(fd, bytesAt(columnPacked + c * down * blob, down * blob), transposed.packedAt + place * blob);
      writeAll(fd, bytesAt(columnScales + c * down * 4, down * 4), transposed.scalesAt + place * 4);
    }
    return "";
  };

  const hash = ({ file }: HashUnit): string => {
    const fd = fs.openSync(file, "r");
    try {
      const sha = createHash("sha256");
      const buffer = new Uint8Array(4 << 20);
      for (let at = 0; ;) {
        const n = fs.readSync(fd, buffer, 0, buffer.length, at);
        if (n === 0) return sha.digest("hex");
        sha.update(buffer.subarray(0, n));
        at += n;
      }
    } finally {
      fs.closeSync(fd);
    }
  };

  const answer = (unit: Unit): Answer => {
    try {
      const result = unit.kind === "pack" ? pack(unit) : unit.kind === "rows" ? packRows(unit) : hash(unit);
      return { kind: "done", result };
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      if (error instanceof Invalid)
        return {
          kind: "invalid",
          file: error.file,
          message,
          ...(error.tensor === undefined ? {} : { tensor: error.tensor }),
        };
      return { kind: "failed", code, message };
    }
  };
  port.on("message", (unit: Unit) => port.postMessage(answer(unit)));
}

const program = (): string => `
const __name = (f) => f; // esbuild marks nested functions with it
const { parentPort, workerData } = require("node:worker_threads");
(${workerMain.toString()})({
  fs: require("node:fs"),
  createHash: require("node:crypto").createHash,
  port: parentPort,
  kernel: new WebAssembly.Instance(workerData).exports,
});`;

const toError = (answer: Exclude<Answer, { kind: "done" }>): EmosllmError => {
  if (answer.kind === "invalid") return invalid(answer, answer.message);
  const code = answer.code === "ENOSPC" || answer.code === "EDQUOT" ? "disk_full" : "checkpoint_invalid";
  return new EmosllmError(code, answer.message, { details: { code: answer.code } });
};

/** Options of {@link runUnits}. */
export interface RunUnitsOptions {
  readonly threads: number;
  /** Called after each unit. */
  readonly onDone?: ((index: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs units in worker threads, the next one as soon as a thread is free.
 *
 * @returns what each unit gave, in the order of `units`. All threads have ended, also when it throws.
 */
export async function runUnits(
  units: readonly Unit[],
  { threads, onDone, signal }: RunUnitsOptions,
): Promise<string[]> {
  const results = Array.from({ length: units.length }, () => "");
  let next = 0;
  signal?.throwIfAborted();
  const source = program();
  const workers = Array.from(
    { length: Math.min(threads, units.length) },
    () => new Worker(source, { eval: true, workerData: packModule() }),
  );
  const drive = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      let current = -1;
      const feed = (): void => {
        if (next >= units.length) return resolve();
        current = next++;
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        worker.postMessage(units[current]);
      };
      worker.on("message", (answer: Answer) => {
        if (answer.kind !== "done") return reject(toError(answer));
        results[current] = answer.result;
        onDone?.(current);
        feed();
      });
      worker.once("error", reject);
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      feed();
    });
  try {
    await Promise.all(workers.map(drive));
  } finally {
    next = units.length;
    await Promise.all(workers.map((w) => w.terminate()));
  }
  return results;
}
