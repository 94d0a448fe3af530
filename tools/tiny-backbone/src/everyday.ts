/** @file Everyday English from a small grammar: single statements, short stories, dialogues. */
import { capital, chance, pick, type Random } from "./draw.ts";

/** First names. */
export const NAMES: readonly string[] =
  "Anna Ben Carla David Emma Frank Grace Henry Ida Jack Kate Leo Maria Nick Olga Paul Rita Sam Tina Tom".split(" ");

const THINGS: readonly string[] =
  "book box key letter bag cup phone lamp chair picture map coat ticket paper bottle ball hat clock knife plate".split(
    " ",
  );
const COLOURS: readonly string[] = "red blue green yellow black white brown grey".split(" ");
const PLACES: readonly string[] = [
  "on the table",
  "under the bed",
  "in the kitchen",
  "behind the door",
  "next to the window",
  "in the car",
  "on the shelf",
  "in the garden",
  "at the office",
  "in the drawer",
  "at the station",
  "near the river",
];
const GOALS: readonly string[] = [
  "to the shop",
  "to school",
  "to the station",
  "home",
  "to the market",
  "to the office",
  "to the beach",
  "to the library",
];
const TIMES: readonly string[] = [
  "today",
  "this morning",
  "yesterday",
  "last night",
  "on Monday",
  "on Friday",
  "every day",
  "after lunch",
  "at noon",
  "at seven",
];
const WEATHER: readonly string[] = ["warm", "cold", "rainy", "sunny", "windy", "dark", "quiet"];
const FAMILY: readonly string[] = "mother father sister brother friend teacher neighbour boss cousin doctor".split(" ");
const FOOD: readonly string[] = "bread soup rice fish cheese apples tea coffee milk cake".split(" ");

const who = (random: Random): string =>
  chance(random, 0.5) ? pick(random, NAMES) : `${pick(random, ["my", "his", "her", "our"])} ${pick(random, FAMILY)}`;
const thing = (random: Random): string =>
  chance(random, 0.3) ? `${pick(random, COLOURS)} ${pick(random, THINGS)}` : pick(random, THINGS);
const time = (random: Random): string => (chance(random, 0.5) ? ` ${pick(random, TIMES)}` : "");

const STATEMENTS: readonly ((random: Random) => string)[] = [
  (r) => `the ${thing(r)} is ${pick(r, PLACES)}`,
  (r) => `${who(r)} put the ${thing(r)} ${pick(r, PLACES)}${time(r)}`,
  (r) => `${who(r)} went ${pick(r, GOALS)}${time(r)}`,
  (r) => `I am going ${pick(r, GOALS)}${time(r)}`,
  (r) => `we had ${pick(r, FOOD)} and ${pick(r, FOOD)}${time(r)}`,
  (r) => `${who(r)} called me${time(r)}`,
  (r) => `there is a ${thing(r)} ${pick(r, PLACES)}`,
  (r) => `it was ${pick(r, WEATHER)} and ${pick(r, WEATHER)}${time(r)}`,
  (r) => `you said that ${who(r)} has the ${thing(r)}`,
  (r) => `I do not know where the ${thing(r)} is`,
  (r) => `${who(r)} wants a ${thing(r)} and a ${thing(r)}`,
  (r) => `they will come ${pick(r, GOALS)} with ${who(r)}`,
  (r) => `can you give me the ${thing(r)}`,
  (r) => `I told ${who(r)} about it${time(r)}`,
  (r) => `we have to talk about the ${thing(r)}`,
  (r) => `${who(r)} lives near the ${pick(r, ["park", "school", "river", "church", "bridge"])}`,
  (r) =>
    `the ${pick(r, ["bus", "train", "meeting", "lesson", "film"])} starts at ${pick(r, ["two", "four", "six", "nine", "ten"])}`,
  (r) => `I bought ${pick(r, FOOD)}, ${pick(r, FOOD)} and a ${thing(r)}`,
];

/** Words only, without capital or full stop: what somebody may say, in any mood. */
export const words = (random: Random): string => pick(random, STATEMENTS)(random);

/** One statement as a sentence. */
export function sentence(random: Random): string {
  const said = words(random);
  return capital(said) + (said.startsWith("can you") ? "?" : ".");
}

/** Two to four statements. */
export function story(random: Random): string {
  return Array.from({ length: 2 + Math.floor(random() * 3) }, () => sentence(random)).join(" ");
}

/** Two people, two to four turns, one to a line. */
export function dialogue(random: Random): { readonly speaker: string; readonly text: string }[] {
  const first = pick(random, NAMES);
  const second = pick(
    random,
    NAMES.filter((name) => name !== first),
  );
  return Array.from({ length: 2 + Math.floor(random() * 3) }, (_, i) => ({
    speaker: i % 2 === 0 ? first : second,
    text: sentence(random),
  }));
}

/** A short text and a question that one of its words answers. */
export function readingTask(random: Random): {
  readonly text: string;
  readonly question: string;
  readonly answer: string;
} {
  const object = pick(random, THINGS);
  const colour = pick(random, COLOURS);
  const place = pick(random, PLACES);
  const name = pick(random, NAMES);
  const goal = pick(random, GOALS);
  return pick(random, [
    {
      text: `The ${object} is ${place}. ${sentence(random)}`,
      question: `Where is the ${object}?`,
      answer: capital(place),
    },
    {
      text: `${sentence(random)} The ${object} is ${colour}.`,
      question: `What colour is the ${object}?`,
      answer: capital(colour),
    },
    { text: `${name} went ${goal}. ${sentence(random)}`, question: `Who went ${goal}?`, answer: name },
    {
      text: `${name} has a ${colour} ${object}.`,
      question: `What does ${name} have?`,
      answer: `A ${colour} ${object}`,
    },
  ]);
}
