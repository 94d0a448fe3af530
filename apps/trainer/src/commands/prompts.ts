/** @file `emosllm prompts`: the curated prompts, prompts of one's own checked, and what a model gets of one, token by token. */
import { EmosllmError } from "@emosllm/interfaces";
import {
  answersOf,
  labelLexicon,
  labelWords,
  loadPrompts,
  loadTokenizer,
  PROMPT_TASKS,
  promptHash,
  promptLibrary,
  renderPrompt,
  type PromptDefinition,
  type PromptTask,
} from "@emosllm/prompts";
import { type CommandDef, defineCommand } from "citty";

const TASK = { type: "string", description: `one of ${PROMPT_TASKS.join(", ")}` } as const;
const LANGUAGE = { type: "string", description: "language tag, e.g. en" } as const;
const JSON_ARG = { type: "boolean", description: "one JSON object per line" } as const;

const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const row = (prompt: PromptDefinition) => ({ ...prompt, hash: promptHash(prompt) });

const list = defineCommand({
  meta: { name: "list", description: "List the curated prompts" },
  args: { task: TASK, language: LANGUAGE, json: JSON_ARG },
  run: async ({ args }) => {
    const { task, language } = args;
    if (task !== undefined && !(PROMPT_TASKS as readonly string[]).includes(task))
      throw new EmosllmError("usage", `--task ${task}: expected one of ${PROMPT_TASKS.join(", ")}`);
    const prompts = await promptLibrary({
      ...(task !== undefined && { task: task as PromptTask }),
      ...(language !== undefined && { language }),
    });
    for (const prompt of prompts)
      print(
        args.json
          ? JSON.stringify(row(prompt))
          : [
              prompt.name.padEnd(34),
              prompt.task.padEnd(14),
              prompt.language.padEnd(3),
              promptHash(prompt).slice(0, 19),
            ].join(" "),
      );
  },
});

const check = defineCommand({
  meta: { name: "check", description: "Check prompt files (YAML): every problem with its line and column" },
  args: {
    file: { type: "positional", required: true, description: "a prompt file; several may follow" },
    json: JSON_ARG,
  },
  run: async ({ args }) => {
    const files = args._;
    let failed = 0;
    for (const file of files) {
      try {
        for (const prompt of await loadPrompts(file))
          print(
            args.json ? JSON.stringify({ file, ...row(prompt) }) : `${file}: ${prompt.name} ok, ${promptHash(prompt)}`,
          );
      } catch (error) {
        if (!(error instanceof EmosllmError)) throw error;
        failed++;
        if (args.json) print(JSON.stringify({ file, error: error.message, problems: error.details["problems"] ?? [] }));
        else process.stderr.write(`${error.message}\n`);
      }
    }
    return failed === 0 ? 0 : 1;
  },
});

const render = defineCommand({
  meta: { name: "render", description: "Show what a model gets of a prompt: text, ids, and the answers' ids" },
  args: {
    prompt: { type: "positional", required: true, description: "name of a curated prompt, or a prompt file" },
    name: { type: "string", description: "which prompt of the file; default the first" },
    model: { type: "string", required: true, description: "folder with tokenizer.json and tokenizer_config.json" },
    labels: { type: "string", default: "angry,happy,sad,neutral", description: "labels, separated by commas" },
    transcript: { type: "string", description: "what was said" },
    voice: { type: "string", description: "the voice in words" },
    context: { type: "string", description: "the dialogue before, one turn per line" },
    audio: { type: "boolean", default: true, description: "--no-audio leaves the audio out" },
    json: JSON_ARG,
  },
  run: async ({ args }) => {
    const prompt = await findPrompt(args.prompt, args.name);
    const tokenizer = await loadTokenizer(args.model);
    const names = args.labels.split(",").map((label) => label.trim());
    const labels = labelWords(names, await labelLexicon(), { language: prompt.language });
    const { transcript, voice, context, audio } = args;
    const rendered = renderPrompt(prompt, { transcript, voice, context, labels, audio }, tokenizer);
    const answers = answersOf(prompt, labels).map((answer, i) => ({
      label: names[i] ?? "",
      answer,
      ids: tokenizer.encodeAnswer(answer),
    }));
    if (args.json) {
      print(
        JSON.stringify({
          prompt: prompt.name,
          hash: promptHash(prompt),
          ...rendered,
          answers,
          end: tokenizer.endOfTurn,
        }),
      );
      return;
    }
    print(rendered.text);
    print("");
    print(`${rendered.before.length} ids before the audio, ${rendered.after.length} after; ${promptHash(prompt)}`);
    if (rendered.missing.length > 0) print(`left out with their sentences: ${rendered.missing.join(", ")}`);
    for (const { label, answer, ids } of answers) print(`${label}: '${answer}' ${JSON.stringify(ids)}`);
  },
});

async function findPrompt(reference: string, name: string | undefined): Promise<PromptDefinition> {
  const prompts = /\.ya?ml$/.test(reference) ? await loadPrompts(reference) : await promptLibrary({ name: reference });
  const found = name === undefined ? prompts[0] : prompts.find((prompt) => prompt.name === name);
  if (found !== undefined) return found;
  throw new EmosllmError(
    "usage",
    `--name ${name}: ${reference} has ${prompts.map((prompt) => prompt.name).join(", ")}`,
  );
}

const command: CommandDef = defineCommand({
  meta: {
    name: "prompts",
    description: "List, check and render task prompts; find the best, measure how much they matter",
  },
  subCommands: {
    list,
    check,
    render,
    search: () => import("./prompts-search.ts").then((m) => m.default),
    sensitivity: () => import("./prompts-sensitivity.ts").then((m) => m.default),
  },
});
export default command;
