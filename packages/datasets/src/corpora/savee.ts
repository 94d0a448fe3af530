/** @file SAVEE (Haq and Jackson 2009): `AudioData/{DC,JE,JK,KL}/{a,d,f,h,n,sa,su}NN.wav`, or flat `DC_a01.wav`; four men. */
import type { Utterance } from "@emosllm/interfaces";
import type { LoaderOptions } from "../loader.ts";
import { byFilename } from "./by-filename.ts";

const EMOTIONS: Readonly<Record<string, string>> = {
  a: "anger",
  d: "disgust",
  f: "fear",
  h: "happiness",
  n: "neutral",
  sa: "sadness",
  su: "surprise",
};
const SPEAKERS = ["DC", "JE", "JK", "KL"];
const NAME = /^(?:(DC|JE|JK|KL)_)?(sa|su|[adfhn])(\d{2})$/;

/** The clips of SAVEE; the id is `DC_a01` in both layouts. */
export function savee(root: string, options: LoaderOptions = {}): AsyncGenerator<Utterance> {
  return byFilename(
    root,
    {
      corpus: "savee",
      example: "DC/a01.wav or DC_a01.wav",
      read: (stem, folder) => {
        const m = NAME.exec(stem);
        const speaker = m?.[1] ?? folder.split("/").findLast((part) => SPEAKERS.includes(part));
        if (!m || speaker === undefined) return undefined;
        const [, , emotion, number] = m as unknown as [string, string, string, string];
        const label = EMOTIONS[emotion] as string;
        return { id: `${speaker}_${emotion}${number}`, speaker, gender: "male", label, language: "en" };
      },
    },
    options,
  );
}
