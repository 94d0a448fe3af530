/** @file The text files of a dialog, line for line in IEMOCAP's own form. */
import type { PlannedClip } from "./plan.ts";
import { randomOf } from "./random.ts";

/** A clip with the length its sound turned out to have, seconds. */
export interface SpokenClip extends PlannedClip {
  readonly seconds: number;
}

/** Contents of one dialog's files. */
export interface DialogFiles {
  /** `Session{k}/dialog/EmoEvaluation/{dialog}.txt` */
  readonly evaluation: string;
  /** `Session{k}/dialog/transcriptions/{dialog}.txt` */
  readonly transcription: string;
}

/** Clips of one dialog, in the order spoken, put one after the other with short gaps. */
export function dialogFiles(clips: readonly SpokenClip[], seed: number): DialogFiles {
  const dialog = clips[0]?.dialog ?? "";
  const random = randomOf(`${seed}/times/${dialog}`);
  let clock = random.between(4, 8);
  const timed = clips.map((clip) => {
    const start = clock;
    clock = start + clip.seconds;
    const end = clock;
    clock += random.between(0.1, 1.4);
    return { clip, start, end };
  });

  const transcription = timed.map(
    ({ clip, start, end }) => `${clip.turn} [${clock8(start)}-${clock8(end)}]: ${clip.text}`,
  );
  // Sounds without a label or a wav stand in the real transcriptions too, and a loader has to live with them.
  const breath = timed[Math.floor(timed.length / 2)];
  if (breath !== undefined)
    transcription.splice(
      Math.floor(timed.length / 2),
      0,
      `${dialog}_MXX0 [${clock8(breath.start - 0.1)}-${clock8(breath.start)}]: [BREATHING]`,
    );

  const blocks = timed
    .toSorted((a, b) => (a.clip.turn < b.clip.turn ? -1 : 1))
    .map(({ clip, start, end }) => {
      const dimensions = clip.ratings.dimensions.map((x) => x.toFixed(4)).join(", ");
      const head = `[${start.toFixed(4)} - ${end.toFixed(4)}]\t${clip.turn}\t${clip.ratings.label}\t[${dimensions}]`;
      return [head, ...clip.ratings.lines, "", ""].join("\n");
    });
  return {
    evaluation: `% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n${blocks.join("")}`,
    transcription: `${transcription.join("\n")}\n`,
  };
}

/** Seconds as transcriptions write them: `006.2901`. */
function clock8(seconds: number): string {
  return seconds.toFixed(4).padStart(8, "0");
}
