/** @file CREMA-D (Cao et al. 2014): `AudioWAV/{actor}_{sentence}_{emotion}_{level}.wav`, 91 actors, `VideoDemographics.csv`. */
import type { Gender, Utterance } from "@emosllm/interfaces";
import { type CorpusFiles, openCorpusFiles } from "../corpus-files.ts";
import { columnIndex, csvRecords } from "../csv.ts";
import { type LoaderOptions, findFolder } from "../loader.ts";
import { byFilename } from "./by-filename.ts";

const SENTENCES: Readonly<Record<string, string>> = {
  IEO: "It's eleven o'clock",
  TIE: "That is exactly what happened",
  IOM: "I'm on my way to the meeting",
  IWW: "I wonder what this is about",
  TAI: "The airplane is almost full",
  MTI: "Maybe tomorrow it will be cold",
  IWL: "I would like a new alarm clock",
  ITH: "I think I have a doctor's appointment",
  DFA: "Don't forget a jacket",
  ITS: "I think I've seen this before",
  TSI: "The surface is slick",
  WSI: "We'll stop in a couple of minutes",
};
const LEVELS: Readonly<Record<string, string>> = {
  LO: "low",
  MD: "medium",
  HI: "high",
  XX: "unspecified",
  X: "unspecified",
};
const NAME = /^(1\d{3})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX?)$/;

async function genders(files: CorpusFiles, options: LoaderOptions): Promise<Map<string, Gender>> {
  const out = new Map<string, Gender>();
  const path = await findFolder(files, ["VideoDemographics.csv"]);
  if (path === undefined) return out;
  const shown = files.display(path);
  let index: Map<string, number> | undefined;
  for (const { fields } of csvRecords(await files.read(path), shown, options.onProblem)) {
    if (!index) {
      index = columnIndex(fields, ["ActorID", "Sex"], shown, options.onProblem);
      if (!index) return out;
      continue;
    }
    const sex = fields[index.get("Sex") as number]?.trim().toLowerCase();
    const actor = fields[index.get("ActorID") as number]?.trim();
    if (actor !== undefined && (sex === "male" || sex === "female")) out.set(actor, sex);
  }
  return out;
}

/** The clips of CREMA-D with the intended emotion (`ANG`, `DIS`, `FEA`, `HAP`, `NEU`, `SAD`) and level. */
export async function* cremad(root: string, options: LoaderOptions = {}): AsyncGenerator<Utterance> {
  const files = await openCorpusFiles(root);
  const known = await genders(files, options);
  yield* byFilename(
    root,
    {
      corpus: "cremad",
      example: "1001_DFA_ANG_XX.wav",
      read: (stem) => {
        const m = NAME.exec(stem);
        const text = m ? SENTENCES[m[2] as string] : undefined;
        if (!m || text === undefined) return undefined;
        const [, actor, sentence, label, level] = m as unknown as [string, string, string, string, string];
        const attributes = { sentence, level: LEVELS[level] as string };
        const gender = known.get(actor);
        const said = { text, speaker: actor, label, language: "en", attributes };
        return gender ? { ...said, gender } : said;
      },
    },
    options,
    files,
  );
}
