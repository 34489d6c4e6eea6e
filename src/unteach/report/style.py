"""Style sheet of report.html: light and dark, for phone, desktop and print."""

LIGHT = {
    "page": "#f6f7f9",
    "card": "#ffffff",
    "text": "#1c2430",
    "soft": "#566070",
    "line": "#d9dee5",
    "link": "#0b5cad",
    "wrong": "#a3260a",
    "fine": "#1a6b3c",
    "unknown": "#7a4d00",
    "original": "#c24e00",
    "retrained": "#0067ad",
    "other": "#00795a",
    "band": "#0067ad2e",
}
DARK = {
    "page": "#12161c",
    "card": "#1b212a",
    "text": "#e8ecf1",
    "soft": "#a7b1bf",
    "line": "#38414e",
    "link": "#7db8f5",
    "wrong": "#ff9b80",
    "fine": "#74d39b",
    "unknown": "#f0bd62",
    "original": "#ff9152",
    "retrained": "#66b3f0",
    "other": "#3fcfa5",
    "band": "#66b3f040",
}
RULES = """\
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;color-scheme:light dark}
body{margin:0;background:var(--page);color:var(--text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:66rem;margin:0 auto;padding:1.25rem 1rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:.1rem 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;line-height:1.3;margin:0 0 .6rem}
h3{font-size:.95rem;margin:1.1rem 0 .4rem;color:var(--soft)}
p,li{max-width:46rem;overflow-wrap:anywhere}
p{margin:.5rem 0}
ul{padding-left:1.2rem;margin:.5rem 0}
a{color:var(--link)}
.kind{margin:0;color:var(--soft);font-weight:600}
.soft,figcaption .soft{color:var(--soft);font-size:.88rem}
section,main>details{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:1rem 1.1rem;margin:0 0 1rem}
.verdict{border-left:6px solid var(--soft)}
.verdict .said{font-size:1.2rem;line-height:1.4;font-weight:650;margin:0}
.wrong{border-left-color:var(--wrong)}.wrong .said{color:var(--wrong)}
.fine{border-left-color:var(--fine)}.fine .said{color:var(--fine)}
.unknown{border-left-color:var(--unknown)}.unknown .said{color:var(--unknown)}
details>summary{cursor:pointer}
main>details>summary{margin:-1rem -1.1rem;padding:.8rem 1.1rem}
main>details>summary h2{display:inline;margin:0;font-size:1.05rem}
main>details[open]>summary{margin-bottom:.4rem}
details details{margin:.8rem 0}
details details>summary{font-weight:600}
summary:focus-visible,.scroll:focus-visible,a:focus-visible{outline:3px solid var(--link);
outline-offset:2px;border-radius:4px}
.scroll{overflow-x:auto;margin:.6rem 0;max-width:100%}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.38rem .7rem;border-bottom:1px solid var(--line);text-align:left;
vertical-align:top;font-weight:400}
thead th{font-weight:650;vertical-align:bottom;border-bottom-width:2px}
th[scope=row]{position:sticky;left:0;background:var(--card);min-width:6.6rem;max-width:15rem;
overflow-wrap:break-word}
.right{text-align:right;white-space:nowrap}
thead .right{white-space:normal}
td:not(.right){min-width:5.5rem}
td:not(.right):last-child:not(:nth-child(2)){min-width:17rem}
code,pre{font:.88em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{overflow-wrap:anywhere}
table code{overflow-wrap:normal}
th[scope=row] code{overflow-wrap:break-word}
pre{background:var(--page);border:1px solid var(--line);border-radius:6px;padding:.7rem;
overflow-x:auto}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(16.5rem,100%),1fr));
gap:.9rem 1.6rem}
figure{margin:0}
figcaption{font-size:.92rem}
figcaption span{display:block;color:var(--soft);font-size:.8rem}
svg{display:block;width:100%;height:auto;font-family:inherit}
.strips{max-width:40rem}
svg text{fill:var(--text);font-size:12px}
svg.wide text{font-size:10px}
svg .tick,svg .name{fill:var(--soft)}
svg .name,svg .num{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
svg .num{font-weight:600}
svg .grid{stroke:var(--line);stroke-width:1}
svg .base{stroke:var(--soft);stroke-width:1}
svg .level,svg .whisker{fill:none}
svg .level{stroke:var(--retrained);stroke-width:1.6;stroke-dasharray:5 4}
svg .whisker{stroke-width:2}
svg .band{fill:var(--band)}
svg .dot.original{fill:var(--original)}svg .whisker.original{stroke:var(--original)}
svg .dot.retrained{fill:var(--retrained)}svg .whisker.retrained{stroke:var(--retrained)}
svg .dot.other{fill:var(--other)}svg .whisker.other{stroke:var(--other)}
@media (max-width:30rem){main{padding:.8rem .6rem 3rem}section,main>details{padding:.9rem .8rem}
main>details>summary{margin:-.9rem -.8rem;padding:.75rem .8rem}
h1{font-size:1.35rem}.verdict .said{font-size:1.08rem}
th,td{padding:.33rem .38rem}table{font-size:.82rem}
th[scope=row]{max-width:9.5rem;min-width:4.9rem}svg.wide text{font-size:15px}}
"""
PAPER = """\
@page{size:A4;margin:14mm 13mm}
@media print{html{font-size:9.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{background:#fff;font-size:1rem}main{max-width:none;padding:0}
section,main>details{border:0;border-top:1px solid var(--line);border-radius:0;padding:3mm 0;
margin:0;background:none}
.verdict{border-left-width:1.5mm;border-left-style:solid;padding-left:4mm}
main>details>summary,main>details[open]>summary{margin:0 0 2mm;padding:0;list-style:none}
details::details-content{content-visibility:visible;display:block;height:auto}
summary{list-style:none}summary::-webkit-details-marker{display:none}
h1,h2,h3,summary{break-after:avoid}figure,tr,.verdict{break-inside:avoid}
p,li{max-width:none;orphans:3;widows:3}
.scroll{overflow:visible}table{font-size:7.6pt;max-width:100%}
th[scope=row]{position:static;background:none;min-width:0}
th,td{padding:1mm 1.6mm}.right{white-space:normal}
td:not(.right),td:not(.right):last-child:not(:nth-child(2)){min-width:0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:none;font-size:7.6pt}
.panels{grid-template-columns:repeat(3,1fr);gap:3mm 6mm}
a{color:inherit;text-decoration:none}}
"""


def style() -> str:
    """The complete style sheet; it loads no other files."""
    light, dark = _colours(LIGHT), _colours(DARK)
    screen = f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    return f":root{{{light}}}\n{screen}{RULES}{PAPER}"


def _colours(found: dict[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in found.items())
