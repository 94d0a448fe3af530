/** @file Levels of voices, fitted by `scripts/fit-voice-bins.ts` on the demo corpus. Made; don't edit. */
import type { VoiceBins } from "@emosllm/audio-features";

/** For `quickMeasures`. */
export const QUICK_BINS: VoiceBins = {
  format: "emosllm-voice-bins",
  version: 1,
  by: "overall",
  rateFrom: "nuclei",
  quantiles: [0.1, 0.3, 0.7, 0.9],
  groups: {
    overall: {
      clips: 104,
      edges: {
        duration: [1.861, 2.018, 2.37, 3.031],
        loudness: [-37.57, -34.72, -29.5, -26.28],
        pitchLevel: [104.3, 142.8, 222.5, 286.4],
        pitchVariation: [1.156, 1.705, 2.811, 3.458],
        pitchRange: [3.204, 4.195, 7.264, 9.184],
        pauses: [0, 0, 0, 0.08272],
      },
    },
  },
};

/** For `measureVoice`. */
export const FULL_BINS: VoiceBins = {
  format: "emosllm-voice-bins",
  version: 1,
  by: "overall",
  rateFrom: "nuclei",
  quantiles: [0.1, 0.3, 0.7, 0.9],
  groups: {
    overall: {
      clips: 104,
      edges: {
        duration: [1.861, 2.018, 2.37, 3.031],
        loudness: [0.3518, 0.4254, 0.6615, 0.833],
        pitchLevel: [103.8, 142.8, 220.9, 284.2],
        pitchVariation: [1.056, 1.403, 2.317, 2.939],
        pitchRange: [3.377, 4.455, 7.395, 9.66],
        rate: [3.399, 4.067, 5.186, 5.763],
        pauses: [0, 0, 0, 0.08239],
        jitter: [0.007329, 0.008919, 0.01276, 0.01578],
        shimmer: [1.068, 1.236, 1.569, 1.979],
        harmonicity: [3.452, 5.228, 7.16, 8.482],
        brightness: [-9.007, -7.449, -4.282, -1.957],
      },
    },
  },
};
