/**
 * @file The worker threads of packing. Their program is the text of the functions below, not a file: a path to a worker file would
 * have to survive bundlers, and a `.ts` one cannot be started by every supported Node.js. So `workerMain` may use only what it
 * is given.
 */
import type { createHash } from "node:crypto";
import type * as fs from "node:fs";
import { Worker, type MessagePort } from "node:worker_threads";
import { EmosllmError } from "@emosllm/interfaces";
import { invalid } from "./errors.ts";
import { packColumns, packRows } from "./pack-kernel.ts";

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
/** A file whose SHA-256 is wanted. */
export interface HashUnit {
  readonly kind: "hash";
  readonly file: string;
}
export type Unit = PackUnit | HashUnit;

type Answer =
  | { readonly kind: "done"; readonly result: string }
  | { readonly kind: "invalid"; readonly file: string; readonly tensor?: string; readonly message: string }
  | { readonly kind: "failed"; readonly code?: string | undefined; readonly message: string };

interface WorkerParts {
  readonly fs: typeof fs;
  readonly createHash: typeof createHash;
  readonly port: MessagePort;
  readonly packRows: typeof packRows;
  readonly packColumns: typeof packColumns;
}

/** Answers one message per unit. Everything is synchronous: the thread has nothing else to do. */
function workerMain({ fs, createHash, port, packRows, packColumns }: WorkerParts): void {
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
  const bytesOf = (a: Float32Array): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

  let halves: Float32Array | undefined;
  const halfTable = (): Float32Array => {
    if (halves) return halves;
    halves = new Float32Array(65536);
    for (let bits = 0; bits < 65536; bits++) {
      const exponent = (bits >> 10) & 31;
      const fraction = bits & 1023;
      const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
      halves[bits] = (bits & 0x8000 ? -1 : 1) * (exponent === 31 ? (fraction ? NaN : Infinity) : magnitude);
    }
    return halves;
  };
  /** Reads `rows` rows, beginning at row `first` of the unit, as f32. */
  const readRows = (unit: PackUnit, first: number, rows: number, raw: Uint8Array, tile: Float32Array): void => {
    let begin = 0;
    for (const piece of unit.pieces) {
      const from = Math.max(first, begin);
      const to = Math.min(first + rows, begin + piece.rows);
      if (from < to) {
        const width = piece.dtype === "f32" ? 4 : 2;
        const count = (to - from) * unit.columns;
        const bytes = raw.subarray(0, count * width);
        readAll(piece, piece.offset + (from - begin) * unit.columns * width, bytes);
        const at = (from - first) * unit.columns;
        if (piece.dtype === "f32") tile.set(new Float32Array(bytes.buffer, 0, count), at);
        else {
          const bits = new Uint16Array(bytes.buffer, 0, count);
          if (piece.dtype === "bf16") {
            const words = new Uint32Array(tile.buffer, 4 * at, count);
            for (let i = 0; i < count; i++) words[i] = bits[i]! << 16;
          } else {
            const table = halfTable();
            for (let i = 0; i < count; i++) tile[at + i] = table[bits[i]!]!;
          }
        }
      }
      begin += piece.rows;
    }
  };

  const pack = (unit: PackUnit): string => {
    const { rows, columns, bits, blockSize, transposed } = unit;
    const blob = (blockSize * bits) / 8;
    const acrossBlocks = Math.ceil(columns / blockSize);
    const downBlocks = Math.ceil(rows / blockSize);
    const raw = new Uint8Array(blockSize * columns * 4);
    const tile = new Float32Array(blockSize * columns);
    const packed = new Uint8Array(rows * acrossBlocks * blob);
    const scales = new Float32Array(rows * acrossBlocks);
    const columnPacked = new Uint8Array(transposed ? columns * downBlocks * blob : 0);
    const columnScales = new Float32Array(transposed ? columns * downBlocks : 0);
    for (let block = 0; block < downBlocks; block++) {
      const first = block * blockSize;
      const here = Math.min(blockSize, rows - first);
      readRows(unit, first, here, raw, tile);
      const at = first * acrossBlocks;
      const finite =
        packRows(tile, here, columns, unit, packed, at * blob, scales, at) &&
        (!transposed ||
          packColumns(
            tile,
            here,
            columns,
            unit,
            columnPacked,
            block * blob,
            downBlocks * blob,
            columnScales,
            block,
            downBlocks,
          ));
      if (!finite) {
        const { file, tensor } = unit.pieces[0]!;
        throw new Invalid(file, tensor, "holds a value that is not finite, or a piece packed with it does");
      }
    }
    const fd = opened(unit.target, "r+");
    writeAll(fd, packed, unit.packedAt);
    writeAll(fd, bytesOf(scales), unit.scalesAt);
    if (!transposed) return "";
    if (downBlocks === transposed.blocks) {
      writeAll(fd, columnPacked, transposed.packedAt);
      writeAll(fd, bytesOf(columnScales), transposed.scalesAt);
      return "";
    }
    for (let c = 0; c < columns; c++) {
      const place = c * transposed.blocks + transposed.firstBlock;
      const mine = c * downBlocks;
      writeAll(fd, columnPacked.subarray(mine * blob, (mine + downBlocks) * blob), transposed.packedAt + place * blob);
      writeAll(fd, bytesOf(columnScales.subarray(mine, mine + downBlocks)), transposed.scalesAt + place * 4);
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
      return { kind: "done", result: unit.kind === "pack" ? pack(unit) : hash(unit) };
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
const { parentPort } = require("node:worker_threads");
(${workerMain.toString()})({
  fs: require("node:fs"),
  createHash: require("node:crypto").createHash,
  port: parentPort,
  packRows: ${packRows.toString()},
  packColumns: ${packColumns.toString()},
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
  const workers = Array.from({ length: Math.min(threads, units.length) }, () => new Worker(source, { eval: true }));
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
