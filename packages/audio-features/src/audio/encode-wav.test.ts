import { expect, test } from "vitest";
import { encodeWav } from "./encode-wav.ts";

test("a 16-bit mono file has the canonical 44-byte header and rounds to nearest", () => {
  const bytes = encodeWav({ samples: [Float32Array.of(0, 0.5, -1, 1, 1.4 / 32768)], sampleRate: 16000 });
  const view = new DataView(bytes.buffer);
  expect(bytes.length).toBe(54);
  expect(view.getUint32(24, true)).toBe(16000);
  expect([0, 1, 2, 3, 4].map((i) => view.getInt16(44 + 2 * i, true))).toEqual([0, 16384, -32768, 32767, 1]);
});

test("channels of unequal length are refused", () => {
  expect(() => encodeWav({ samples: [new Float32Array(3), new Float32Array(2)], sampleRate: 8000 })).toThrow(
    "channel 1 has 2 samples, channel 0 has 3",
  );
});
