export { writeCremad, writeEmodb, writeEsd, writeRavdess, writeSavee, writeTess } from "./by-filename.ts";
export { writeEmobox } from "./emobox.ts";
export { writeIemocap, type SyntheticIemocapOptions } from "./iemocap.ts";
export { writeMeld, type SyntheticMeldOptions } from "./meld.ts";
export { mp4File } from "./mp4.ts";
export { writeMspPodcast, type SyntheticMspOptions } from "./msp-podcast.ts";
export { syllables, wavFile } from "./sound.ts";
export type { SyntheticCorpus, SyntheticOptions } from "./tree.ts";
