/**
 * @file Syllable nuclei without a transcript: N. de Jong & T. Wempe, Praat script to detect syllable nuclei and measure speech rate
 * automatically, Behavior Research Methods 41 (2009): voiced intensity peaks that stand at least 2 dB above the dip before them.
 */

const DIP = 2;
/** Peaks count down to this far below the loudest part, dB. */
const RANGE = 25;

/** Number of nuclei in a level contour (dB) and a pitch contour (Hz, 0 = unvoiced) of the same 10 ms frames. */
export function countSyllableNuclei(level: readonly number[], f0: ArrayLike<number>): number {
  // intensity as syllables see it: 70 ms of smoothing
  const smooth = level.map((_, t) => {
    let sum = 0;
    let n = 0;
    for (let i = Math.max(0, t - 3); i <= Math.min(level.length - 1, t + 3); i++) {
      sum += level[i]!;
      n++;
    }
    return sum / n;
  });
  const sorted = [...smooth].sort((a, b) => a - b);
  const threshold = (sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 0) - RANGE;
  const voicedNear = (at: number): boolean => {
    for (let t = Math.max(0, at - 2); t <= Math.min(f0.length - 1, at + 2); t++) if (f0[t]! > 0) return true;
    return false;
  };
  let count = 0;
  // the clip begins as if out of silence, so that its first peak may count
  let dip = Math.min(smooth[0] ?? 0, threshold - DIP);
  let peak = -Infinity;
  let peakAt = -1;
  const confirm = (): void => {
    if (peakAt >= 0 && peak >= threshold && voicedNear(peakAt)) count++;
  };
  smooth.forEach((v, t) => {
    if (peakAt < 0) {
      if (v < dip) dip = v;
      if (v - dip >= DIP) [peak, peakAt] = [v, t];
    } else if (v > peak) [peak, peakAt] = [v, t];
    else if (peak - v >= DIP) {
      confirm();
      [dip, peakAt] = [v, -1];
    }
  });
  confirm();
  return count;
}
