#include "core/train/report_style.h"

namespace plumb {

// System fonts and no scripts: the page is one file that opens anywhere, also from a mail.
const char* report_style() {
  return R"css(
:root {
  color-scheme: light dark;
  --page: #fafaf8; --card: #ffffff; --ink: #1c1e21; --soft: #62676f; --line: #e4e4df;
  --grid: #ecece8; --wash: #f3f3ef; --hover: #1c1e210d; --good: #0b6e4f; --bad: #a8352a;
  --series-1: #2459c4; --series-2: #c2600c; --series-3: #0f8577; --series-4: #9a3fa0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131518; --card: #1b1e22; --ink: #e6e7e9; --soft: #989ea8; --line: #2c3036;
    --grid: #282c31; --wash: #22262b; --hover: #ffffff12; --good: #5cc9a0; --bad: #ee8d82;
    --series-1: #82aaff; --series-2: #f0a35e; --series-3: #5ccfbe; --series-4: #d794dd;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
main { max-width: 1160px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; letter-spacing: -0.01em; margin: 0; }
h2 { font-size: 20px; letter-spacing: -0.01em; margin: 0 0 14px; }
h3 { font-size: 13px; font-weight: 600; color: var(--soft); margin: 28px 0 10px; }
nav { display: flex; flex-wrap: wrap; gap: 6px 18px; margin-top: 10px; }
a { color: var(--series-1); text-decoration: none; }
a:hover { text-decoration: underline; }
section { border-top: 1px solid var(--line); margin-top: 36px; padding-top: 28px; }
.soft { color: var(--soft); }

.facts { display: flex; flex-wrap: wrap; gap: 10px 36px; margin: 0 0 20px; }
.facts div { min-width: 84px; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; font-size: 21px; line-height: 1.3; font-weight: 600; }
.facts dd small { font-size: 14px; font-weight: 400; color: var(--soft); }

.charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); }
.chart {
  margin: 0; padding: 12px 12px 8px; background: var(--card); max-width: 560px;
  border: 1px solid var(--line); border-radius: 8px; min-width: 0;
}
.chart figcaption { display: flex; align-items: baseline; gap: 12px; font-size: 14px; }
.chart .latest { margin-left: auto; color: var(--soft); }
.chart svg { display: block; width: 100%; height: auto; margin-top: 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 12.5px; color: var(--soft); }
.key::before {
  content: ""; display: inline-block; width: 12px; height: 3px; border-radius: 2px;
  margin-right: 5px; vertical-align: middle; background: var(--colour);
}
.s1 { --colour: var(--series-1); } .s2 { --colour: var(--series-2); }
.s3 { --colour: var(--series-3); } .s4 { --colour: var(--series-4); }
.grid { stroke: var(--grid); } .axis { stroke: var(--line); }
.tick { fill: var(--soft); font-size: 11px; }
.line { fill: none; stroke: var(--colour); stroke-width: 1.8; stroke-linejoin: round; }
.line.raw { stroke-width: 1; opacity: 0.32; }
.dot { fill: var(--colour); }
.hover { fill: transparent; } .hover:hover { fill: var(--hover); }

.sample { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  margin-bottom: 12px; overflow: hidden; }
.prompt { padding: 9px 14px; background: var(--wash); border-bottom: 1px solid var(--line); }
.answers { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); }
.answer { padding: 10px 14px 12px; min-width: 0; }
.answer + .answer { border-left: 1px solid var(--line); }
.answer header { display: flex; justify-content: space-between; gap: 10px; font-size: 12.5px;
  color: var(--soft); margin-bottom: 3px; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.empty { color: var(--soft); font-style: italic; }
.up { color: var(--good); } .down { color: var(--bad); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { text-align: left; padding: 5px 22px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
td { overflow-wrap: break-word; min-width: 120px; max-width: 480px; }
td.number, th.number { text-align: right; white-space: nowrap; min-width: 0; }
details { margin-top: 22px; }
summary { cursor: pointer; color: var(--soft); font-size: 13px; font-weight: 600; }
summary:hover { color: var(--ink); }
details[open] > summary { margin-bottom: 12px; }
pre {
  margin: 0; padding: 14px 16px; overflow-x: auto; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px;
  font: 13px/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }

@media (max-width: 720px) {
  main { padding: 20px 14px 40px; }
  h1 { font-size: 22px; }
  .charts { grid-template-columns: minmax(0, 1fr); gap: 12px; }
  .facts { gap: 10px 24px; }
  .facts dd { font-size: 18px; }
  .answers { grid-auto-flow: row; }
  .answer + .answer { border-left: 0; border-top: 1px solid var(--line); }
}
@media print { details { display: none; } .chart, .sample { break-inside: avoid; } }
)css";
}

}  // namespace plumb
