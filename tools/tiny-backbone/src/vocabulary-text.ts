/** @file What the vocabulary is learned from: our own sentences and prompts, and the words that must be one token each. */
import { labelLexicon, promptLibrary, randomOf } from "@emosllm/prompts";
import { dialogue, NAMES, readingTask, story } from "./everyday.ts";
import { pick, type Random } from "./draw.ts";
import { describe, moodFact, MOODS, voiceOf, voiceSentence } from "./voices.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".split("");

/** Common words that the small grammar lacks and that people say. */
const COMMON_WORDS =
  "the of to and a in is it you that he was for on are with as I his they be at one have this from or had by not but some what there we can out other were all your when up use word how said an each she which do their time if will way about many then them would write like so these her long make thing see him two has look more day could go come did my sound no most number who over know water than call first people may down side been now find any new work part take get place made live where after back little only round man year came show every good me give our under name very through just form much great think say help low line before turn cause same mean differ move right boy old too does tell set three want air well also play small end put home read hand large spell add even land here must big high such follow act why ask men change went light kind off need house try us again animal point mother world near build self earth father head stand own page should country found answer school grow study still learn plant cover food sun four thought let keep eye never last door between city tree cross since hard start might story saw far sea draw left late run while press close night real life few stop yes okay oh yeah well really sorry please thank hello maybe sure nothing something anything everything feel feeling love hate wait listen talk leave alone always because".split(
    " ",
  );

function passage(random: Random): string {
  const mood = pick(random, MOODS);
  const voice = voiceOf(random, mood);
  const { text, question, answer } = readingTask(random);
  return [
    story(random),
    dialogue(random)
      .map(({ speaker, text }) => `${speaker}: ${text}`)
      .join("\n"),
    moodFact(random, pick(random, NAMES)),
    `${voiceSentence(random, voice)} ${describe(random, voice)} ${mood}`,
    `${text} ${question} ${answer}`,
  ].join("\n");
}

/** The label words of the English lexicon, and the two-word-free synonyms. */
export async function labelVocabulary(): Promise<string[]> {
  const lexicon = await labelLexicon();
  const words = Object.entries(lexicon).flatMap(([label, { languages }]) => [
    label,
    ...(languages["en"]?.adjective ?? []).slice(0, 2),
  ]);
  return [...new Set(words.filter((word) => /^[a-z]+$/.test(word)))];
}

/** Words that are one token each with a space before them and without. */
export async function wholeWords(): Promise<string[]> {
  const labels = await labelVocabulary();
  return [...labels, ...labels.map((word) => ` ${word}`), ...LETTERS.map((letter) => ` ${letter}`)];
}

/** Texts whose frequencies decide the merges. */
export async function vocabularyText(seed: number): Promise<string[]> {
  const prompts = await promptLibrary({ language: "en" });
  const instructions = prompts.flatMap(({ messages }) =>
    messages.map(({ content }) => content.replace(/\{\w+\}/g, "")),
  );
  const roles = ["system\n\n", "user\n\n", "assistant\n\n"];
  const passages = Array.from({ length: 1500 }, (_, i) => passage(randomOf("vocabulary", seed, i)));
  const common = COMMON_WORDS.map((word) => ` ${word}`).join("");
  const often = (texts: string[], times: number): string[] => Array.from({ length: times }, () => texts).flat();
  return [...passages, ...often([...instructions, ...roles], 40), ...often([common], 250)];
}
