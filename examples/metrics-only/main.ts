// Scores with intervals for the answers of any recogniser. An answer that is none of the labels counts as wrong and is told apart.
import { bootstrapMatrix, classificationReport, confusionMatrix, unweightedAverageRecall } from "@emosllm/eval-metrics";

const truth = ["angry", "angry", "happy", "happy", "happy", "sad", "sad", "neutral", "neutral", "neutral"];
const answers = ["angry", "happy", "happy", "happy", "sad", "sad", "sad", "neutral", null, "neutral"];

const matrix = confusionMatrix(truth, answers, { labels: ["angry", "happy", "sad", "neutral"] });
const report = classificationReport(matrix);
const { uar } = bootstrapMatrix(matrix, { uar: unweightedAverageRecall }, { rounds: 1000, seed: 1 });

console.log(
  `UA ${uar.estimate.toFixed(3)}, 95 % of resamples between ${uar.low.toFixed(3)} and ${uar.high.toFixed(3)}`,
);
console.log(`invalid answers: ${(100 * report.invalidRate).toFixed(0)} %`);
console.table(matrix.counts);
