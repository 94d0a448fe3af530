import { EmosllmError } from "@emosllm/interfaces";
import { expect, test } from "vitest";
import { definePrompt, promptHash } from "./definition.ts";
import { parsePrompts } from "./prompt-file.ts";

const problemsOf = (text: string): string[] => {
  try {
    parsePrompts(text, "p.yaml");
  } catch (error) {
    expect(error).toBeInstanceOf(EmosllmError);
    expect((error as EmosllmError).code).toBe("prompt_invalid");
    return (error as EmosllmError).message.split("\n");
  }
  return [];
};

test("one prompt, and several with shared keys", () => {
  const one = parsePrompts("name: a\nmessages:\n  - role: user\n    content: '{audio} What?'\n");
  expect(one).toEqual([
    {
      name: "a",
      task: "emotion",
      language: "en",
      messages: [{ role: "user", content: "{audio} What?" }],
      labels: "comma",
      answer: "word",
      example: 'Transcript: "{transcript}". Voice: {voice}. Answer: {answer}',
      turn: "{speaker}: {text}",
    },
  ]);
  const two = parsePrompts(`
task: transcription
language: fr
prompts:
  - name: a
    messages: [{ role: user, content: "{audio} Quoi ?" }]
  - name: b
    language: de
    messages: [{ role: user, content: "{audio} Was?" }]
`);
  expect(two.map((p) => [p.name, p.task, p.language, p.answer])).toEqual([
    ["a", "transcription", "fr", "text"],
    ["b", "transcription", "de", "text"],
  ]);
});

test("every problem is named with its line and column", () => {
  expect(
    problemsOf(`prompts:
  - name: Bad Name
    task: emotions
    messages:
      - role: user
        content: "{audio} What?"
  - name: b
    labels: comma
    answer: letter
    colour: red
    messages:
      - role: user
        content: "What?"
  - name: c
    answer: letter
    messages:
      - role: user
        content: |
          Listen: {audio}
          Words: {transcipt}
          One } brace
      - role: assistant
        content: ok
`),
  ).toEqual([
    "p.yaml:2:11: use lower-case letters, digits, '.', '_' and '-'",
    'p.yaml:3:11: Invalid option: expected one of "emotion"|"context"|"transcription"|"description"',
    "p.yaml:10:13: 'colour' is not a key here; accepted: name, task, language, messages, labels, answer, example, turn",
    "p.yaml:15:13: answer 'letter' needs labels: lettered, not comma",
    "p.yaml:20:18: '{transcipt}' is not a slot; accepted: {audio}, {transcript}, {voice}, {context}, {labels}, {examples} ('{{' for a brace)",
    "p.yaml:21:15: '}' has no partner; a brace that is text is written '}}'",
    "p.yaml:22:15: the last message must be the user's",
  ]);
  expect(problemsOf("name: a\nmessages:\n  - role: user\n    content: What?\n")).toEqual([
    "p.yaml:3:5: slot 'audio' stands 0 times in the messages; expected exactly once",
  ]);
  expect(
    problemsOf("name: a\nmessages:\n - role: system\n   content: '{audio}'\n - role: user\n   content: hm\n")[0],
  ).toBe("p.yaml:4:13: slot 'audio' stands in a system message; it belongs in a user message");
});

test.each([
  ["", "p.yaml:1:1: holds no prompt"],
  ["prompts: []", "p.yaml:1:1: holds no prompt"],
  ["prompts: 3", "p.yaml:1:10: Invalid input: expected object, received number"],
  ["- 1\n- 2", "p.yaml:1:1: Invalid input: expected object, received array"],
  ["name: a\nname: b\n", "p.yaml:2:1: Map keys must be unique"],
  ["name: 'a\n", "p.yaml:2:1: Missing closing 'quote"],
  ["name: a\nmessages: !!js/function x\n", "p.yaml:2:11: Unresolved tag: tag:yaml.org,2002:js/function"],
  [
    `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefgh"
      .split("")
      .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`)
      .join("\n")}\n`,
    "p.yaml:1:1: Excessive alias count indicates a resource exhaustion attack",
  ],
])("%j is refused in place", (text, problem) => {
  expect(problemsOf(text)[0]).toContain(problem);
});

test("the hash is that of the content", () => {
  const messages = [{ role: "user", content: "{audio} What?" }] as const;
  const a = definePrompt({ name: "a", messages });
  expect(promptHash(a)).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(
    promptHash(definePrompt({ messages: [{ content: "{audio} What?\n", role: "user" }], task: "emotion", name: "b" })),
  ).toBe(promptHash(a));
  expect(promptHash(definePrompt({ name: "a", messages, labels: "or" }))).not.toBe(promptHash(a));
  // Pinned: results on disk carry it, so a change of the canonical form is a change of format.
  expect(promptHash(a)).toMatchInlineSnapshot(
    `"sha256:c1e5dd105d96e38ad3b10e7a0aaa5e2fdcc13e55ab973fa8a2a5e2277696dafd"`,
  );
});
