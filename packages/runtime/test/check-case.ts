/** @file Runs a case of the fixture on a device, with the gradients together and alone, and says what differs from PyTorch. */
import { type Tensor, gradients, input, mul, sum, topologicalOrder } from "@emosllm/graph";
import { type CompileOptions, type HostTensor, compile } from "../src/index.ts";
import { fromHalf } from "../src/half.ts";
import { type OpCase, buildCase, fixture } from "./op-cases.ts";

/**
 * Whole numbers and booleans must be equal; floats within `TOLERANCE * (1 + |reference|)`. The largest error of all cases was
 * 4.2e-7 (silu, a polynomial in onnxruntime): 3.5 roundings of f32 (2^-23). Other processors' kernels get room for 17.
 */
export const TOLERANCE = 2e-6;
/**
 * The references of these round x to 8 bits as the kernel does, so only the order of f32 sums is left: 4.0e-6 was the largest error, since
 * each block's sum of integers (up to 2^15 * blockSize) is corrected by a second one of nearly its size. One integer off would show as 5e-3.
 */
const NBITS_TOLERANCE = 2e-5;
const F16_TOLERANCE = 2e-3; // 2 roundings of f16 (2^-10)

function difference(got: HostTensor, want: HostTensor, tolerance: number): string | undefined {
  if (got.dtype !== want.dtype || got.shape.join() !== want.shape.join())
    return `is ${got.dtype}[${got.shape.join()}], not ${want.dtype}[${want.shape.join()}]`;
  const [a, b] = [values(got), values(want)];
  const allowed = got.dtype === "f16" ? F16_TOLERANCE : got.dtype === "f32" ? tolerance : 0;
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    if (Object.is(x, y) || x === y) continue;
    const error = Math.abs(x - y) / (1 + Math.abs(y));
    if (!(error <= allowed)) return `[${i}] is ${x}, not ${y} (error ${error.toExponential(1)} > ${allowed})`;
  }
  return undefined;
}

function values({ dtype, data }: HostTensor): number[] {
  return Array.from(data as ArrayLike<number | bigint>, (v) => (dtype === "f16" ? fromHalf(Number(v)) : Number(v)));
}

/** What is wrong with a case; nothing when all is well. */
export async function check(
  c: OpCase,
  key: string,
  {
    tolerance = /^matMul(NBits|Int8)$/.test(c.op) ? NBITS_TOLERANCE : TOLERANCE,
    ...options
  }: CompileOptions & { readonly tolerance?: number } = {},
): Promise<string[]> {
  const { x, y } = buildCase(c, key);
  const outputs: Record<string, Tensor> = { y };
  const expected: Record<string, HostTensor> = { y: fixture(`${key}.y`) };
  const feeds = Object.fromEntries(c.inputs.map((_, i) => [`x${i}`, fixture(`${key}.x${i}`)]));
  if (c.grads.length > 0) {
    const loss = sum(mul(y, input("dy", y.shape, y.dtype)));
    const wrt = c.grads.map((i) => x[i]!);
    const all = gradients(loss, wrt, { allowUnused: true });
    c.grads.forEach((i, at) => {
      outputs[`g${i}`] = all[at]!;
      // Alone: nothing is shared with the gradients of the other inputs.
      outputs[`alone${i}`] = gradients(loss, [x[i]!], { allowUnused: true })[0]!;
      expected[`g${i}`] = expected[`alone${i}`] = fixture(`${key}.g${i}`);
    });
    feeds["dy"] = fixture(`${key}.dy`);
  }
  // Inputs that only say how large a name is must be part of the program.
  const used = new Set(topologicalOrder(Object.values(outputs)));
  x.forEach((t, i) => used.has(t) || (outputs[`size${i}`] = t));
  const usedNames = new Set(
    topologicalOrder(Object.values(outputs)).flatMap((t) =>
      t.op === "input" ? [(t.attrs as { name: string }).name] : [],
    ),
  );
  const program = await compile(outputs, {
    ...options,
    // Two, where a kernel that adds from several threads would lose some.
    threads: /scatter|gather|slice/i.test(c.op) ? 2 : 1,
    weights: (name) => fixture(name) as HostTensor & { data: ArrayBufferView },
  });
  try {
    const results = await program.run(
      Object.fromEntries(Object.entries(feeds).filter(([name]) => usedNames.has(name))),
    );
    return Object.entries(expected).flatMap(([name, want]) => {
      const problem = difference(results[name]!, want, tolerance);
      return problem ? [`${name} ${problem}`] : [];
    });
  } finally {
    await program.dispose();
  }
}
