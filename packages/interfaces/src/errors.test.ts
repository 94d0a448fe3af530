import { expect, test } from "vitest";
import { EmosllmError, ERROR_CODES, utteranceSchema } from "./index.ts";

test("an error keeps its code, its details and its cause", () => {
  const cause = new Error("disk");
  const error = new EmosllmError("corpus_invalid", "a.txt:3: bad label", { cause, details: { line: 3 } });
  expect(error).toBeInstanceOf(Error);
  expect({ code: error.code, details: error.details, cause: error.cause }).toEqual({
    code: "corpus_invalid",
    details: { line: 3 },
    cause,
  });
});

test("codes are unique", () => {
  expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length);
});

test("an utterance without an audio path is refused", () => {
  expect(utteranceSchema.safeParse({ id: "a", corpus: "x", audio: { path: "" } }).success).toBe(false);
  expect(utteranceSchema.safeParse({ id: "a", corpus: "x", audio: { path: "a.wav" } }).success).toBe(true);
});
