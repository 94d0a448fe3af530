export { makeDemoCorpus, MARKER, type DemoCorpus, type DemoCorpusOptions, type DemoCorpusProgress } from "./corpus.ts";
export { planCorpus, type PlannedClip, type PlanOptions } from "./plan.ts";
export { SENTENCES } from "./sentences.ts";
export { SPEAKERS, type Speaker } from "./speakers.ts";
