/** @file What frames an encoder gives: which layers, how far apart, in which windows of a long clip. */
import { EmosllmError } from "@emosllm/interfaces";
import type { SpeechEncoder } from "./encoder.ts";
import type { WindowSizes } from "./windows.ts";

/** The frames of an encoder. */
export interface FrameForm {
  readonly modelType: string;
  /** Hidden states that make up a frame, from 0 (what enters the first layer) to the last layer. */
  readonly layers: readonly number[];
  /** Numbers of one layer. */
  readonly hiddenSize: number;
  /** Numbers of a frame: `layers.length * hiddenSize`. */
  readonly features: number;
  /** Hz that clips must have. */
  readonly sampleRate: number;
  /** From one frame to the next, and to the middle of the first. */
  readonly hopSeconds: number;
  readonly startSeconds: number;
  /** Fewest samples of a clip. */
  readonly shortest: number;
  /** What else its numbers depend on, for a cache: `window_seconds` and `context_seconds`. */
  readonly settings: Readonly<Record<string, number>>;
}

/** Which hidden states: one, several, or `all`; negative ones count from the end, -1 being the last layer's (after the final norm). */
export type LayerChoice = number | "all" | readonly number[];

/** Options of {@link frameForm}. */
export interface FrameFormOptions {
  /** Default -1. */
  readonly layers?: LayerChoice | undefined;
  /** Clips that are longer go through in overlapping windows of this length. Default 40, or what the model can take. */
  readonly windowSeconds?: number | undefined;
  /** What a frame sees at least on each side in a window, as far as the clip goes. Default 5, or a sixth of the window if that is less. */
  readonly contextSeconds?: number | undefined;
}

/** The frames that `options` ask for, and the windows they come from. Throws EmosllmError `config_invalid`. */
export function frameForm(
  config: SpeechEncoder["config"],
  { layers: choice = -1, windowSeconds = 40, contextSeconds: wanted }: FrameFormOptions,
): { readonly form: FrameForm; readonly sizes: WindowSizes } {
  const { modelType, hop, frameWidth, sampleRate, shortest, hiddenSize, longest } = config;
  const layers = resolveLayers(choice, config.layers);
  const window = Math.max(1, Math.floor(Math.min(windowSeconds * sampleRate, longest ?? Infinity) / hop));
  const contextSeconds = wanted ?? Math.min(5, (window * hop) / sampleRate / 6);
  const context = Math.ceil((contextSeconds * sampleRate) / hop);
  if (window <= 2 * context)
    throw new EmosllmError(
      "config_invalid",
      `windowSeconds ${windowSeconds} must be more than twice contextSeconds ${contextSeconds}${longest === undefined ? "" : `, and the model takes ${longest / sampleRate} s at most`}`,
    );
  return {
    form: {
      modelType,
      layers,
      hiddenSize,
      features: layers.length * hiddenSize,
      sampleRate,
      hopSeconds: hop / sampleRate,
      startSeconds: frameWidth / 2 / sampleRate,
      shortest,
      settings: { window_seconds: (window * hop) / sampleRate, context_seconds: (context * hop) / sampleRate },
    },
    sizes: { window, context, hop, width: frameWidth },
  };
}

/** Layers as rising numbers. Throws EmosllmError `config_invalid` naming the accepted ones. */
export function resolveLayers(choice: LayerChoice, last: number): number[] {
  const wanted = choice === "all" ? Array.from({ length: last + 1 }, (_, i) => i) : [choice].flat();
  const layers = wanted.map((layer) => {
    const at = layer < 0 ? last + 1 + layer : layer;
    if (!Number.isInteger(at) || at < 0 || at > last)
      throw new EmosllmError(
        "config_invalid",
        `layer ${layer}: the encoder has 0 (what enters the first layer) to ${last}, or -1 (the last) to ${-last - 1}`,
      );
    return at;
  });
  if (layers.length === 0 || new Set(layers).size !== layers.length)
    throw new EmosllmError("config_invalid", `layers [${wanted.join(", ")}]: one or more are needed, none twice`);
  return layers.sort((a, b) => a - b);
}

/** What a clip must be; throws EmosllmError naming the clip by its place. */
export function checkClips(
  clips: readonly Float32Array[],
  { shortest, sampleRate }: Pick<FrameForm, "shortest" | "sampleRate">,
): void {
  clips.forEach((clip, i) => {
    if (clip.length < shortest)
      throw new EmosllmError(
        "audio_empty",
        `clip ${i}: ${clip.length} samples (${((1000 * clip.length) / sampleRate).toFixed(1)} ms); the encoder's first frame needs ${shortest} (${((1000 * shortest) / sampleRate).toFixed(1)} ms)`,
      );
    const bad = clip.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0) throw new EmosllmError("audio_decode", `clip ${i}: sample ${bad} is ${clip[bad]}`);
  });
}

/** Frames of a clip of any length: windows know no longest one. */
export function frameCount(samples: number, { hop, frameWidth, longest }: SpeechEncoder["config"]): number {
  // Whisper pads, so that its last frame may be part of one; the others drop what does not fill a frame.
  return longest === undefined ? Math.floor((samples - frameWidth) / hop) + 1 : Math.ceil(samples / hop);
}
