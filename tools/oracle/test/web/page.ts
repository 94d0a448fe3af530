/** @file What the test's page runs: the golden directory over HTTP, trained in this tab. */
import { languageModel, parseModelConfig } from "@emosllm/backbones";
import { safetensorsInMemory } from "@emosllm/checkpoints";
import { loraConfig } from "@emosllm/lora";
import type { Device } from "@emosllm/runtime";
import { setUpWeb } from "@emosllm/runtime/web";
import { type ReplayResult, replayGolden } from "../../src/golden-replay.ts";

async function train(name: string, device: Device): Promise<ReplayResult> {
  const get = async (file: string): Promise<Response> => {
    const answer = await fetch(`/goldens/${name}/${file}`);
    if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
    return answer;
  };
  const json = async (file: string) => (await get(file)).json();
  const tensors = async (file: string) =>
    safetensorsInMemory(new Uint8Array(await (await get(file)).arrayBuffer()), file);
  setUpWeb({ wasmFolder: "/ort/" });
  const backbone = "backbone/model.safetensors";
  const checkpoint = { folder: "backbone", files: [backbone], tensors: await tensors(backbone), metadata: {} };
  return replayGolden(
    {
      golden: await json("golden.json"),
      languageModel: languageModel(parseModelConfig(await json("backbone/config.json")), checkpoint),
      loraConfig: loraConfig(await json("adapter/adapter_config.json")),
      projectorWeights: await tensors("projector.safetensors"),
      adapterWeights: await tensors("adapter/adapter_model.safetensors"),
      batch: await tensors("batch.safetensors"),
      reference: await tensors("golden.safetensors"),
    },
    { device },
  );
}

Object.assign(globalThis, { train });
