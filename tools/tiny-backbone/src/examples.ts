/** @file Training examples: plain reading, and conversations in the chat template with the prompts that the packages really use. */
import {
  answersOf,
  promptLibrary,
  randomOf,
  renderPrompt,
  shuffle,
  type PromptDefinition,
  type SlotValues,
  type Tokenizer,
} from "@emosllm/prompts";
import { chance, pick, some, weighted, type Random } from "./draw.ts";
import { dialogue, NAMES, readingTask, sentence, story, words } from "./everyday.ts";
import { RECIPE } from "./recipe.ts";
import { adjectives, describe, LABEL_SETS, moodFact, voiceOf, voiceSentence } from "./voices.ts";

/** One sequence for next-token training. */
export interface TrainingExample {
  /** From `<|begin_of_text|>` on; at most `RECIPE.maxTokens`. */
  readonly ids: number[];
  /** For each id, whether it is a target (predicted from the ids before it). Absent: every id but the first. */
  readonly lossMask?: boolean[];
}

/** Kinds of examples and their shares. A label is one target, a page of reading sixty: reading is rare, or it is all that is learned. */
const SHARES = {
  reading: 1,
  emotion: 8,
  context: 1,
  transcription: 3,
  description: 1,
  repeat: 3,
  question: 1,
} as const;

type Kind = keyof typeof SHARES;

/** What the makers below share. */
interface Kit {
  readonly tokenizer: Tokenizer;
  readonly prompts: ReadonlyMap<string, readonly PromptDefinition[]>;
}

type Maker = (random: Random, kit: Kit) => TrainingExample;

/** A rendered prompt whose audio is played by text, then the answer; only the answer is a target. */
function answered(
  kit: Kit,
  prompt: PromptDefinition,
  values: SlotValues,
  heard: string,
  answer: string,
): TrainingExample {
  const { tokenizer } = kit;
  const { before, after } = renderPrompt(prompt, values, tokenizer);
  const head = [...before, ...(heard === "" ? [] : tokenizer.encodePlain(heard)), ...after];
  return masked(head, [...tokenizer.encodeAnswer(answer), tokenizer.endOfTurn]);
}

function masked(head: number[], targets: number[]): TrainingExample {
  return { ids: [...head, ...targets], lossMask: [...head.map(() => false), ...targets.map(() => true)] };
}

/** One user turn of our own, answered. */
function chat({ tokenizer }: Kit, user: string, answer: string): TrainingExample {
  const head = tokenizer.encodeChat([{ role: "user", content: user }]);
  return masked(head, [...tokenizer.encodeAnswer(answer), tokenizer.endOfTurn]);
}

const promptOf = (random: Random, kit: Kit, task: string): PromptDefinition =>
  pick(random, kit.prompts.get(task) ?? []);

/** Which mood? The evidence stands where the audio will, or in the slot for the voice, or in both; the words never tell. */
const emotion =
  (task: "emotion" | "context"): Maker =>
  (random, kit) => {
    const prompt = promptOf(random, kit, task);
    const labels = shuffle(pick(random, LABEL_SETS), random);
    const mood = pick(random, labels);
    const voice = voiceOf(random, mood);
    const where = random();
    const answer = answersOf(prompt, labels)[labels.indexOf(mood)] ?? mood;
    const values: SlotValues = {
      labels,
      ...(chance(random, 0.7) && { transcript: chance(random, 0.5) ? sentence(random) : words(random) }),
      ...(where > 0.55 && { voice: describe(random, voice) }),
      ...(task === "context" && { context: dialogue(random) }),
    };
    const heard = where > 0.8 ? "" : chance(random, 0.5) ? voiceSentence(random, voice) : describe(random, voice);
    return answered(kit, prompt, values, heard, answer);
  };

const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}' ]/gu, "");

const MAKERS: { readonly [K in Kind]: Maker } = {
  reading: (random, { tokenizer }) => {
    const parts: string[] = [];
    for (let i = 0; i < 2; i++) {
      const form = weighted(random, { story: 2, dialogue: 1, fact: 3 });
      if (form === "story") parts.push(story(random));
      else if (form === "fact") parts.push(moodFact(random, pick(random, NAMES)));
      else
        parts.push(
          dialogue(random)
            .map(({ speaker, text }) => `${speaker}: ${text}`)
            .join("\n"),
        );
    }
    const end = tokenizer.idOf("<|end_of_text|>");
    return { ids: [...tokenizer.encode(parts.join("\n")), ...(end === undefined ? [] : [end])] };
  },
  emotion: emotion("emotion"),
  context: emotion("context"),
  transcription: (random, kit) => {
    const prompt = promptOf(random, kit, "transcription");
    const said = sentence(random);
    const answer = prompt.name === "transcription-lower-case" ? bare(said) : said;
    const values = prompt.name === "transcription-context" ? { context: dialogue(random) } : {};
    return answered(kit, prompt, values, chance(random, 0.5) ? said : `"${said}"`, answer);
  },
  description: (random, kit) => {
    const voice = voiceOf(random, pick(random, pick(random, LABEL_SETS)));
    const said = adjectives(random, voice);
    return answered(kit, promptOf(random, kit, "description"), {}, said.join(", "), voiceSentence(random, voice, said));
  },
  repeat: (random, kit) => {
    // Names in random order can only be copied, not guessed.
    const said = chance(random, 0.4) ? sentence(random) : some(random, NAMES, 2 + Math.floor(random() * 5)).join(", ");
    const ask = pick(random, ["Repeat the sentence", "Say this again", "Copy this text", "Write this down"]);
    return chat(kit, `${ask}: ${said}`, said);
  },
  question: (random, kit) => {
    const { text, question, answer } = readingTask(random);
    return chat(kit, chance(random, 0.5) ? `${text} ${question}` : `${question}\n${text}`, answer);
  },
};

/**
 * Endless examples of at most `RECIPE.maxTokens` tokens, the same for the same seed; longer draws are left out.
 *
 * @param tokenizer that of `model/` (`loadTokenizer` of `@emosllm/prompts`).
 * @example
 * for (const { ids } of await trainingExamples(1, tokenizer)) console.log(ids.length);
 */
export async function trainingExamples(seed: number, tokenizer: Tokenizer): Promise<Iterable<TrainingExample>> {
  const english = await promptLibrary({ language: "en" });
  const prompts = new Map<string, PromptDefinition[]>();
  for (const prompt of english) {
    // Examples in a prompt are worth their tokens only to models that can use them.
    if (prompt.messages.some(({ content }) => content.includes("{examples}"))) continue;
    prompts.set(prompt.task, [...(prompts.get(prompt.task) ?? []), prompt]);
  }
  const kit: Kit = { tokenizer, prompts };
  return {
    *[Symbol.iterator]() {
      for (let i = 0; ; i++) {
        const random = randomOf("tiny-backbone", seed, i);
        const example = MAKERS[weighted(random, SHARES)](random, kit);
        if (example.ids.length <= RECIPE.maxTokens) yield example;
      }
    },
  };
}
