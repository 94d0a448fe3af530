import { expect, test } from "vitest";
import { CARD_MARKS, mergeCard } from "../src/card.ts";

const first = "---\nlibrary_name: emosllm\ntags:\n- lora\n---\n\n# Model\n\nUA 80 %\n";
const second = "---\nlibrary_name: emosllm\ntags:\n- lora\n- speech\nbase_model: tiny\n---\n\n# Model\n\nUA 90 %\n";

test("a new card has the generated part between marks", () => {
  expect(mergeCard(undefined, first)).toBe(
    `---\nlibrary_name: emosllm\ntags:\n- lora\n---\n\n${CARD_MARKS.begin}\n\n# Model\n\nUA 80 %\n\n${CARD_MARKS.end}\n`,
  );
});

test("what the user wrote before, after and into the front matter stays; the generated part is replaced", () => {
  const card = mergeCard(undefined, first)
    .replace("library_name", "license: cc-by-4.0\nmetrics:\n  - name: mine\nlibrary_name")
    .replace(CARD_MARKS.begin, `My introduction.\n\n${CARD_MARKS.begin}`)
    .concat("\nMy remarks: $& and $1.\n");
  const again = mergeCard(card, second);
  expect(again).toContain("license: cc-by-4.0\nmetrics:\n  - name: mine\n");
  expect(again).toContain("tags:\n- lora\n- speech\n");
  expect(again).toContain("base_model: tiny");
  expect(again).toContain("My introduction.\n\n<!--");
  expect(again.endsWith("\nMy remarks: $& and $1.\n")).toBe(true);
  expect(again).toContain("UA 90 %");
  expect(again).not.toContain("UA 80 %");
  expect(mergeCard(again, second)).toBe(again);
});

test("a card without marks is all the user's: the generated part goes behind it", () => {
  const card = mergeCard("# Mine\n\nWords.\n", first);
  expect(card.startsWith("---\nlibrary_name")).toBe(true);
  expect(card).toContain("# Mine\n\nWords.\n\n<!-- emosllm: begin");
  expect(mergeCard(card, second)).toContain("# Mine\n\nWords.\n\n<!-- emosllm: begin");
});
