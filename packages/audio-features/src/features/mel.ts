/** @file Mel scales and triangular filterbanks as librosa, Whisper and Kaldi define them. */

/** Slaney's Auditory Toolbox (librosa's and Whisper's default), or O'Shaughnessy's formula with log10 (HTK) or ln (Kaldi). */
export type MelScale = "slaney" | "htk" | "kaldi";

const SLANEY_LINEAR = 200 / 3;
const SLANEY_STEP = Math.log(6.4) / 27;

const TO_MEL: { readonly [K in MelScale]: (hz: number) => number } = {
  slaney: (hz) => (hz < 1000 ? hz / SLANEY_LINEAR : 15 + Math.log(hz / 1000) / SLANEY_STEP),
  htk: (hz) => 2595 * Math.log10(1 + hz / 700),
  kaldi: (hz) => 1127 * Math.log(1 + hz / 700),
};

const TO_HZ: { readonly [K in MelScale]: (mel: number) => number } = {
  slaney: (mel) => (mel < 15 ? mel * SLANEY_LINEAR : 1000 * Math.exp(SLANEY_STEP * (mel - 15))),
  htk: (mel) => 700 * (10 ** (mel / 2595) - 1),
  kaldi: (mel) => 700 * (Math.exp(mel / 1127) - 1),
};

/** Frequency in Hz to mel. */
export const hzToMel = (hz: number, scale: MelScale = "slaney"): number => TO_MEL[scale](hz);
/** Mel to frequency in Hz. */
export const melToHz = (mel: number, scale: MelScale = "slaney"): number => TO_HZ[scale](mel);

/** One band per filter: its first bin and its weights from there; everything outside is 0. */
export interface Filterbank {
  /** Bins of the spectrum that the filters were made for. */
  readonly bins: number;
  readonly filters: readonly { readonly first: number; readonly weights: Float64Array }[];
}

/** What a filterbank needs to know. */
export interface FilterbankSettings {
  sampleRate: number;
  fftSize: number;
  /** Number of bands. */
  melBins: number;
  /** Lower edge of the first band, Hz. */
  fMin: number;
  /** Upper edge of the last band, Hz. */
  fMax: number;
  scale: MelScale;
  /** Triangles that are linear over Hz (librosa) or over mel (Kaldi). */
  linearIn: "hz" | "mel";
  /** `slaney`: each band has the area of 2 / its width in Hz; `none`: its peak is 1. */
  norm: "slaney" | "none";
}

const known = new Map<string, Filterbank>();

/** {@link melFilterbank}, made once for the same settings; not to be written to. */
export function sharedFilterbank(settings: FilterbankSettings): Filterbank {
  const { sampleRate, fftSize, melBins, fMin, fMax, scale, linearIn, norm } = settings;
  const key = JSON.stringify([sampleRate, fftSize, melBins, fMin, fMax, scale, linearIn, norm]);
  let bank = known.get(key);
  if (bank === undefined) {
    if (known.size >= 64) known.clear();
    known.set(key, (bank = melFilterbank(settings)));
  }
  return bank;
}

/**
 * Triangular filters with edges at equal distances in mel.
 * @throws RangeError when the band edges do not lie in `0 <= fMin < fMax <= sampleRate / 2`.
 */
export function melFilterbank(settings: FilterbankSettings): Filterbank {
  const { sampleRate, fftSize, melBins, fMin, fMax, scale, linearIn, norm } = settings;
  if (!(fMin >= 0 && fMin < fMax && fMax <= sampleRate / 2))
    throw new RangeError(`mel band edges ${fMin} to ${fMax} Hz do not lie between 0 and ${sampleRate / 2} Hz`);
  if (!Number.isInteger(melBins) || melBins < 1) throw new RangeError(`${melBins} mel bands: not a positive integer`);
  const low = hzToMel(fMin, scale);
  const step = (hzToMel(fMax, scale) - low) / (melBins + 1);
  const bins = Math.floor(fftSize / 2) + 1;
  const unit = linearIn === "hz" ? (mel: number) => melToHz(mel, scale) : (mel: number) => mel;
  const at = Float64Array.from({ length: bins }, (_, k) => {
    const hz = (k * sampleRate) / fftSize;
    return linearIn === "hz" ? hz : hzToMel(hz, scale);
  });
  const filters = Array.from({ length: melBins }, (_, m) => {
    const left = unit(low + m * step);
    const centre = unit(low + (m + 1) * step);
    const right = unit(low + (m + 2) * step);
    const area = norm === "slaney" ? 2 / (melToHz(low + (m + 2) * step, scale) - melToHz(low + m * step, scale)) : 1;
    const dense = at.map(
      (x) => area * Math.max(0, Math.min((x - left) / (centre - left), (right - x) / (right - centre))),
    );
    // Kaldi never uses the Nyquist bin, whose weight is 0 for its mel-linear triangles up to rounding
    if (linearIn === "mel") dense[bins - 1] = 0;
    const first = Math.max(
      0,
      dense.findIndex((w) => w > 0),
    );
    const last = dense.findLastIndex((w) => w > 0);
    return { first, weights: dense.slice(first, last + 1) };
  });
  return { bins, filters };
}
