import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { crc32c, openEventFile } from "../src/event-file.ts";

const folder = mkdtempSync(join(tmpdir(), "emosllm-events-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("CRC-32C gives the check values of RFC 3720", () => {
  expect(crc32c(new Uint8Array(32)).toString(16)).toBe("8a9136aa");
  expect(crc32c(new Uint8Array(32).fill(255)).toString(16)).toBe("62a8ab43");
  expect(crc32c(new TextEncoder().encode("123456789")).toString(16)).toBe("e3069283");
});

test("is byte for byte the file that TensorBoard's own writer makes", () => {
  // tools/oracle/tensorboard_events.py writes these events with TensorBoard's writer and its protocol buffers.
  const wanted = readFileSync(new URL("fixtures/events.tfevents", import.meta.url));
  const events = openEventFile(join(folder, "a"), { from: 8, seconds: 1700000000.5 });
  events.scalars(8, { "train/loss": 1.25 }, 1700000001.25);
  events.scalars(300, { "train/loss": -0.1, "eval/ua": 0.75 }, 1700000002);
  events.scalars(5_000_000_000, { "train/learning_rate": 1e-5 }, 1700000003);
  events.close();
  expect(readFileSync(events.file).equals(wanted)).toBe(true);
});

test("a second file in one second does not replace the first", () => {
  const [a, b] = [openEventFile(join(folder, "b")), openEventFile(join(folder, "b"))];
  a.close();
  b.close();
  expect(readdirSync(join(folder, "b"))).toHaveLength(2);
});
