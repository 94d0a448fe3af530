export { openCheckpoint, type OpenCheckpointOptions, type WeightFormat } from "./checkpoint.ts";
export {
  DTYPES,
  elementCount,
  FROM_SAFETENSORS,
  type DType,
  type SafetensorsDType,
  type TypedArrayOf,
} from "./dtype.ts";
export { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "./float16.ts";
export { readTensor } from "./read.ts";
export { safetensorsInMemory, widenedInMemory, type TensorInMemory } from "./safetensors-bytes.ts";
export { readSafetensorsHeader, type SafetensorsHeader } from "./safetensors-header.ts";
export { loadSafetensors, writeSafetensors, type StoredTensor } from "./safetensors-write.ts";
export type { Checkpoint, TensorSource } from "./source.ts";
export { readTorchBin, type TorchBin } from "./torch-bin.ts";
export { cacheFolder } from "./cache-folder.ts";
export { contentHashes, hashTensor } from "./content-hash.ts";
export { halfTensors } from "./half.ts";
export {
  BLOCK_SIZES,
  packWeights,
  type BlockSize,
  type PackedBlock,
  type PackedBlocks,
  type PackedMatrix,
  type PackedWeights,
  type PackOptions,
  type PackProgress,
  type PackRequest,
} from "./pack.ts";
export type { DownloadProgress } from "./download.ts";
export { hubSettings, type HubSettings } from "./hub-cache.ts";
export { resolveModel, type ResolvedModel, type ResolveOptions } from "./resolve.ts";
