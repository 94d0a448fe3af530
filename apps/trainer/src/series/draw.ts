/** @file Draws the events of several runs: their names, and the progress of each where they run in this process. */
import { progressWriter } from "../progress.ts";
import type { RunsEvent } from "./execute.ts";

/** A function to hand events to; everything goes to stderr. */
export function runsWriter(total: number, every: number): (event: RunsEvent) => void {
  const progress = progressWriter({ every });
  const say = (text: string): boolean => process.stderr.write(`${text}\n`);
  let done = 0;
  return (event) => {
    const { name } = event.plan;
    switch (event.type) {
      case "train":
        return progress(event.event);
      case "begin":
        return void say(`${name}: begins (${done} of ${total} done)`);
      case "skipped":
        return void say(`${name}: finished before (${++done} of ${total} done)`);
      case "end":
        return void say(`${name}: finished in ${event.mark.seconds} s (${++done} of ${total} done)`);
      case "failed":
        return void say(`${name}: failed: ${event.message}`);
    }
  };
}
