export { writeIemocap, type SyntheticIemocapOptions } from "./iemocap.ts";
export { syllables, wavFile } from "./sound.ts";
export type { SyntheticCorpus, SyntheticOptions } from "./tree.ts";
