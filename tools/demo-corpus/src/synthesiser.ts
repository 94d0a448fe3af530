/** @file espeak-ng as a function from a request to samples, made repeatable. */
import load, { type EspeakModule, type EspeakWorker } from "@echogarden/espeak-ng-emscripten";
import type { VoiceRequest } from "./voice.ts";

/** Speaks one request at a time; samples in [-1, 1). */
export interface Synthesiser {
  /** Hz. */
  readonly sampleRate: number;
  /** Depends on the requests since the last `reset()` and on nothing else. */
  speak(request: VoiceRequest): Float32Array;
  /** Back to the state right after the start: espeak-ng carries flutter and noise from one sentence to the next. */
  reset(): void;
}

/** espeak-ng seeds its noise with the clock when it starts; for that moment the clock stands still. */
function startAtTimeZero(module: EspeakModule): EspeakWorker {
  const now = Date.now;
  Date.now = () => 0;
  try {
    return new module.eSpeakNGWorker();
  } finally {
    Date.now = now;
  }
}

/** Longest SSML, in UTF-8 bytes. */
const LONGEST = 16_384;

/**
 * The binding keeps a buffer for strings inside espeak-ng's memory and remembers its place outside; it must have its final size before
 * the memory is copied, or a later `reset()` would give its place to something else. A buffer grows on the second use.
 */
function settleStringBuffer(espeak: EspeakWorker): void {
  for (let i = 0; i < 2; i++) espeak.synthesize(" ".repeat(LONGEST), () => false);
}

/** Starts espeak-ng. One is enough for a thread: starting it, and its first sentences, take most of a second. */
export async function createSynthesiser(): Promise<Synthesiser> {
  const module = await load();
  const espeak = startAtTimeZero(module);
  settleStringBuffer(espeak);
  const fresh = module.HEAPU8.slice();
  return {
    sampleRate: espeak.get_samplerate(),
    reset() {
      // The heap may have grown since; what lies beyond was zero.
      module.HEAPU8.fill(0, fresh.length);
      module.HEAPU8.set(fresh);
    },
    speak({ voice, variant, rate, ssml }) {
      if (Buffer.byteLength(ssml) > LONGEST / 2)
        throw new RangeError(`a text of ${ssml.length} characters is too long`);
      module.FS.writeFile("/usr/share/espeak-ng-data/voices/!v/demo", variant);
      const found = espeak.set_voice(`${voice}+demo`);
      if (found !== 0) throw new Error(`espeak-ng has no voice '${voice}' (code ${found})`);
      espeak.set_rate(rate);
      espeak.set_pitch(50);
      espeak.set_range(50);
      espeak.set_volume(60);
      const chunks: Int16Array[] = [];
      espeak.synthesize(ssml, (samples) => {
        if (samples !== null && samples.length > 0) chunks.push(samples);
        return false;
      });
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      const out = new Float32Array(length);
      let at = 0;
      for (const chunk of chunks) for (const x of chunk) out[at++] = x / 32768;
      if (at === 0) throw new Error(`espeak-ng made no sound for: ${ssml}`);
      return out;
    },
  };
}
