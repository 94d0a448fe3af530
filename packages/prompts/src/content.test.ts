import { expect, test } from "vitest";
import { fillContent, parseContent } from "./content.ts";

const fill = (text: string, values: Readonly<Record<string, string>>): string =>
  fillContent(
    parseContent(text, ["a", "b", "c"]),
    (slot) => slot in values,
    (slot) => values[slot] ?? "",
  );

test.each([
  ["One. {a} two. Three.", "One. Three."],
  ["{a}", ""],
  ["x {a}\ny", "y"],
  ["x\n\n{a}\n\ny", "x\n\ny"],
  ["Heading:\n{a}\nrest", "rest"],
  ["Heading:\n\nrest {b}.", "Heading:\n\nrest B."],
  ['He said: "{a}." Then "{b}".', 'Then "B".'],
  ["Is it {a}? Yes {b}! No…", "Yes B! No…"],
  ["声音{a}。文本{b}。", "文本B。"],
  ["Keep {b}. Drop {a}.\nNext.", "Keep B.\nNext."],
  ["3.5 {b} and e.g.{b}", "3.5 B and e.g.B"],
  ["{{{b}}} and {{a}}", "{B} and {a}"],
  ["Intro:\n{b}\n\n{a}", "Intro:\nB"],
])("%j without a is %j", (text, expected) => {
  expect(fill(text, { b: "B" })).toBe(expected);
});

test("with every slot filled, nothing of the text changes", () => {
  const text = "  One.  {a}  \n\n\n {b}.\tTwo\n";
  expect(fill(text, { a: "A", b: "B" })).toBe("  One.  A  \n\n\n B.\tTwo\n");
});
