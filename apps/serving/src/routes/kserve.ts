/** @file KServe's Open Inference Protocol (V2) over HTTP: health, metadata, inference with BYTES in base64. */
import type { z } from "zod";
import { ServiceError } from "../errors.ts";
import { decodeBase64, parseJson, validate } from "../http/body.ts";
import { type Call, type Route, json } from "../http/route.ts";
import type { ModelInfo } from "../pool/tasks.ts";
import {
  inferRequestSchema,
  inferResponseSchema,
  modelMetadataSchema,
  healthSchema,
  serverMetadataSchema,
} from "../schemas.ts";
import { ask, chooseModel } from "../service.ts";
import { readiness } from "./operations.ts";

const VERSION = "1";

const answer = (schema: z.ZodType): Route["answer"] => ({ type: "application/json", schema });

const health = (name: "live" | "ready", isUp: (call: Call) => boolean): Route => ({
  method: "GET",
  path: `/v2/health/${name}`,
  access: "open",
  summary: `KServe V2: whether the server is ${name}.`,
  answer: answer(healthSchema),
  handle(call) {
    const up = isUp(call);
    return json({ [name]: up, status: up ? "ok" : "unavailable" }, { status: up ? 200 : 503 });
  },
});

export const kserveRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v2",
    access: "open",
    summary: "KServe V2: metadata of the server.",
    answer: answer(serverMetadataSchema),
    handle: () => json({ name: "emosllm", version: VERSION, extensions: [] }),
  },
  health("live", () => true),
  health("ready", ({ service }) => readiness(service).ready),
  {
    method: "GET",
    path: "/v2/models/:model",
    access: "key",
    summary: "KServe V2: metadata of a model.",
    answer: answer(modelMetadataSchema),
    handle: ({ service, params }) => json(metadata(chooseModel(service, params["model"]))),
  },
  {
    method: "GET",
    path: "/v2/models/:model/ready",
    access: "key",
    summary: "KServe V2: whether a model is ready.",
    answer: answer(healthSchema),
    handle({ service, params }) {
      const { id } = chooseModel(service, params["model"]);
      const { ready } = readiness(service);
      return json({ name: id, ready, status: ready ? "ok" : "unavailable" }, { status: ready ? 200 : 503 });
    },
  },
  {
    method: "POST",
    path: "/v2/models/:model/infer",
    access: "key",
    summary: "KServe V2: the emotions of n sound files.",
    body: [{ type: "application/json", schema: inferRequestSchema }],
    answer: answer(inferResponseSchema),
    handle: infer,
  },
];

const metadata = ({ id, labels }: ModelInfo): z.output<typeof modelMetadataSchema> => ({
  name: id,
  versions: [VERSION],
  platform: "emosllm",
  inputs: [
    { name: "audio", datatype: "BYTES", shape: [-1] },
    { name: "transcript", datatype: "BYTES", shape: [-1] },
  ],
  outputs: [
    { name: "label", datatype: "BYTES", shape: [-1] },
    { name: "probabilities", datatype: "FP32", shape: [-1, labels.length] },
    { name: "labels", datatype: "BYTES", shape: [labels.length] },
  ],
});

async function infer(call: Call): Promise<Response> {
  const { service, params } = call;
  const { limits } = service.options;
  const model = chooseModel(service, params["model"]);
  const request = validate(inferRequestSchema, parseJson(await call.body(), limits.jsonDepth));
  const byName = new Map(request.inputs.map((tensor) => [tensor.name, tensor]));
  for (const { name, shape, data } of request.inputs) {
    if (name !== "audio" && name !== "transcript")
      throw new ServiceError("invalid_request", `inputs: '${name}' is not one of audio, transcript`, {
        param: "inputs",
      });
    if (shape.reduce((a, b) => a * b, 1) !== data.length)
      throw new ServiceError(
        "invalid_request",
        `inputs.${name}: ${data.length} values for shape [${shape.join(", ")}]`,
        {
          param: "inputs",
        },
      );
  }
  const audio = byName.get("audio")?.data ?? [];
  const transcripts = byName.get("transcript")?.data;
  if (audio.length === 0)
    throw new ServiceError("invalid_request", "inputs: audio with at least one value is needed", { param: "inputs" });
  if (transcripts && transcripts.length !== audio.length)
    throw new ServiceError("invalid_request", `inputs: ${transcripts.length} transcripts for ${audio.length} sounds`, {
      param: "inputs",
    });
  const sounds = audio.map((text, i) => decodeBase64(text, `inputs.audio.${i}`));
  const answers = await Promise.all(
    sounds.map((bytes, i) =>
      ask(call, model, "score", {
        audio: { bytes },
        transcript: transcripts?.[i]?.slice(0, limits.transcript),
        voice: "none",
        limits: { maxSeconds: limits.seconds, maxSamples: limits.samples },
      }),
    ),
  );
  const outputs = answers.map((a) => a.output);
  call.facts.audioSeconds = outputs.reduce((sum, o) => sum + o.seconds, 0);
  const { labels } = model;
  return json({
    id: request.id ?? call.id,
    model_name: model.id,
    model_version: VERSION,
    outputs: [
      { name: "label", datatype: "BYTES", shape: [outputs.length], data: outputs.map((o) => o.label ?? "") },
      {
        name: "probabilities",
        datatype: "FP32",
        shape: [outputs.length, labels.length],
        data: outputs.flatMap((o) => labels.map((label) => o.probabilities[label] ?? 0)),
      },
      { name: "labels", datatype: "BYTES", shape: [labels.length], data: [...labels] },
    ],
  } satisfies z.output<typeof inferResponseSchema>);
}
