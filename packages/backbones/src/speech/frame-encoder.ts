/** @file Clips in, frames out: what features, training and serving use an encoder for. Batches, windows of long clips, choice of layers. */
import { type Dim, type Tensor, concat, input } from "@emosllm/graph";
import { type CompileOptions, type HostTensor, type Program, compile, f32, hostTensor, i64 } from "@emosllm/runtime";
import type { PreparedClip, SpeechEncoder, SpeechStates } from "./encoder.ts";
import { type FrameForm, type FrameFormOptions, checkClips, frameCount, frameForm } from "./frame-form.ts";
import { type SpeechWindow, planWindows } from "./windows.ts";

/** The frames of one clip. */
export interface EncodedFrames {
  /** f32 `[frames, features]`, row-major; several layers stand side by side in each frame. */
  readonly data: Float32Array;
  readonly frames: number;
  readonly features: number;
}

/** Clips to frames. Dispose it. */
export interface FrameEncoder extends FrameForm {
  /**
   * Frames of mono clips at `sampleRate`, full scale 1. A clip's frames do not depend on the others.
   * Throws EmosllmError `audio_empty` for a clip that gives no frame, `audio_decode` for one with values that are not finite.
   */
  encode(clips: readonly Float32Array[]): Promise<EncodedFrames[]>;
  dispose(): Promise<void>;
}

/** Options of {@link frameEncoder}. */
export interface FrameEncoderOptions extends FrameFormOptions, Pick<CompileOptions, "device" | "threads"> {
  /**
   * Most sound of one batch, its padding included; a window is never split. Default 8 s: a clip of a few seconds fills the cores by itself, and what lies
   * between an encoder's first layers takes some 30 MiB a second.
   */
  readonly batchSeconds?: number | undefined;
}

/** A row of a batch: a clip, or a window of one. */
interface Row {
  readonly clip: number;
  readonly window: SpeechWindow;
  readonly samples: number;
  readonly groupNorm: PreparedClip["groupNorm"];
}

type Form = "alone" | "padded" | "windows";

/** Runs a speech encoder; programs are compiled when a clip first needs them. */
export function frameEncoder(
  encoder: SpeechEncoder,
  { batchSeconds = 8, layers: choice, windowSeconds, contextSeconds, ...session }: FrameEncoderOptions = {},
): FrameEncoder {
  const { padding, groupChannels } = encoder.config;
  const { form, sizes } = frameForm(encoder.config, { layers: choice, windowSeconds, contextSeconds });
  const { layers, features, sampleRate } = form;
  const programs = new Map<Form, Promise<Program>>();
  const programOf = (form: Form): Promise<Program> => {
    let program = programs.get(form);
    if (!program) programs.set(form, (program = compileForm(encoder, layers, form, session)));
    return program;
  };

  const rowsOf = async (samples: Float32Array, clip: number): Promise<{ prepared: Float32Array; rows: Row[] }> => {
    const frames = frameCount(samples.length, encoder.config);
    const windows = planWindows(samples.length, frames, sizes);
    const { samples: prepared, groupNorm } = await encoder.prepare(samples, windows.length > 1);
    const rows = windows.map((w) => ({ clip, window: w, samples: w.end - w.start, groupNorm }));
    return { prepared, rows };
  };

  return {
    ...form,
    async encode(clips) {
      checkClips(clips, form);
      const out = clips.map((clip): EncodedFrames => {
        const frames = frameCount(clip.length, encoder.config);
        return { data: new Float32Array(frames * features), frames, features };
      });
      const prepared: Float32Array[] = [];
      const rows: Row[] = [];
      for (const [i, clip] of clips.entries()) {
        const made = await rowsOf(clip, i);
        prepared.push(made.prepared);
        rows.push(...made.rows);
      }
      for (const batch of batches(rows, padding, batchSeconds * sampleRate)) {
        const samples = Math.max(...batch.map((r) => r.samples));
        const data = new Float32Array(batch.length * samples);
        batch.forEach(({ clip, window: { start, end } }, r) =>
          data.set((prepared[clip] as Float32Array).subarray(start, end), r * samples),
        );
        // One program takes every batch of a model that takes padding: a second would hold its weights again.
        const form = padding ? "padded" : batch[0]?.groupNorm ? "windows" : "alone";
        const program = await programOf(form);
        const given = await program.run({
          wave: f32(data, [batch.length, samples]),
          ...(form === "padded" ? { lengths: i64(batch.map((r) => r.samples)) } : {}),
          ...(form === "windows" ? normFeeds(batch, groupChannels) : {}),
        });
        const { data: states, shape } = given["states"] as HostTensor<"f32">;
        const steps = shape[1] as number;
        batch.forEach(({ clip, window: { first, from, to } }, r) => {
          const at = (r * steps + from - first) * features;
          (out[clip] as EncodedFrames).data.set(states.subarray(at, at + (to - from) * features), from * features);
        });
      }
      return out;
    },
    async dispose() {
      const open = [...programs.values()];
      programs.clear();
      for (const p of open) await (await p).dispose();
    },
  };
}

/** Rows that go through together: of like length, within `most` samples with their padding, of one kind. */
function batches(rows: readonly Row[], padding: boolean, most: number): Row[][] {
  const sorted = [...rows].sort(
    (a, b) => Number(a.groupNorm !== undefined) - Number(b.groupNorm !== undefined) || a.samples - b.samples,
  );
  const out: Row[][] = [];
  for (const row of sorted) {
    const current = out.at(-1);
    const first = current?.[0];
    const together =
      current !== undefined &&
      first !== undefined &&
      (first.groupNorm === undefined) === (row.groupNorm === undefined) &&
      (padding || first.samples === row.samples) &&
      (current.length + 1) * row.samples <= most;
    if (together) current.push(row);
    else out.push([row]);
  }
  return out;
}

function normFeeds(batch: readonly Row[], channels: number): Record<string, HostTensor> {
  const side = (pick: "scale" | "offset"): HostTensor => {
    const data = new Float32Array(batch.length * channels);
    batch.forEach(({ groupNorm }, r) => data.set(groupNorm?.[pick] as Float32Array, r * channels));
    return hostTensor("f32", [batch.length, channels], data);
  };
  return { norm_scale: side("scale"), norm_offset: side("offset") };
}

function compileForm(
  encoder: SpeechEncoder,
  layers: readonly number[],
  form: Form,
  session: Pick<CompileOptions, "device" | "threads">,
): Promise<Program> {
  const { groupChannels: channels } = encoder.config;
  const rows: Dim = "rows";
  const norm = { scale: input("norm_scale", [rows, channels]), offset: input("norm_offset", [rows, channels]) };
  const states = encoder.build(
    input("wave", [rows, "samples"]),
    form === "padded" ? input("lengths", [rows], "i64") : undefined,
    undefined,
    { groupNorm: form === "windows" ? norm : undefined },
  );
  const chosen = layers.map((layer) => stateOf(states, layer));
  const joined = chosen.length === 1 ? (chosen[0] as Tensor) : concat(chosen, 2);
  return compile({ states: joined }, { ...session, weights: encoder.weights });
}

/** The last layer's is taken after the final norm, as transformers' `last_hidden_state`. */
const stateOf = ({ hidden, last }: SpeechStates, layer: number): Tensor =>
  layer === hidden.length - 1 ? last : (hidden[layer] as Tensor);
