/** The parts used here of espeak-ng compiled to WebAssembly; the package brings no types. */
declare module "@echogarden/espeak-ng-emscripten" {
  export interface EspeakEvent {
    readonly type: string;
    /** Milliseconds. */
    readonly audio_position: number;
  }
  export interface EspeakWorker {
    /** 0 when the voice was found. */
    set_voice(name: string): number;
    set_rate(wordsPerMinute: number): void;
    set_pitch(value: number): void;
    set_range(value: number): void;
    set_volume(value: number): void;
    get_samplerate(): number;
    /** `onAudio` gives chunks of 16-bit samples; returning true stops. */
    synthesize(ssml: string, onAudio: (samples: Int16Array | null, events: EspeakEvent[]) => boolean | undefined): void;
  }
  export interface EspeakModule {
    readonly eSpeakNGWorker: new () => EspeakWorker;
    /** All of its memory. */
    readonly HEAPU8: Uint8Array;
    readonly FS: { writeFile(path: string, data: string): void };
  }
  export default function load(): Promise<EspeakModule>;
}
