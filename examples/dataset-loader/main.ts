// IEMOCAP as typed utterances: true speakers, four classes, a split that keeps sessions apart, and an audit that finds leaks.
//   tsx main.ts IEMOCAP_full_release      without a folder: a small synthetic release with the real one's quirks
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyScheme, auditCorpus, collect, emotionScheme, hasLeak, iemocap } from "@emosllm/datasets";
import { leaveOneSessionOut, PROTOCOLS } from "@emosllm/datasets";
import { writeIemocap } from "@emosllm/datasets/testing";

const given = process.argv[2];
const root = given ?? join(mkdtempSync(join(tmpdir(), "iemocap-")), "IEMOCAP_full_release");
if (given === undefined) writeIemocap(root);

const problems: string[] = [];
const everything = await collect(iemocap(root, { onProblem: (p) => problems.push(p.code) }));
const turns = await collect(applyScheme(everything, emotionScheme("iemocap-4")));
console.log(
  `${everything.length} turns, ${turns.length} with one of four labels, ${problems.length} oddities reported`,
);

const split = leaveOneSessionOut(turns, { fold: 1, validation: "other-session" });
for (const [part, card] of Object.entries(split.card.parts)) console.log(part, card.speakers, card.labels);

const report = await auditCorpus("iemocap", turns, { protocol: PROTOCOLS["loso5"], publishedAs: "" });
console.log(hasLeak(report) ? report.problems : "no speaker, session, dialogue or sound is shared between parts");
if (given === undefined) rmSync(root, { recursive: true });
