// Trains EmoSLLM on a table of your own: columns audio, label, split (train, test), and where you have them text and speaker.
//   tsx main.ts turns.csv [key=value ...]      keys as in config.yaml, for example model_name_or_path=models/Llama-3.2-1B-Instruct
import { fileURLToPath } from "node:url";
import { EmoSLLM } from "@emosllm/model";
import { progressWriter, readTrainConfig, runTraining } from "@emosllm/trainer";

const [table = "turns.csv", ...overrides] = process.argv.slice(2);
const defaults = fileURLToPath(new URL("config.yaml", import.meta.url));
const config = await readTrainConfig(defaults, [`corpus=csv:${table}`, ...overrides]);

const result = await runTraining(config, progressWriter());
console.log(
  `UA ${result.test.ua.toFixed(2)} on ${result.test.answers.length} test clips; the model is in ${result.bundle}`,
);

const model = await EmoSLLM.load(result.bundle);
const [first] = result.test.answers;
const [answer] = await model.score([{ audio: first!.sample.utterance.audio }]);
console.log(answer!.label, answer!.probabilities);
await model.dispose();
