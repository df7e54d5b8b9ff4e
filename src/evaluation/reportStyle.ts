/** The look of a report: a page of a paper, light or dark as its reader's system is, and on paper. */

export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --ink: #1c1c1e; --dim: #5c5c63; --ground: #fff; --line: #d4d4da; --accent: #1f5fa8; --tint: #f4f5f7;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e7ea; --dim: #a5a5ae; --ground: #17181b; --line: #3b3d44; --accent: #7cb2f2; --tint: #202227; }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 3rem 1.25rem 4rem; color: var(--ink); background: var(--ground);
  font: 1.0625rem/1.55 'Iowan Old Style', 'Palatino Linotype', Palatino, 'URW Palladio L', Georgia, serif;
}
main { max-width: 46rem; margin: 0 auto; }
h1 { margin: 0 0 .4rem; font-size: 1.9rem; font-weight: 600; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.4rem 0 .6rem; font-size: 1.25rem; font-weight: 600; }
h3 { margin: 1.6rem 0 .4rem; font-size: 1.0625rem; font-weight: 600; overflow-wrap: anywhere; }
h3 small { font-size: .9rem; font-weight: 400; color: var(--dim); }
p { margin: .6rem 0; }
.by, .note, figcaption, caption { color: var(--dim); font-size: .92rem; }
.by { margin: 0 0 1.6rem; overflow-wrap: anywhere; }
.abstract { padding: .9rem 1.2rem; background: var(--tint); border-left: 3px solid var(--accent); }
.abstract p:first-child { margin-top: 0; }
.abstract ul { margin: .4rem 0 0; padding-left: 1.2rem; }
figure { margin: 1.4rem 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption b, caption b { color: var(--ink); }
figure.maps { overflow-x: auto; }
figure.maps svg { width: auto; min-width: 38rem; max-width: 100%; border: 1px solid var(--line); }
.chart text { font: 13px 'Helvetica Neue', Helvetica, Arial, sans-serif; fill: var(--ink); }
.chart .tick { fill: var(--dim); font-size: 12px; }
.chart .value { font-variant-numeric: tabular-nums; }
.chart .grid { stroke: var(--line); }
.chart .chance { stroke: var(--dim); stroke-dasharray: 4 4; }
.chart .interval { stroke: var(--accent); stroke-width: 7; stroke-opacity: .38; }
.chart .mark { fill: var(--accent); }
.table { margin: 1.4rem 0; overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { padding-bottom: .5rem; text-align: left; }
thead { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); }
tbody { border-bottom: 1.5px solid var(--ink); }
th, td { padding: .22rem .55rem; font-weight: 400; text-align: right; white-space: nowrap; }
thead th { color: var(--dim); vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th:last-child, td:last-child { padding-right: 0; }
article { break-inside: avoid; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin: .5rem 0; font-size: .95rem; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
dl.facts { font-size: .85rem; font-family: 'Helvetica Neue', Helvetica, Arial, sans-serif; }
pre {
  margin: 0; font: .85rem/1.45 ui-monospace, 'SF Mono', Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
p + pre { padding: .7rem .9rem; background: var(--tint); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 34rem) { body { padding-top: 1.5rem; } h1 { font-size: 1.5rem; } dl { grid-template-columns: 1fr; } dt { margin-top: .3rem; } }
@media print {
  :root { --ink: #000; --dim: #444; --ground: #fff; --line: #ccc; --accent: #1f5fa8; --tint: #fff; }
  body { padding: 0; font-size: 10.5pt; }
  main { max-width: none; }
  .table { overflow: visible; }
  h2, h3 { break-after: avoid; }
  figure, table, article { break-inside: avoid; }
}
`;
