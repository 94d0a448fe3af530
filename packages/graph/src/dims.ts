/**
 * @file Dimensions: whole numbers, names (`rows`), and arithmetic on them (`rows*tokens+4`), so that one graph serves every batch.
 * A dimension with names is kept as the canonical text of a polynomial, so equal dimensions are equal strings.
 */

/** A whole number, or the canonical text of an expression over named dimensions. */
export type Dim = number | string;

/** Monomial (names joined by `*`, sorted; `""` is the constant) to its coefficient. */
type Polynomial = Map<string, number>;

const cache = new Map<string, Polynomial>();

function parse(text: string): Polynomial {
  const known = cache.get(text);
  if (known) return known;
  let at = 0;
  const fail = (): never => {
    throw new RangeError(
      `Not a dimension: '${text}' (at ${at}). Names, whole numbers, + - * and floor(x/n) are accepted.`,
    );
  };
  const skip = (): void => {
    while (text[at] === " ") at++;
  };
  const expression = (): Polynomial => {
    let sum: Polynomial = new Map();
    let sign = 1;
    skip();
    if (text[at] === "-") {
      sign = -1;
      at++;
    }
    for (;;) {
      sum = addScaled(sum, product(), sign);
      skip();
      if (text[at] !== "+" && text[at] !== "-") return sum;
      sign = text[at++] === "+" ? 1 : -1;
    }
  };
  const product = (): Polynomial => {
    let value = factor();
    for (skip(); text[at] === "*"; skip()) {
      at++;
      value = multiply(value, factor());
    }
    return value;
  };
  const factor = (): Polynomial => {
    skip();
    const rest = text.slice(at);
    const number = /^\d+/.exec(rest);
    if (number) {
      at += number[0].length;
      return constant(Number(number[0]));
    }
    if (rest.startsWith("floor(")) {
      at += 6;
      const inner = text[at] === "(" ? (at++, expression()) : expression();
      if (text[at] === ")") at++;
      if (text[at] !== "/") fail();
      const divisor = /^\/(\d+)\)/.exec(text.slice(at)) ?? fail();
      at += divisor[0].length;
      return floorDivide(inner, Number(divisor[1]));
    }
    const name = /^[A-Za-z_][\w.]*/.exec(rest);
    if (!name) return fail();
    at += name[0].length;
    return new Map([[name[0], 1]]);
  };
  const value = expression();
  skip();
  if (at !== text.length) fail();
  cache.set(text, value);
  return value;
}

const constant = (n: number): Polynomial => (n === 0 ? new Map() : new Map([["", n]]));
const toPolynomial = (d: Dim): Polynomial => (typeof d === "number" ? constant(d) : parse(d));

function addScaled(a: Polynomial, b: Polynomial, scale: number): Polynomial {
  const sum = new Map(a);
  for (const [m, c] of b) {
    const next = (sum.get(m) ?? 0) + scale * c;
    if (next === 0) sum.delete(m);
    else sum.set(m, next);
  }
  return sum;
}

const factorsOf = (monomial: string): string[] => (monomial === "" ? [] : splitFactors(monomial));

/** Splits at `*` outside parentheses (an atom such as `floor((a*b)/2)` holds some of its own). */
function splitFactors(monomial: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < monomial.length; i++) {
    if (monomial[i] === "(") depth++;
    else if (monomial[i] === ")") depth--;
    else if (monomial[i] === "*" && depth === 0) {
      parts.push(monomial.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(monomial.slice(from));
  return parts;
}

function multiply(a: Polynomial, b: Polynomial): Polynomial {
  let sum: Polynomial = new Map();
  for (const [ma, ca] of a)
    for (const [mb, cb] of b) {
      const monomial = [...factorsOf(ma), ...factorsOf(mb)].sort().join("*");
      sum = addScaled(sum, new Map([[monomial, ca * cb]]), 1);
    }
  return sum;
}

function floorDivide(a: Polynomial, n: number): Polynomial {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`A dimension is divided by a whole number >= 1, not ${n}.`);
  // floor((n*q*x + r*x)/n) = q*x + floor(r*x/n): every coefficient left under the floor is in 1..n-1. So equal quotients are
  // equal texts, and what is divided at run time is never negative (integer division there cuts towards 0 instead of down).
  const whole: Polynomial = new Map();
  const rest: Polynomial = new Map();
  for (const [m, c] of a) {
    const q = Math.floor(c / n);
    if (q !== 0) whole.set(m, q);
    if (c !== q * n) rest.set(m, c - q * n);
  }
  if (rest.size === 0 || (rest.size === 1 && rest.has(""))) return whole;
  return addScaled(whole, new Map([[`floor((${print(rest)})/${n})`, 1]]), 1);
}

function print(p: Polynomial): string {
  const terms = [...p].sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  let text = "";
  for (const [m, c] of terms) {
    const size = Math.abs(c);
    const body = m === "" ? String(size) : size === 1 ? m : `${size}*${m}`;
    text += c < 0 ? `-${body}` : text === "" ? body : `+${body}`;
  }
  return text;
}

function toDim(p: Polynomial): Dim {
  if (p.size === 0) return 0;
  if (p.size === 1 && p.has("")) return p.get("") ?? 0;
  const text = print(p);
  if (!cache.has(text)) cache.set(text, p);
  return text;
}

/** The canonical form: `"4+rows"` and `"rows+4"` become the same string. Throws RangeError for text that is no dimension. */
export const dim = (d: Dim): Dim => {
  if (typeof d === "number") {
    if (!Number.isInteger(d) || d < 0) throw new RangeError(`A dimension must be a whole number >= 0, not ${d}.`);
    return d;
  }
  return toDim(parse(d));
};

/** a + b */
export const dimAdd = (a: Dim, b: Dim): Dim =>
  typeof a === "number" && typeof b === "number" ? a + b : toDim(addScaled(toPolynomial(a), toPolynomial(b), 1));

/** a - b */
export const dimSubtract = (a: Dim, b: Dim): Dim =>
  typeof a === "number" && typeof b === "number" ? a - b : toDim(addScaled(toPolynomial(a), toPolynomial(b), -1));

/** a * b */
export const dimMultiply = (a: Dim, b: Dim): Dim =>
  typeof a === "number" && typeof b === "number" ? a * b + 0 : toDim(multiply(toPolynomial(a), toPolynomial(b)));

/** floor(a / n) for a whole number n >= 1 */
export const dimFloorDivide = (a: Dim, n: number): Dim => toDim(floorDivide(toPolynomial(a), n));

/** The product of a shape: its number of elements. */
export const dimProduct = (shape: readonly Dim[]): Dim => shape.reduce<Dim>(dimMultiply, 1);

/** a / b when that is exact, else undefined. b must be a single term (a number, a name, a product). */
export function dimDivideExact(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === "number" && typeof b === "number") return b !== 0 && a % b === 0 ? a / b : undefined;
  const divisor = [...toPolynomial(b)];
  if (a === b) return 1;
  if (divisor.length !== 1) return undefined;
  const [monomial, coefficient] = divisor[0] as [string, number];
  const quotient: Polynomial = new Map();
  for (const [m, c] of toPolynomial(a)) {
    if (c % coefficient !== 0) return undefined;
    const left = factorsOf(m);
    for (const name of factorsOf(monomial)) {
      const i = left.indexOf(name);
      if (i < 0) return undefined;
      left.splice(i, 1);
    }
    quotient.set(left.join("*"), c / coefficient);
  }
  return toDim(quotient);
}

/** The value for given names. Throws RangeError for a name that `bindings` lacks. */
export function dimEvaluate(d: Dim, bindings: Readonly<Record<string, number>>): number {
  if (typeof d === "number") return d;
  let sum = 0;
  for (const [m, c] of parse(d)) sum += factorsOf(m).reduce((product, atom) => product * atomValue(atom, bindings), c);
  return sum;
}

function atomValue(atom: string, bindings: Readonly<Record<string, number>>): number {
  const floor = /^floor\(\((.*)\)\/(\d+)\)$/.exec(atom);
  if (floor) return Math.floor(dimEvaluate(floor[1] as string, bindings) / Number(floor[2]));
  const value = bindings[atom];
  if (value === undefined) throw new RangeError(`No value for the dimension '${atom}'.`);
  return value;
}

/** One term of a dimension: `coefficient * product(atoms)`; an atom is a name or `floor((x)/n)`. For lowering to arithmetic at run time. */
export interface DimTerm {
  readonly coefficient: number;
  readonly atoms: readonly (string | { readonly floor: Dim; readonly divisor: number })[];
}

/** The terms whose sum is the dimension. */
export function dimTerms(d: Dim): DimTerm[] {
  return [...toPolynomial(d)].map(([m, coefficient]) => ({
    coefficient,
    atoms: factorsOf(m).map((atom) => {
      const floor = /^floor\(\((.*)\)\/(\d+)\)$/.exec(atom);
      return floor ? { floor: floor[1] as string, divisor: Number(floor[2]) } : atom;
    }),
  }));
}
