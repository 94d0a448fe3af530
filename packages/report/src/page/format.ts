/** @file How numbers are written on the page. */
import { percent } from "../charts/svg.ts";
import type { Score } from "../summary.ts";
import { type Html, html } from "./html.ts";

/** With thousands separators. */
export const whole = (n: number): string => n.toLocaleString("en");
/** `3 rows`. */
export const plural = (n: number, noun: string): string => `${whole(n)} ${noun}${n === 1 ? "" : "s"}`;

/** How a number is written. */
export type Format = (value: number) => string;
/** `73.4 %`. */
export const asPercent: Format = (v) => percent(v, 1);
/** Three decimals. */
export const asNumber: Format = (v) => v.toFixed(3);

/** The estimate, or a dash. */
export const value = (score: Score | undefined, format: Format): string =>
  score?.estimate === undefined || score.estimate === null ? "–" : format(score.estimate);
/** The interval, or nothing. */
export const range = (score: Score | undefined, format: Format): string =>
  score?.low === undefined || score.low === null || score.high === null
    ? ""
    : `${format(score.low).replace("\u00a0%", "")} to ${format(score.high)}`;

/** Four decimals, never 0. */
export const pValue = (p: number): string => (p < 0.0001 ? "< 0.0001" : p.toFixed(4));

/** A name beside the colour that it has in a figure. */
export const key = (color: string, name: string): Html =>
  html`<span style="white-space:nowrap"><span class="key" style="background:${color}"></span>${name}</span>`;
