export { selectChannel } from "./audio/channels.ts";
export { decodeAudio, type DecodeOptions } from "./audio/decode.ts";
export { encodeWav, WAV_ENCODINGS, type WavEncoding } from "./audio/encode-wav.ts";
export { findFfmpeg } from "./audio/ffmpeg.ts";
export { applyGain, normalisePeak, normaliseRms, peakLevel, removeDc, wholeRmsLevel } from "./audio/level.ts";
export { loadSpeech, type LoadSpeechOptions } from "./audio/load-speech.ts";
export { integratedLoudness, normaliseLoudness } from "./audio/loudness.ts";
export { createResampler, resample, type Resampler, type ResampleOptions } from "./audio/resample.ts";
export { AUDIO_FORMATS, sniffFormat, type AudioFormat } from "./audio/sniff.ts";
export { assertSound, durationOf, frameCount, type Sound } from "./audio/sound.ts";
export type { AudioSource } from "./audio/source.ts";
export { createSpeechFrames, type SpeechFrames, type SpeechFramesOptions } from "./audio/speech-frames.ts";
export { streamSpeech, type StreamSpeechOptions } from "./audio/stream-speech.ts";
export { detectSpeech, type SpeechSegment, type VadOptions } from "./audio/vad.ts";
export {
  buildFeatures,
  workShard,
  type BuildClip,
  type BuildEvent,
  type BuildOptions,
  type BuildSummary,
  type CacheableFeature,
  type WorkShard,
} from "./cache/build.ts";
export { cacheableFeature } from "./cache/cacheable.ts";
export { openFeatureCache, type FeatureCache } from "./cache/feature-cache.ts";
export { audioKey, featureFolder, type FeatureIdentity } from "./cache/key.ts";
export {
  cacheSizes,
  pruneCache,
  verifyCache,
  type CacheProblem,
  type FeatureSize,
  type PruneOptions,
  type PruneSummary,
} from "./cache/maintain.ts";
export { assertCorruptionSettings } from "./corrupt/settings.ts";
export { limitBand, type Band } from "./corrupt/band.ts";
export {
  adpcm,
  codec,
  CODEC_NAMES,
  losePackets,
  telephone,
  type CodecName,
  type PacketLoss,
} from "./corrupt/coding.ts";
export { clipPeaks, corrupt, CORRUPTION_NAMES, type Corruption, type CorruptionName } from "./corrupt/corrupt.ts";
export { babble, mixAtSnr, pinkNoise, whiteNoise } from "./corrupt/noise.ts";
export { seededRandom, type Random } from "./corrupt/random.ts";
export { reverberate, roomResponse, type Room } from "./corrupt/room.ts";
export { changeSpeed, changeTempo, shiftPitch } from "./corrupt/tempo.ts";
export { batchFeatures, type FeatureBatch } from "./features/batch.ts";
export { EGEMAPS_LLD_NAMES, egemapsLld } from "./features/egemaps/descriptors.ts";
export { egemaps, type EgemapsFunctionals } from "./features/egemaps/functionals.ts";
export { encoderFeature, type EncoderFeatureOptions, type FrameSource } from "./features/encoder.ts";
export { trackF0, f0Frames, type F0Options, type F0Track } from "./features/f0.ts";
export { column, frameAt, type FeatureFrames } from "./features/feature-frames.ts";
export { realFft, type RealFft } from "./features/fft.ts";
export { kaldiFbank, type KaldiFbankOptions } from "./features/kaldi.ts";
export {
  librosaMel,
  librosaMfcc,
  powerToDb,
  type LibrosaMelOptions,
  type LibrosaMfccOptions,
} from "./features/librosa.ts";
export { assertFeatureSettings, extractFeatures, FEATURE_KINDS, type FeatureSettings } from "./features/kinds.ts";
export { logMel, type LogMelOptions } from "./features/log-mel.ts";
export {
  hzToMel,
  melFilterbank,
  melToHz,
  type Filterbank,
  type FilterbankSettings,
  type MelScale,
} from "./features/mel.ts";
export { wav2vec2Batch, wav2vec2Normalise, type PaddedBatch } from "./features/normalise.ts";
export {
  columnAccumulator,
  columnStatistics,
  delta,
  normaliseColumns,
  prosodyFrames,
  rmsLevel,
  type ColumnAccumulator,
  type ColumnStatistics,
  type ProsodyFramesOptions,
} from "./features/prosody-frames.ts";
export type { Samples } from "./features/spectra.ts";
export { streamKaldiFbank, type FbankStream, type StreamFbankOptions } from "./features/stream.ts";
export { streamLogMel, type LogMelStream } from "./features/stream-log-mel.ts";
export { WINDOWS, windowFunction, type WindowName, type WindowOptions } from "./features/window.ts";
export {
  BIN_GROUPINGS,
  binVoice,
  fitVoiceBins,
  parseVoiceBins,
  VOICE_LEVELS,
  type BinClip,
  type BinGroup,
  type BinGrouping,
  type Speaker,
  type VoiceBins,
} from "./voice/bins.ts";
export {
  describeVoice,
  VOICE_STYLES,
  type DescribeOptions,
  type VoiceDescription,
  type VoiceStyle,
} from "./voice/describe.ts";
export {
  measureVoice,
  syllablesOfText,
  VOICE_MEASURES,
  type MeasureOptions,
  type VoiceMeasure,
  type VoiceMeasures,
} from "./voice/measures.ts";
export { countSyllableNuclei } from "./voice/syllables.ts";
export { SPOKEN_MEASURES, VOICE_LANGUAGES, type SpokenMeasure, type VoiceLanguage } from "./voice/templates.ts";
