// How the report looks: by day and by night, on a wide screen and a phone. Contrast of text is at
// least 4.5 to 1 (WCAG 2.1, 1.4.3).
#pragma once

namespace tidewaiter::cli {

inline constexpr char kReportStyle[] = R"css(
:root{color-scheme:light dark;--page:#f6f7f8;--card:#fff;--text:#1b1f23;--soft:#57606a;--line:#d8dee4;
--admitted:#1f6feb;--denied:#c2410c;--good:#116329;--good-card:#dafbe1;--bad:#a40e26;--bad-card:#ffebe9;
--warn:#7d4e00;--warn-card:#fff3cd;--bar:#b6d0f7}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--text:#e6edf3;--soft:#9da7b3;
--line:#30363d;--admitted:#539bf5;--denied:#f0883e;--good:#7ee787;--good-card:#12261e;--bad:#ffa198;
--bad-card:#2d1315;--warn:#e3b341;--warn-card:#272115;--bar:#264a7a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"DejaVu Sans",sans-serif}
main{max-width:68rem;margin:0 auto;padding:1rem}
header{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:.25rem 1rem}
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.05rem;margin:0 0 .75rem}
p{margin:.25rem 0}
.soft{color:var(--soft);font-size:.875rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem;margin:1rem 0}
.good,.bad,.warn{border-left:.4rem solid}
.good{background:var(--good-card);border-color:var(--good)}.good strong{color:var(--good)}
.bad{background:var(--bad-card);border-color:var(--bad)}.bad strong{color:var(--bad)}
.warn{background:var(--warn-card);border-color:var(--warn)}.warn strong{color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(2,1fr);gap:.75rem;margin:1rem 0;padding:0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:.75rem}
.tiles dt{color:var(--soft);font-size:.8125rem}
.tiles dd{margin:0;font-size:1.5rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}
.tiles dd.alert{color:var(--bad)}
@media(min-width:40rem){.tiles{grid-template-columns:repeat(4,1fr)}}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:0 1rem}
svg{display:block;width:100%;height:11rem;border-bottom:1px solid var(--line)}
.axis{display:flex;justify-content:space-between;gap:.5rem}
.legend span{margin-right:1rem;white-space:nowrap}
.legend i{display:inline-block;width:.75rem;height:.75rem;border-radius:.15rem;margin-right:.35rem}
.admitted{fill:var(--admitted);background:var(--admitted)}
.denied{fill:var(--denied);background:var(--denied)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.4rem .25rem;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-size:.8125rem;font-weight:500}
tbody th{font-weight:400;overflow-wrap:anywhere}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;width:1%;padding-left:.75rem}
.share{height:.4rem;border-radius:.2rem;background:var(--bar);margin-top:.2rem;min-width:2px}
code{font:.875em ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--soft);margin-top:.75rem}
@media print{body{background:#fff}.card,.tiles div{break-inside:avoid}}
)css";

}  // namespace tidewaiter::cli
