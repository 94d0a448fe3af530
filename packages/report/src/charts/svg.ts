/** @file Draws Observable Plot figures without a browser, as SVG text in one look. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Colours of Okabe and Ito (2008), told apart with every kind of colour vision and, by lightness, in grey print. */
export const COLORS = {
  blue: "#0072b2",
  orange: "#d55e00",
  sky: "#56b4e9",
  grey: "#767676",
  pale: "#b9c0c9",
  ink: "#1d2733",
} as const;

/** Width that all figures are drawn at; the page scales them to its column. */
export const WIDTH = 480;

/** A figure as SVG text, with a title that screen readers read. */
export function draw(label: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const figure = Plot.plot({
    width: WIDTH,
    style: { fontFamily: "inherit", fontSize: "13px", color: COLORS.ink, background: "none" },
    ariaLabel: label,
    ...options,
    document: document as never, // linkedom's, which has what Plot needs of a browser's
  });
  // The page's own style sheet sizes figures; Plot's would be repeated in each.
  figure.querySelector("style")?.remove();
  figure.setAttribute("role", "img");
  return figure.outerHTML;
}

/** Share as a percentage: `73 %`, or with more places `73.4 %`; the space does not break. */
export const percent = (share: number, places = 0): string => `${(100 * share).toFixed(places)}\u00a0%`;

/** Left margin, in units of the figure, that the longest of these names needs. */
export const marginFor = (names: readonly string[]): number =>
  Math.min(170, 16 + 7.4 * Math.max(3, ...names.map((name) => shorten(name).length)));

/** Names longer than this are cut in figures; tables have them whole. */
export const shorten = (name: string, length = 22): string =>
  name.length <= length ? name : `${name.slice(0, length - 1)}…`;
