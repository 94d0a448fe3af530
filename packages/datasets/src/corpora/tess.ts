/** @file TESS (Pichora-Fuller and Dupuis 2020): `{OAF,YAF}_{word}_{emotion}.wav`, two women, "Say the word ...". */
import type { Utterance } from "@emosllm/interfaces";
import type { LoaderOptions } from "../loader.ts";
import { byFilename } from "./by-filename.ts";

/** `ps` is pleasant surprise. One file of the release is named `OA_bite_neutral.wav`. */
const NAME = /^(OAF|OA|YAF)_([A-Za-z]+)_(angry|disgust|fear|happy|neutral|sad|ps)$/;

/** The clips of TESS; the second copy of the tree that some downloads carry shows as `duplicate_id`. */
export function tess(root: string, options: LoaderOptions = {}): AsyncGenerator<Utterance> {
  return byFilename(
    root,
    {
      corpus: "tess",
      example: "OAF_back_angry.wav",
      read: (stem) => {
        const m = NAME.exec(stem);
        if (!m) return undefined;
        const [, who, word, label] = m as unknown as [string, string, string, string];
        const speaker = who === "YAF" ? "YAF" : "OAF";
        const age = speaker === "YAF" ? "26" : "64";
        const text = `Say the word ${word.toLowerCase()}`;
        return {
          id: `${speaker}_${word}_${label}`,
          text,
          speaker,
          gender: "female",
          label,
          language: "en",
          attributes: { word, age },
        };
      },
    },
    options,
  );
}
