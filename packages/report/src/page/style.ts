/** @file The page's style sheet: one column on a phone, two on a desk, ink on paper. */
export const STYLE = `
:root { color-scheme: light; --ink: #1d2733; --soft: #566272; --line: #dfe4ea; --paper: #fff; --wash: #f6f8fa; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 56px; }
header h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
header p { margin: 0; color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; margin: 24px 0 12px; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.card b { display: block; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; letter-spacing: -0.02em; }
.card .name { color: var(--ink); font-weight: 600; }
.card .range { color: var(--soft); font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.card.first { border-color: var(--blue); box-shadow: inset 0 3px 0 var(--blue); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; margin-top: 16px; align-items: start; grid-auto-flow: dense; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 18px 18px 14px; min-width: 0; }
.trio { grid-column: 1 / -1; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 310px), 1fr)); gap: 16px; align-items: start; }
.trio:empty { display: none; }
section.wide { grid-column: 1 / -1; }
h2 { font-size: 1.1rem; margin: 0 0 2px; }
h3 { font-size: 0.95rem; margin: 18px 0 2px; }
section > p { margin: 0 0 10px; color: var(--soft); font-size: 0.92rem; }
section svg { display: block; width: 100%; height: auto; max-width: 620px; margin: 0 auto; overflow: visible; }
svg text { white-space: pre; }
.key { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px; margin-right: 0.25em; vertical-align: -0.05em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--ink); padding: 4px 10px 4px 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: 5px 10px 5px 0; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
td .range { color: var(--soft); font-size: 0.85em; }
.slices { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 8px 28px; }
.slices .legend { margin: 0 0 6px; color: var(--soft); font-size: 0.92rem; }
.slices svg { max-width: 500px; margin: 0; }
ol.hard { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 12px; }
ol.hard li { border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; min-width: 0; display: flex; flex-direction: column; gap: 4px; break-inside: avoid; }
.hard .id { font-size: 0.8rem; color: var(--soft); overflow-wrap: anywhere; }
.hard q { overflow-wrap: anywhere; }
.hard .verdict b.truth { color: var(--blue); }
.hard .verdict b.answer { color: #b34e00; }
audio { width: 100%; height: 34px; margin-top: auto; }
footer { margin-top: 24px; color: var(--soft); font-size: 0.85rem; }
@media (max-width: 560px) { .spare { display: none; } table { font-size: 0.8rem; } td, th { padding-right: 6px; } td.n .range { white-space: normal; } main { padding: 18px 12px 40px; } section { padding: 14px 12px 10px; } .cards { grid-template-columns: 1fr 1fr; gap: 8px; } .card b { font-size: 1.45rem; } header h1 { font-size: 1.35rem; } }
@media print {
  @page { margin: 14mm; }
  body { background: none; font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  section, .card { break-inside: avoid; box-shadow: none; }
  section.long { break-inside: auto; }
  h2, h3, section > p { break-after: avoid; }
  .slices { display: block; }
  .slices > div { display: inline-block; width: 48.5%; margin-right: 0.7%; vertical-align: top; break-inside: avoid; }
  ol.hard { display: block; orphans: 1; widows: 1; }
  ol.hard li { display: inline-block; width: 48.5%; margin: 0 0.7% 6px 0; vertical-align: top; }
  .hard span, .hard q { display: block; }
  .grid, .trio { display: block; margin: 0; orphans: 1; widows: 1; }
  section { display: inline-block; width: 48.5%; vertical-align: top; margin: 8px 0 0; padding: 12px; }
  section:not(.wide) { margin-right: 0.7%; }
  section.wide { width: 100%; }
  section.long { display: block; }
  .scroll { overflow: visible; }
  table { font-size: 0.8rem; }
  td, th { padding-right: 5px; }
  .cards { grid-template-columns: repeat(5, 1fr); gap: 6px; margin: 14px 0 6px; }
  .card { padding: 6px 8px; }
  .card b { font-size: 1.2rem; }
  .card .name { font-size: 0.85rem; }
  audio { display: none; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
`;
