/** @file The keys of a projector's config: default, what is accepted, and a message that names what is wrong. */
import { EmosllmError } from "@emosllm/interfaces";
import type { ProjectorSizes } from "./config.ts";

/** What a value must be, and how to say so. */
export interface Accepted {
  readonly check: (value: unknown) => boolean;
  readonly text: string;
}

/** Default and accepted values of a kind's own keys. */
export type Fields<C> = { readonly [K in Exclude<keyof C, keyof ProjectorSizes | "type">]: readonly [C[K], Accepted] };

const isWhole = (v: unknown, least: number): boolean => Number.isSafeInteger(v) && (v as number) >= least;

export const COUNT: Accepted = { check: (v) => isWhole(v, 1), text: "a whole number >= 1" };
export const COUNT_OR_NULL: Accepted = {
  check: (v) => v === null || isWhole(v, 1),
  text: "a whole number >= 1, or null",
};
export const ODD: Accepted = {
  check: (v) => isWhole(v, 1) && (v as number) % 2 === 1,
  text: "an odd whole number >= 1",
};
export const POSITIVE: Accepted = { check: (v) => Number.isFinite(v) && (v as number) > 0, text: "a number > 0" };
export const oneOf = (...values: readonly string[]): Accepted => ({
  check: (v) => values.includes(v as string),
  text: values.map((v) => `'${v}'`).join(" or "),
});

/** Throws EmosllmError `config_invalid`. */
export function refuseConfig(message: string): never {
  throw new EmosllmError("config_invalid", `projector: ${message}`);
}
