/** @file Corpora that say everything in their file names: one table entry of how to read a name, one loader. */
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { type CorpusFiles, openCorpusFiles } from "../corpus-files.ts";
import { type LoaderOptions, uniqueIds, walk } from "../loader.ts";
import { problem, shown } from "../problems.ts";

/** What a file name says; `skip` for files that belong to the release but not to this task. */
export type NameReading = Omit<Utterance, "corpus" | "audio" | "id"> & { id?: string };

/** How to read one corpus. */
export interface FilenameCorpus {
  corpus: string;
  /** For messages: what a name looks like. */
  example: string;
  read(stem: string, folder: string): NameReading | "skip" | undefined;
}

/** Walks the release and reads every `.wav` name; names it cannot read are reported as `clip_unlabelled`. */
export async function* byFilename(
  root: string,
  corpus: FilenameCorpus,
  options: LoaderOptions,
  opened?: CorpusFiles,
): AsyncGenerator<Utterance> {
  const { onProblem } = options;
  const files = opened ?? (await openCorpusFiles(root));
  const isNew = uniqueIds(onProblem);
  let clips = 0;
  let read = 0;
  for await (const file of walk(files, "", onProblem)) {
    if (!/\.wav$/i.test(file.name)) continue;
    clips++;
    const stem = file.name.slice(0, -4);
    const said = corpus.read(stem, file.folder);
    if (said === "skip") continue;
    const path = files.display(file.path);
    if (said === undefined) {
      onProblem?.(
        problem("clip_unlabelled", `${shown(file.name)} is no ${corpus.corpus} name (${corpus.example})`, {
          id: stem,
          path,
        }),
      );
      if (options.keepUnlabelled && isNew(stem, path))
        yield { id: stem, corpus: corpus.corpus, audio: files.clip(file.path) };
      continue;
    }
    read++;
    const { id = stem, ...rest } = said;
    if (isNew(id, path)) yield { id, corpus: corpus.corpus, audio: files.clip(file.path), ...rest };
  }
  if (read === 0)
    throw new EmosllmError(
      "corpus_invalid",
      `${root}: no ${corpus.corpus} release: none of ${clips} .wav files has a name like ${corpus.example}`,
    );
}
