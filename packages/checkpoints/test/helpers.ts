import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export const fixture = (name: string): string => join(import.meta.dirname, "fixtures", name);

export interface Described {
  readonly dtype: string;
  readonly shape: number[];
  readonly f32: number[];
}

export const expected = JSON.parse(readFileSync(fixture("expected.json"), "utf8")) as Record<string, unknown>;
export const described = (key: string): Record<string, Described> => expected[key] as Record<string, Described>;

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "emosllm-checkpoints-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A safetensors file of any header text, for headers that no writer makes. */
export function rawSafetensors(header: string, data: Uint8Array = new Uint8Array(0), length?: bigint): Buffer {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, data]);
}
