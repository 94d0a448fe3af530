/** @file The timeline as a figure: rows of equal length, in each stretch of speech the shares of the emotions one above the other. */
import type { TimelineSegment } from "@emosllm/model";

/** Okabe and Ito's colours, told apart by people of any colour vision. */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#7f7f7f", "#332288"];
const [LEFT, WIDTH, RIGHT, TOP, LANE, GAP] = [64, 1000, 16, 64, 46, 22] as const;
/** Lengths of a row in seconds; the first that needs no more than {@link MOST_ROWS} rows is taken. */
const ROW_SECONDS = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const MOST_ROWS = 20;

/** One recording's segments. */
export interface FigureData {
  readonly title: string;
  readonly labels: readonly string[];
  readonly segments: readonly TimelineSegment[];
  /** Length of the recording in seconds. */
  readonly duration: number;
}

const escape = (text: string): string =>
  text.replaceAll(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] as string);

/** `1:02:03`, or `2:03` under an hour. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** An SVG document that needs nothing else. */
export function timelineSvg({ title, labels, segments, duration }: FigureData): string {
  const length = Math.max(duration, segments.at(-1)?.end ?? 0, 1);
  const row = ROW_SECONDS.find((s) => length / s <= MOST_ROWS) ?? Math.ceil(length / MOST_ROWS / 3600) * 3600;
  const rows = Math.ceil(length / row - 1e-9);
  const height = TOP + rows * (LANE + GAP) + 14;
  const colour = (k: number): string => COLOURS[k % COLOURS.length] as string;
  const parts: string[] = [];
  let x = LEFT;
  for (const [k, label] of labels.entries()) {
    parts.push(
      `<rect x="${x}" y="34" width="12" height="12" rx="2" fill="${colour(k)}"/><text x="${x + 17}" y="44">${escape(label)}</text>`,
    );
    x += 38 + 7.2 * label.length;
  }
  for (let r = 0; r < rows; r++) {
    const y = TOP + r * (LANE + GAP);
    const width = (WIDTH * Math.min(row, length - r * row)) / row;
    parts.push(
      `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${LANE}" fill="#f3f4f6"/>`,
      `<text x="${LEFT - 8}" y="${y + LANE / 2 + 4}" text-anchor="end" class="t">${clock(r * row)}</text>`,
    );
    for (let tick = 1; tick < 10; tick++)
      parts.push(
        tickAt(LEFT + (tick * WIDTH) / 10, y, r * row + (tick * row) / 10, (tick * row) / 10 + r * row < length),
      );
  }
  for (const segment of segments)
    for (let r = Math.floor(segment.start / row); r < rows && r * row < segment.end; r++)
      parts.push(bars(segment, r, row, labels, colour));
  const total = LEFT + WIDTH + RIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total} ${height}" width="${total}" height="${height}" role="img" aria-label="${escape(title)}: emotions over time">
<style>text{font:12px system-ui,sans-serif;fill:#1d2733}.h{font-size:15px;font-weight:600}.t{font-size:11px;fill:#5b6673}</style>
<rect width="100%" height="100%" fill="white"/>
<text x="${LEFT}" y="20" class="h">${escape(title)}</text>
${parts.filter((p) => p !== "").join("\n")}
</svg>
`;
}

const tickAt = (x: number, y: number, time: number, shown: boolean): string =>
  shown
    ? `<line x1="${x}" x2="${x}" y1="${y + LANE}" y2="${y + LANE + 4}" stroke="#9aa4af"/><text x="${x}" y="${y + LANE + 14}" text-anchor="middle" class="t">${clock(time)}</text>`
    : "";

/** The part of a segment that lies in row `r`: its shares from the bottom up in the labels' order, the best one's colour as a line on top. */
function bars(
  { start, end, label, probabilities }: TimelineSegment,
  r: number,
  row: number,
  labels: readonly string[],
  colour: (k: number) => string,
): string {
  const from = LEFT + (WIDTH * Math.max(0, start - r * row)) / row;
  const to = LEFT + (WIDTH * Math.min(row, end - r * row)) / row;
  const width = Math.max(0.5, to - from);
  const top = TOP + r * (LANE + GAP);
  const place = `x="${from.toFixed(2)}" width="${width.toFixed(2)}"`;
  let y = top + LANE;
  const stack = labels.map((name, k) => {
    const height = (LANE - 6) * (probabilities[name] ?? 0);
    y -= height;
    return height < 0.2
      ? ""
      : `<rect ${place} y="${y.toFixed(2)}" height="${height.toFixed(2)}" fill="${colour(k)}" fill-opacity="0.75"/>`;
  });
  const shares = labels.map((name) => `${name} ${(100 * (probabilities[name] ?? 0)).toFixed(0)} %`).join(", ");
  const tip = `${clock(start)} to ${clock(end)}: ${label ?? "no clear emotion"} (${shares})`;
  const best = label === null ? "#1d2733" : colour(labels.indexOf(label));
  return `<g><title>${escape(tip)}</title>${stack.join("")}<rect ${place} y="${top}" height="5" fill="${best}"/></g>`;
}

/** A page of its own: the figures, and the segments as a table. No script, no request. */
export function timelineHtml(figures: readonly FigureData[]): string {
  const body = figures.map(({ title, labels, segments, ...rest }) => {
    const rows = segments.map(
      ({ start, end, label, probabilities }) =>
        `<tr><td>${clock(start)}</td><td>${clock(end)}</td><td>${(end - start).toFixed(1)}</td><td>${escape(label ?? "–")}</td>${labels.map((l) => `<td>${(100 * (probabilities[l] ?? 0)).toFixed(0)}</td>`).join("")}</tr>`,
    );
    const heads = ["start", "end", "seconds", "emotion", ...labels.map((l) => `${l} %`)];
    return `<section>${timelineSvg({ title, labels, segments, ...rest })}
<details${segments.length <= 60 ? " open" : ""}><summary>${segments.length} segments</summary>
<table><thead><tr>${heads.map((h) => `<th>${escape(h)}</th>`).join("")}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table></details></section>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Emotions over time</title>
<style>body{font:14px system-ui,sans-serif;color:#1d2733;margin:24px auto;max-width:1100px;padding:0 12px}svg{width:100%;height:auto}table{border-collapse:collapse;margin-top:8px}td,th{padding:3px 10px;border-bottom:1px solid #e3e7eb;text-align:right;font-variant-numeric:tabular-nums}td:nth-child(4),th:nth-child(4){text-align:left}summary{cursor:pointer;margin-top:8px}</style>
</head><body>
${body.join("\n")}
</body></html>
`;
}
