/** @file Emo-DB (Burkhardt et al. 2005): `wav/03a01Fa.wav` = speaker, sentence, emotion (German initial), version. */
import type { Gender, Utterance } from "@emosllm/interfaces";
import type { LoaderOptions } from "../loader.ts";
import { byFilename } from "./by-filename.ts";

const SENTENCES: Readonly<Record<string, string>> = {
  a01: "Der Lappen liegt auf dem Eisschrank.",
  a02: "Das will sie am Mittwoch abgeben.",
  a04: "Heute abend könnte ich es ihm sagen.",
  a05: "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
  a07: "In sieben Stunden wird es soweit sein.",
  b01: "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
  b02: "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
  b03: "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
  b09: "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
  b10: "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
};
/** Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral. */
const EMOTIONS: Readonly<Record<string, string>> = {
  W: "anger",
  L: "boredom",
  E: "disgust",
  A: "fear",
  F: "happiness",
  T: "sadness",
  N: "neutral",
};
const MEN = new Set(["03", "10", "11", "12", "15"]);
const NAME = /^(03|08|09|1[0-6])([ab]\d{2})([WLEAFTN])([a-z]?)$/;

/** The clips of Emo-DB; labels are the English words for the letter in the name. */
export function emodb(root: string, options: LoaderOptions = {}): AsyncGenerator<Utterance> {
  return byFilename(
    root,
    {
      corpus: "emodb",
      example: "03a01Fa.wav",
      read: (stem) => {
        const m = NAME.exec(stem);
        if (!m) return undefined;
        const [, speaker, sentence, letter, version] = m as unknown as [string, string, string, string, string];
        const gender: Gender = MEN.has(speaker) ? "male" : "female";
        const text = SENTENCES[sentence];
        const said = {
          speaker,
          gender,
          label: EMOTIONS[letter] as string,
          language: "de",
          attributes: { sentence, version },
        };
        return text === undefined ? said : { ...said, text };
      },
    },
    options,
  );
}
