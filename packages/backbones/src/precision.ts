/** @file Frozen linear layers as 8- or 4-bit integers: packed once into a cache, mapped from there, multiplied in int8 arithmetic. */
import {
  BLOCK_SIZES,
  type BlockSize,
  type PackOptions,
  type PackRequest,
  type PackedBlock,
  type PackedBlocks,
  type PackedMatrix,
  type TensorSource,
  halfTensors,
  packWeights,
} from "@emosllm/checkpoints";
import {
  type Int8Matrix,
  type NBitsBlocks,
  type NBitsMatrix,
  type Tensor,
  cast,
  matMulInt8,
  matMulNBits,
  matmul,
  reshape,
  weight,
} from "@emosllm/graph";
import { EmosllmError } from "@emosllm/interfaces";
import { int8Overflows } from "@emosllm/runtime";
import type { TensorTable } from "./linear.ts";

/**
 * How a backbone's linear layers are held and multiplied; f16 is for devices that have it (on the CPU it costs time and gives its numbers). What
 * lies between the layers is f32, so sums over a layer's outputs, norms, softmax and losses are exact. Embeddings, norms, biases and convolutions stay as they are on disk.
 */
export const PRECISIONS = ["f32", "f16", "int8", "int4"] as const;
/** One of {@link PRECISIONS}. */
export type Precision = (typeof PRECISIONS)[number];

/** What a gradient passes through on its way below a packed layer. */
export const BACKWARDS = ["exact", "quantised"] as const;
/** `exact`: the layer's weights as f32, made from the integers at each step. `quantised`: a packing of the transpose, in int8 arithmetic. */
export type Backward = (typeof BACKWARDS)[number];

/** Options of {@link packLinears}. */
export interface PrecisionOptions {
  /** Default: f32. */
  readonly precision?: Precision | undefined;
  /**
   * Weights of a row that share a scale; default: 128, torchao's. Matrices with a side that is shorter get the largest size
   * that is not longer, at least 32; a last block that is not full is padded. `"row"` (int8 only): one scale for a whole row, and one
   * for each row of what is multiplied: three to four times as fast where the processor has AMX, for many tokens at once; the error is
   * a third larger, and three times where single channels are much larger than others. See {@link blockForManyTokens}.
   */
  readonly blockSize?: PackedBlock | undefined;
  /** Default: exact, which packs nothing that only training needs. */
  readonly backward?: Backward | undefined;
  /** Where packed weights are kept, and who hears of progress. */
  readonly packing?: Omit<PackOptions, "unitWeights"> | undefined;
}

/** A packed layer in a graph. */
export type PackedProduct = NBitsMatrix | Int8Matrix | HalfMatrix;

/** A matrix `[n, k]` of f16. */
export interface HalfMatrix {
  readonly half: Tensor;
}

/** x W^T by integers, or in f16. */
export const matMulPacked = (x: Tensor, matrix: PackedProduct): Tensor =>
  "half" in matrix
    ? cast(matmul(cast(x, "f16"), matrix.half, { transB: true }), "f32")
    : "bits" in matrix
      ? matMulNBits(x, matrix)
      : matMulInt8(x, matrix);

/** Packed layers, and the tensors that programs need for them. */
export interface PackedLinears {
  /** By the path of the module. */
  readonly matrices: ReadonlyMap<string, PackedProduct>;
  readonly weights: ReadonlyMap<string, TensorSource>;
}

/** A matrix to pack; `bits` where it is not to be the precision's own. */
export interface LinearToPack {
  readonly path: string;
  readonly source: TensorSource;
  readonly bits?: 4 | 8;
  /** Where no `blockSize` is asked for. */
  readonly blockSize?: BlockSize;
}

const BITS = { int8: 8, int4: 4 } as const;
/** With 32 the rounding of 4 bits is a fifth smaller; prompts take a third longer, opening twice as long, memory a fifth more. */
const BLOCK: BlockSize = 128;

/** What to ask for where many tokens are multiplied at once (training, encoders): the fastest. */
export const blockForManyTokens = (precision: Precision | undefined): PackedBlock | undefined =>
  precision === "int8" ? "row" : precision === "int4" ? BLOCK : undefined;

function oneOf<T extends string | number>(key: string, value: T, accepted: readonly T[]): T {
  if (!accepted.includes(value))
    throw new EmosllmError("usage", `${key} '${String(value)}' is not one of ${accepted.join(", ")}`);
  return value;
}

/** What is to be packed of each layer. Throws EmosllmError `usage` for unknown options. */
function requestsFor(
  linears: readonly LinearToPack[],
  { precision = "f32", blockSize, backward = "exact" }: PrecisionOptions,
  unsigned: boolean,
): PackRequest[] {
  oneOf("precision", precision, PRECISIONS);
  oneOf("backward", backward, BACKWARDS);
  if (precision === "f32" || precision === "f16") return [];
  if (blockSize !== undefined)
    oneOf("blockSize", blockSize, precision === "int8" ? [...BLOCK_SIZES, "row"] : BLOCK_SIZES);
  const asked = blockSize === "row" ? undefined : blockSize;
  const transposed = backward === "quantised";
  return linears.map(({ path, source, bits = BITS[precision], blockSize: usual }): PackRequest => {
    if (blockSize === "row") return { name: path, sources: [source], bits, blockSize, transposed, unsigned };
    const longest = Math.min(asked ?? usual ?? BLOCK, ...source.shape);
    const size = BLOCK_SIZES.findLast((b) => b <= longest) ?? BLOCK_SIZES[0];
    return { name: path, sources: [source], bits, blockSize: size, transposed };
  });
}

/** Packs matrices, or finds them packed. Nothing for f32. Throws EmosllmError `usage` for unknown options, and what packing throws. */
export async function packLinears(linears: readonly LinearToPack[], options: PrecisionOptions): Promise<PackedLinears> {
  if (options.precision === "f16") {
    const halves = await halfTensors(
      linears.map((l) => l.source),
      options.packing,
    );
    return halfLinears(linears, (source) => halves.get(source.name) as TensorSource);
  }
  const requests = requestsFor(linears, options, options.blockSize === "row" && (await int8Overflows()));
  return requests.length === 0
    ? { matrices: new Map(), weights: new Map() }
    : linearsOver((await packWeights(requests, options.packing)).matrices);
}

/** What {@link packLinears} would give, as shapes: no file is read or written, and programs cannot find the weights. */
export function plannedLinears(linears: readonly LinearToPack[], options: PrecisionOptions): PackedLinears {
  if (options.precision === "f16")
    return halfLinears(linears, (s) => ({ ...s, dtype: "f16", length: 2 * s.shape.reduce((a, b) => a * b, 1) }));
  // Signed or not, they take the same memory.
  const matrices = requestsFor(linears, options, false).map(
    ({ name, sources, bits, blockSize, transposed }): PackedMatrix => {
      const [rows, columns] = (sources[0] as TensorSource).shape as readonly [number, number];
      const blocks = (n: number, k: number, suffix: string): PackedBlocks => {
        const [data, scales] =
          blockSize === "row"
            ? [[k, n], [n]]
            : [
                [n, Math.ceil(k / blockSize), (blockSize * bits) / 8],
                [n, Math.ceil(k / blockSize)],
              ];
        const planned = (part: string, dtype: "u8" | "i8" | "f32", shape: number[]): TensorSource => ({
          name: `${name}${suffix}.${part}`,
          file: "",
          offset: 0,
          dtype,
          shape,
          length: shape.reduce((a, b) => a * b, dtype === "f32" ? 4 : 1),
        });
        return {
          data: planned("packed", blockSize === "row" ? "i8" : "u8", data as number[]),
          scales: planned("scales", "f32", scales as number[]),
        };
      };
      return {
        name,
        rows,
        columns,
        bits,
        blockSize,
        ...blocks(rows, columns, ""),
        ...(transposed ? { transposed: blocks(columns, rows, ".transposed") } : {}),
      };
    },
  );
  return linearsOver(new Map(matrices.map((m) => [m.name, m])));
}

/** Matrices of f16 as tensors of a graph, under names of their own: the checkpoint's tensor may be looked up beside them. */
function halfLinears(linears: readonly LinearToPack[], half: (source: TensorSource) => TensorSource): PackedLinears {
  const weights = new Map<string, TensorSource>();
  const matrices = new Map(
    linears.map(({ path, source }): [string, HalfMatrix] => {
      const name = `${path}.half`;
      const found = half(source);
      weights.set(name, found);
      const [n = 1, ...rest] = found.shape;
      const matrix = weight(name, found.shape, "f16");
      return [path, { half: rest.length === 1 ? matrix : reshape(matrix, [n, rest.reduce((a, b) => a * b, 1)]) }];
    }),
  );
  return { matrices, weights };
}

/** Packed matrices as tensors of a graph. */
function linearsOver(packed: ReadonlyMap<string, PackedMatrix>): PackedLinears {
  const weights = new Map<string, TensorSource>();
  const blocks = ({ data, scales }: PackedBlocks): NBitsBlocks => {
    const tensor = (source: TensorSource): ReturnType<typeof weight> => {
      weights.set(source.name, source);
      return weight(source.name, source.shape, source.dtype as "u8" | "i8" | "f32");
    };
    return { data: tensor(data), scales: tensor(scales) };
  };
  const matrices = new Map(
    [...packed].map(([path, m]): [string, PackedProduct] => [
      path,
      {
        ...blocks(m),
        ...(m.blockSize === "row" ? {} : { bits: m.bits, blockSize: m.blockSize }),
        n: m.rows,
        k: m.columns,
        transposed: m.transposed && blocks(m.transposed),
      },
    ]),
  );
  return { matrices, weights };
}

/** The checkpoint's tensors and the packed ones: what `compile` is to find by name. */
export const withPacked = (tensors: TensorTable, { weights }: PackedLinears): TensorTable =>
  weights.size === 0 ? tensors : new Map([...tensors, ...weights]);
