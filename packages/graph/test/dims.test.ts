/** @file Arithmetic on dimensions against whole-number arithmetic, for generated expressions. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Dim,
  dim,
  dimAdd,
  dimDivideExact,
  dimEvaluate,
  dimFloorDivide,
  dimMultiply,
  dimSubtract,
  dimTerms,
} from "../src/index.ts";

type Bindings = Readonly<Record<string, number>>;
/** A dimension, and the same expression computed on numbers. */
interface Both {
  readonly d: Dim;
  readonly value: (b: Bindings) => number;
}

const NAMES = ["rows", "a", "b2", "floor_x"] as const;
const leaf: fc.Arbitrary<Both> = fc.oneof(
  fc.nat(40).map((n) => ({ d: n, value: () => n })),
  fc.constantFrom(...NAMES).map((name) => ({ d: name, value: (b: Bindings) => b[name] as number })),
);
const expression = fc.letrec<{ any: Both }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc
      .tuple(tie("any"), tie("any"))
      .map(([p, q]) => ({ d: dimAdd(p.d, q.d), value: (b: Bindings) => p.value(b) + q.value(b) })),
    fc
      .tuple(tie("any"), tie("any"))
      .map(([p, q]) => ({ d: dimSubtract(p.d, q.d), value: (b: Bindings) => p.value(b) - q.value(b) })),
    fc
      .tuple(tie("any"), leaf)
      .map(([p, q]) => ({ d: dimMultiply(p.d, q.d), value: (b: Bindings) => p.value(b) * q.value(b) })),
    fc
      .tuple(tie("any"), fc.integer({ min: 1, max: 7 }))
      .map(([p, n]) => ({ d: dimFloorDivide(p.d, n), value: (b: Bindings) => Math.floor(p.value(b) / n) })),
  ),
})).any;
const bindings: fc.Arbitrary<Bindings> = fc.record({
  rows: fc.nat(30),
  a: fc.nat(30),
  b2: fc.nat(30),
  floor_x: fc.nat(30),
});
const check = (predicate: (...values: never[]) => void, ...arbitraries: fc.Arbitrary<unknown>[]): void =>
  fc.assert(
    fc.property(fc.tuple(...arbitraries), (values) => void predicate(...(values as never[]))),
    { numRuns: 500 },
  );

describe("dimensions", () => {
  test("have the value of the expression that made them", () => {
    check((e: Both, b: Bindings) => expect(dimEvaluate(e.d, b) - e.value(b)).toBe(0), expression, bindings);
  });

  test("read back from their own text are themselves", () => {
    check((e: Both) => {
      if (typeof e.d === "string") expect(dim(e.d)).toBe(e.d);
    }, expression);
  });

  test("keep the laws of addition and multiplication as equal texts", () => {
    check(
      (p: Both, q: Both, r: Both) => {
        expect(dimAdd(p.d, q.d)).toBe(dimAdd(q.d, p.d));
        expect(dimAdd(dimAdd(p.d, q.d), r.d)).toBe(dimAdd(p.d, dimAdd(q.d, r.d)));
        expect(dimMultiply(p.d, q.d)).toBe(dimMultiply(q.d, p.d));
        expect(dimMultiply(dimAdd(p.d, q.d), r.d)).toBe(dimAdd(dimMultiply(p.d, r.d), dimMultiply(q.d, r.d)));
        expect(dimSubtract(dimAdd(p.d, q.d), q.d)).toBe(p.d);
      },
      expression,
      expression,
      leaf,
    );
  });

  test("divide rounding down, and whole multiples leave the division", () => {
    const divisor = fc.integer({ min: 1, max: 9 });
    check(
      (p: Both, q: Both, n: number) => {
        const sum = dimAdd(dimMultiply(p.d, n), q.d);
        expect(dimFloorDivide(sum, n)).toBe(dimAdd(p.d, dimFloorDivide(q.d, n)));
      },
      expression,
      expression,
      divisor,
    );
    expect(() => dimFloorDivide("a", 0)).toThrow("whole number >= 1, not 0");
  });

  test("never divide a negative number when a program runs (integer division would round up there)", () => {
    check(
      (e: Both, b: Bindings) => {
        const visit = (d: Dim): void => {
          for (const { atoms } of dimTerms(d))
            for (const a of atoms)
              if (typeof a !== "string") {
                expect(dimEvaluate(a.floor, b)).toBeGreaterThanOrEqual(0);
                visit(a.floor);
              }
        };
        visit(e.d);
      },
      expression,
      bindings,
    );
  });

  test("divide exactly what was multiplied, and nothing else", () => {
    const term = fc
      .array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(...NAMES)), { minLength: 1, maxLength: 3 })
      .map((factors) => factors.reduce<Dim>(dimMultiply, 1));
    check((e: Both, t: Dim) => expect(dimDivideExact(dimMultiply(e.d, t), t)).toBe(e.d), expression, term);
    expect(dimDivideExact("a+1", "a")).toBeUndefined();
    expect(dimDivideExact("3*a", 2)).toBeUndefined();
    expect(dimDivideExact(7, 2)).toBeUndefined();
    expect(dimDivideExact(0, 0)).toBeUndefined();
  });

  test("are written in one way", () => {
    expect(
      ["4+rows", "rows*2*a", "2*a-a", "a-a", "floor((2*a+3)/2)", "floor(a/2)", "- a + 3"].map((d) => dim(d)),
    ).toEqual(["rows+4", "2*a*rows", "a", 0, "a+1", "floor((a)/2)", "-a+3"]);
  });

  test.each(["", "a b", "a+", "(a)", "a/2", "2.5", "floor(a/0x)", "a**b", "-", "ä"])("'%s' is none", (text) => {
    expect(() => dim(text)).toThrow(RangeError);
  });
  test.each([-1, 2.5, Number.NaN, Infinity])("%d is none", (n) => {
    expect(() => dim(n)).toThrow(`A dimension must be a whole number >= 0, not ${n}.`);
  });

  test("without a value for a name: an error that names it", () => {
    expect(() => dimEvaluate("a*rows", { a: 2 })).toThrow("No value for the dimension 'rows'.");
  });
});
