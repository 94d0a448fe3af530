/**
 * @file ESD (Zhou et al. 2021): `{0001..0020}/{Emotion}/[train|evaluation|test/]{speaker}_{number}.wav` and `{speaker}/{speaker}.txt`
 * (id, text, emotion). Speakers 0001-0010 speak Mandarin, 0011-0020 English. The text files come in UTF-8, UTF-16 and GBK.
 */
import type { Gender, Utterance } from "@emosllm/interfaces";
import { type CorpusFiles, openCorpusFiles } from "../corpus-files.ts";
import { type LoaderOptions, walk } from "../loader.ts";
import { problem, shown } from "../problems.ts";
import { decodeLines } from "../text.ts";
import { byFilename } from "./by-filename.ts";

const LABELS = ["Angry", "Happy", "Neutral", "Sad", "Surprise"];
const MANDARIN: Readonly<Record<string, string>> = {
  生气: "Angry",
  快乐: "Happy",
  中立: "Neutral",
  伤心: "Sad",
  惊喜: "Surprise",
};
const WOMEN = new Set(["0001", "0002", "0003", "0007", "0009", "0015", "0016", "0017", "0018", "0019"]);
const NAME = /^(00(?:0[1-9]|1\d|20))_(\d{6})$/;
/** Numbers 1-350 are the texts of one emotion: the first 20 evaluate, the next 30 test, the others train. */
const partOf = (number: number): string => {
  const place = ((number - 1) % 350) + 1;
  return place <= 20 ? "evaluation" : place <= 50 ? "test" : "train";
};

interface Line {
  text: string;
  label: string | undefined;
}

async function transcripts(files: CorpusFiles, options: LoaderOptions): Promise<Map<string, Line>> {
  const out = new Map<string, Line>();
  for await (const file of walk(files, "")) {
    if (!/^00\d\d\.txt$/.test(file.name)) continue;
    const path = files.display(file.path);
    for (const { text, line } of decodeLines(await files.read(file.path), path, options.onProblem, {
      fallback: "gb18030",
    })) {
      if (text.trim() === "") continue;
      // Most files separate by tabs; some lines use blanks before the emotion.
      const m = /^\s*(\d{4}_\d{6})\s+(.*?)(?:\s+(\S+))?\s*$/.exec(text);
      const word = m?.[3];
      const label = word === undefined ? undefined : LABELS.includes(word) ? word : MANDARIN[word];
      if (!m)
        options.onProblem?.(problem("annotation_invalid", `not "id text emotion": ${shown(text)}`, { path, line }));
      else
        out.set(m[1] as string, {
          text: label === undefined && word !== undefined ? `${m[2]} ${word}`.trim() : (m[2] as string),
          label,
        });
    }
  }
  return out;
}

/** The clips of ESD with the folder's emotion, text, language and the release's own part. */
export async function* esd(root: string, options: LoaderOptions = {}): AsyncGenerator<Utterance> {
  const files = await openCorpusFiles(root);
  const lines = await transcripts(files, options);
  yield* byFilename(
    root,
    {
      corpus: "esd",
      example: "0011/Happy/0011_000701.wav",
      read: (stem, folder) => {
        const m = NAME.exec(stem);
        const label = folder.split("/").findLast((part) => LABELS.includes(part));
        if (!m || label === undefined) return undefined;
        const speaker = m[1] as string;
        const last = folder.split("/").at(-1) ?? "";
        const line = lines.get(stem);
        if (line?.label !== undefined && line.label !== label)
          options.onProblem?.(
            problem("label_conflict", `the folder says ${label}, the text file ${line.label}`, { id: stem }),
          );
        const gender: Gender = WOMEN.has(speaker) ? "female" : "male";
        const language = speaker <= "0010" ? "zh" : "en";
        const split = ["train", "evaluation", "test"].includes(last) ? last : partOf(Number(m[2]));
        const said = { speaker, gender, label, language, split };
        return line ? { ...said, text: line.text } : said;
      },
    },
    options,
    files,
  );
}
