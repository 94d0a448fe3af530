/** @file What a README says is printed, compared with what is printed: words to the letter, numbers to the digits shown. */
import { readFileSync } from "node:fs";

/** The fenced blocks of a Markdown file, in order. */
export function fencedBlocks(file: string): { readonly language: string; readonly text: string }[] {
  const text = readFileSync(file, "utf8").replaceAll("\r\n", "\n");
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((m) => ({ language: m[1] ?? "", text: m[2] ?? "" }));
}

const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g;

/** Splits into what must be equal and what must be near. A number with d decimals shown may be off by two in the last one. */
export function differences(shown: string, printed: string): string[] {
  const [a, b] = [shown, printed].map((t) =>
    t
      .trim()
      .replace(/[ \t]+$/gm, "")
      .replaceAll("\r\n", "\n")
      .split("\n"),
  );
  const out: string[] = [];
  for (let i = 0; i < Math.max(a!.length, b!.length); i++) {
    const [x, y] = [a![i] ?? "", b![i] ?? ""];
    const words = x.replace(NUMBER, "#") === y.replace(NUMBER, "#");
    const [left, right] = [x.match(NUMBER) ?? [], y.match(NUMBER) ?? []];
    const numbers = left.every((n, k) => {
      const decimals = n.includes("e") ? Infinity : (n.split(".")[1]?.length ?? -1);
      // Whole numbers are counts.
      return n === right[k] || (decimals > 0 && Math.abs(Number(n) - Number(right[k])) <= 2.01 * 10 ** -decimals);
    });
    if (!words || !numbers) out.push(`line ${i + 1}\n  shown:   ${x}\n  printed: ${y}`);
  }
  return out;
}
