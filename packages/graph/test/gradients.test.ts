/** @file What `gradients` builds, as text, and what it does not build. */
import { describe, expect, test } from "vitest";
import {
  add,
  cast,
  gradients,
  input,
  matmul,
  mean,
  mul,
  print,
  relu,
  reshape,
  rotary,
  softmax,
  softmaxCrossEntropy,
  sum,
  topologicalOrder,
  transpose,
  weight,
  type Tensor,
} from "../src/index.ts";

/** Everything that `outputs` need. */
const needed = (...outputs: Tensor[]): Set<Tensor> => new Set(topologicalOrder(outputs));

describe("printed forward and backward", () => {
  test("a linear layer and softmax cross entropy", () => {
    const x = input("x", ["rows", 3]);
    const w = input("w", [4, 3]);
    const b = input("b", [4]);
    const logits = add(matmul(x, w, { transB: true }), b);
    const loss = mean(softmaxCrossEntropy(logits, input("target", ["rows"], "i64")));
    const [dw, db] = gradients(loss, [w, b]);
    expect(print({ loss, dw: dw!, db: db! })).toMatchInlineSnapshot(`
      "%0 = input name=x : f32[rows,3]
      %1 = input name=w : f32[4,3]
      %2 = matmul %0 %1 transA=false transB=true alpha=1 : f32[rows,4]
      %3 = input name=b : f32[4]
      %4 = add %2 %3 : f32[rows,4]
      %5 = input name=target : i64[rows]
      %6 = softmaxCrossEntropy %4 %5 ignoreIndex=-100 : f32[rows]
      %7 = mean %6 axes=[0] keepDims=false : f32[]
      %8 = constant data=[1] : f32[]
      %9 = size dim=rows : i64[]
      %10 = cast %9 to=f32 : f32[]
      %11 = div %8 %10 : f32[]
      %12 = reshape %11 shape=[1] : f32[1]
      %13 = expand %12 shape=[rows] : f32[rows]
      %14 = softmaxCrossEntropyGrad %4 %5 %13 ignoreIndex=-100 : f32[rows,4]
      %15 = matmul %14 %0 transA=true transB=false alpha=1 : f32[4,3]
      %16 = sum %14 axes=[0] keepDims=false : f32[4]
      out loss = %7
      out dw = %15
      out db = %16"
    `);
  });

  test("one attention head", () => {
    const x = input("x", ["tokens", 8]);
    const angle = (name: string): Tensor => input(name, ["tokens", 2]);
    const project = (name: string): Tensor => matmul(x, input(name, [4, 8]), { transB: true });
    const turn = (t: Tensor): Tensor => rotary(t, angle("cos"), angle("sin"), { heads: 1 });
    const scores = matmul(turn(project("q")), turn(project("k")), { transB: true, alpha: 0.5 });
    const y = matmul(softmax(add(scores, input("mask", ["tokens", "tokens"]))), project("v"));
    const [dx] = gradients(sum(y), [x]);
    expect(print({ dx: dx! })).toMatchInlineSnapshot(`
      "%0 = input name=x : f32[tokens,8]
      %1 = input name=q : f32[4,8]
      %2 = matmul %0 %1 transA=false transB=true alpha=1 : f32[tokens,4]
      %3 = input name=cos : f32[tokens,2]
      %4 = input name=sin : f32[tokens,2]
      %5 = rotary %2 %3 %4 heads=1 inverse=false : f32[tokens,4]
      %6 = input name=k : f32[4,8]
      %7 = matmul %0 %6 transA=false transB=true alpha=1 : f32[tokens,4]
      %8 = input name=cos : f32[tokens,2]
      %9 = input name=sin : f32[tokens,2]
      %10 = rotary %7 %8 %9 heads=1 inverse=false : f32[tokens,4]
      %11 = matmul %5 %10 transA=false transB=true alpha=0.5 : f32[tokens,tokens]
      %12 = input name=mask : f32[tokens,tokens]
      %13 = add %11 %12 : f32[tokens,tokens]
      %14 = softmax %13 axis=1 : f32[tokens,tokens]
      %15 = constant data=[1] : f32[]
      %16 = reshape %15 shape=[1,1] : f32[1,1]
      %17 = expand %16 shape=[tokens,4] : f32[tokens,4]
      %18 = matmul %14 %17 transA=true transB=false alpha=1 : f32[tokens,4]
      %19 = input name=v : f32[4,8]
      %20 = matmul %18 %19 transA=false transB=false alpha=1 : f32[tokens,8]
      %21 = matmul %0 %19 transA=false transB=true alpha=1 : f32[tokens,4]
      %22 = matmul %17 %21 transA=false transB=true alpha=1 : f32[tokens,tokens]
      %23 = softmaxGrad %22 %14 axis=1 : f32[tokens,tokens]
      %24 = matmul %23 %5 transA=true transB=false alpha=0.5 : f32[tokens,4]
      %25 = rotary %24 %8 %9 heads=1 inverse=true : f32[tokens,4]
      %26 = matmul %25 %6 transA=false transB=false alpha=1 : f32[tokens,8]
      %27 = add %20 %26 : f32[tokens,8]
      %28 = matmul %23 %10 transA=false transB=false alpha=0.5 : f32[tokens,4]
      %29 = rotary %28 %3 %4 heads=1 inverse=true : f32[tokens,4]
      %30 = matmul %29 %1 transA=false transB=false alpha=1 : f32[tokens,8]
      %31 = add %27 %30 : f32[tokens,8]
      out dx = %31"
    `);
  });

  test("LoRA on a frozen weight: nothing for the weight, nothing below the lowest trained tensor", () => {
    const below = relu(matmul(input("x", ["tokens", 8]), weight("lower", [8, 8]), { transB: true }));
    const frozen = weight("base", [6, 8]);
    const a = input("a", [2, 8]);
    const b = input("b", [6, 2]);
    const y = add(
      matmul(below, frozen, { transB: true }),
      mul(matmul(matmul(below, a, { transB: true }), b, { transB: true }), 2),
    );
    const loss = sum(mul(y, y));
    const [da, db] = gradients(loss, [a, b]);
    expect(print({ da: da!, db: db! })).toMatchInlineSnapshot(`
      "%0 = constant data=[1] : f32[]
      %1 = reshape %0 shape=[1,1] : f32[1,1]
      %2 = expand %1 shape=[tokens,6] : f32[tokens,6]
      %3 = input name=x : f32[tokens,8]
      %4 = weight name=lower : f32[8,8]
      %5 = matmul %3 %4 transA=false transB=true alpha=1 : f32[tokens,8]
      %6 = relu %5 : f32[tokens,8]
      %7 = weight name=base : f32[6,8]
      %8 = matmul %6 %7 transA=false transB=true alpha=1 : f32[tokens,6]
      %9 = input name=a : f32[2,8]
      %10 = matmul %6 %9 transA=false transB=true alpha=1 : f32[tokens,2]
      %11 = input name=b : f32[6,2]
      %12 = matmul %10 %11 transA=false transB=true alpha=1 : f32[tokens,6]
      %13 = constant data=[2] : f32[]
      %14 = mul %12 %13 : f32[tokens,6]
      %15 = add %8 %14 : f32[tokens,6]
      %16 = mul %2 %15 : f32[tokens,6]
      %17 = mul %2 %15 : f32[tokens,6]
      %18 = add %16 %17 : f32[tokens,6]
      %19 = mul %18 %13 : f32[tokens,6]
      %20 = matmul %19 %11 transA=false transB=false alpha=1 : f32[tokens,2]
      %21 = matmul %20 %6 transA=true transB=false alpha=1 : f32[2,8]
      %22 = matmul %19 %10 transA=true transB=false alpha=1 : f32[6,2]
      out da = %21
      out db = %22"
    `);

    const forward = needed(loss);
    const backward = [...needed(da!, db!)].filter((t) => !forward.has(t));
    const touched = (t: Tensor): boolean => backward.some((n) => n.inputs.includes(t));
    expect([touched(frozen), touched(weightOf(below)), touched(below.inputs[0]!)]).toEqual([false, false, false]);
    // Three products: d(up) for b, d(up) for a, and a's own. A gradient of `below` or of the weight would be a fourth.
    expect(backward.filter((t) => t.op === "matmul").length).toBe(3);
  });
});

const weightOf = (t: Tensor): Tensor => (t.inputs[0] as Tensor).inputs[1] as Tensor;

describe("gradients", () => {
  const x = input("x", ["rows", 3]);

  test("a trained tensor in the middle: nothing is built below it", () => {
    const lower = input("lower", [3, 3]);
    const middle = matmul(x, lower);
    const loss = sum(mul(middle, middle));
    const [d] = gradients(loss, [middle]);
    expect(print({ d: d! })).not.toContain("transB=true");
    expect(needed(d!).size).toBeLessThan(needed(gradients(loss, [lower])[0]!).size);
  });

  test("the same tensor twice, and through several ways, adds up", () => {
    const y = sum(add(mul(x, x), reshape(transpose(transpose(x)), ["rows", 3])));
    const [a, b] = gradients(y, [x, x]);
    expect(a).toBe(b);
    expect(a?.shape).toEqual(["rows", 3]);
  });

  test("a loss that is no scalar, a tensor it does not depend on", () => {
    expect(() => gradients(x, [x])).toThrow("gradients: the loss must be a scalar, not f32[rows,3]");
    const other = weight("other", [2]);
    expect(() => gradients(sum(x), [other])).toThrow("the loss does not depend on weight 'other' f32[2]");
    expect(gradients(sum(x), [other], { allowUnused: true })[0]?.shape).toEqual([2]);
  });

  test("whole numbers carry no gradient", () => {
    const throughWhole = sum(mul(cast(cast(x, "i64"), "f32"), x));
    expect(print({ d: gradients(throughWhole, [x])[0]! })).toMatchInlineSnapshot(`
      "%0 = constant data=[1] : f32[]
      %1 = reshape %0 shape=[1,1] : f32[1,1]
      %2 = expand %1 shape=[rows,3] : f32[rows,3]
      %3 = input name=x : f32[rows,3]
      %4 = cast %3 to=i64 : i64[rows,3]
      %5 = cast %4 to=f32 : f32[rows,3]
      %6 = mul %2 %5 : f32[rows,3]
      out d = %6"
    `);
    expect(() => gradients(sum(cast(cast(x, "i64"), "f32")), [x])).toThrow("does not depend on input 'x'");
  });

  test("second derivatives of fused pairs are refused by name", () => {
    const w = input("w", [3]);
    const first = gradients(sum(mul(softmax(mul(x, w)), x)), [w])[0]!;
    expect(() => gradients(sum(first), [w])).toThrow("softmaxGrad: second derivatives are not supported");
  });

  test("ten thousand layers deep", () => {
    let y: Tensor = x;
    for (let i = 0; i < 10_000; i++) y = mul(add(y, 1), 0.5);
    expect(gradients(sum(y), [x])[0]?.shape).toEqual(["rows", 3]);
  });
});
