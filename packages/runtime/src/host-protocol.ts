/** @file What a worker host and its worker say to each other. */
import { EmosllmError, type ErrorCode } from "@emosllm/interfaces";
import type { HostTensor } from "./host-tensor.ts";
import type { LoweredModel } from "./lower.ts";
import type { SessionOptions } from "./program.ts";

/** One at a time, each answered by one {@link Reply}. */
export type Request =
  | { readonly kind: "open"; readonly program: number; readonly model: LoweredModel; readonly options: SessionOptions }
  | {
      readonly kind: "run";
      readonly program: number;
      readonly feeds: Readonly<Record<string, HostTensor>>;
      readonly only?: readonly string[];
    }
  | { readonly kind: "dispose"; readonly program: number }
  | { readonly kind: "close" };

/** The worker's answer (and, unasked, its first message, once it has loaded); `value` is what `run` gave. */
export type Reply =
  | { readonly ok: true; readonly value: Record<string, HostTensor> }
  | { readonly ok: false; readonly error: PlainError };

/** Handed to the worker when it starts. */
export interface WorkerSetup {
  /** One shared number, see {@link PHASE}. */
  readonly phase: Int32Array;
}

/**
 * Ending a worker inside onnxruntime aborts the process, so both sides agree on a number: the host writes `sent` with a request,
 * the worker turns `sent` into `busy` for as long as it is in native code, and a process that exits turns `sent` into `cancelled`
 * or waits until `busy` is over.
 */
export const PHASE = { idle: 0, sent: 1, busy: 2, cancelled: 3 } as const;

/** An error as plain data: classes do not survive the way between threads. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: ErrorCode;
}

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack } = error;
  return { name, message, stack, ...(error instanceof EmosllmError ? { code: error.code } : {}) };
}

export function fromPlainError({ name, message, stack, code }: PlainError): Error {
  const cause = stack === undefined ? undefined : `in the worker: ${stack}`;
  if (code !== undefined) return new EmosllmError(code, message, { cause });
  return name === "RangeError" ? new RangeError(message, { cause }) : new Error(message, { cause });
}

/** The memory of some tensors, each buffer once. */
export const buffersOf = (tensors: Readonly<Record<string, HostTensor>>): ArrayBuffer[] => [
  ...new Set(Object.values(tensors).map((t) => t.data.buffer as ArrayBuffer)),
];
