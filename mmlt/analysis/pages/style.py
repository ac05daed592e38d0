"""The one style of all pages."""

# Series 1 to 6 are told apart by colour-blind readers (after Okabe and Ito), on white and on black.
LIGHT = """
--paper: #fff; --raised: #f5f6f8; --ink: #1b2127; --soft: #59636e; --line: #dde1e6; --bar: #e9ecf0; --accent: #0b63a5;
--s1: #0b63a5; --s2: #c9500b; --s3: #0d7d5a; --s4: #a3458a; --s5: #3596cf; --s6: #a87400;
--good: #0d7d5a; --bad: #b3261e;
"""
DARK = """
--paper: #14181c; --raised: #1d2329; --ink: #e6eaee; --soft: #9ba7b3; --line: #333c45; --bar: #262d34; --accent: #6fb7f3;
--s1: #6fb7f3; --s2: #ff9457; --s3: #43cba0; --s4: #e39bd2; --s5: #a5dbff; --s6: #f0c352;
--good: #43cba0; --bad: #ff8f85;
"""
NARROW = 720  # CSS pixels: below it a page shows the narrow drawing of a plot

STYLE = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
@media print {{ :root {{ color-scheme: light; {LIGHT} }} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; }}
body {{ margin: 0 auto; padding: 2.2rem 1.2rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: break-word; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; letter-spacing: -.01em; }}
h2 {{ font-size: 1.2rem; margin: 2.8rem 0 .4rem; letter-spacing: -.005em; }}
h3 {{ font-size: 1rem; margin: 1.4rem 0 .3rem; }}
p {{ margin: .3rem 0 .8rem; max-width: 46rem; }}
.soft, figcaption, p.note {{ color: var(--soft); font-size: .875rem; line-height: 1.45; }}
p.warn {{ border-left: 3px solid var(--s2); padding-left: .7rem; }}
a {{ color: var(--accent); }}
code {{ font: .92em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }}

.tiles {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .7rem; margin: 1.2rem 0; }}
.tile {{ background: var(--raised); border-radius: .6rem; padding: .7rem .9rem .75rem; min-width: 0; }}
.tile b {{ display: block; font-size: 1.65rem; line-height: 1.25; font-weight: 620; font-variant-numeric: tabular-nums; }}
.tile b small {{ font-size: .55em; font-weight: 500; color: var(--soft); margin-left: .15em; }}
.tile span {{ display: block; font-size: .82rem; line-height: 1.35; color: var(--soft); }}
.tile.main {{ outline: 2px solid var(--accent); outline-offset: -2px; }}

.scroll {{ overflow-x: auto; max-width: 100%; margin: .5rem 0 1rem; }}
.tall {{ max-height: 34rem; overflow-y: auto; }}
.tall thead th {{ position: sticky; top: 0; background: var(--paper); }}
table {{ border-collapse: collapse; font-size: .9rem; }}
th, td {{ padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }}
td {{ max-width: 32rem; }}
td code {{ display: block; min-width: 12rem; }}
td.number {{ white-space: nowrap; }}
th {{ font-weight: 600; color: var(--soft); font-size: .82rem; vertical-align: bottom; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; padding: .28rem .6rem .28rem .8rem; }}
td.number + td:not(.number), th.number + th:not(.number) {{ padding-left: .5rem; }}
td.number:first-child, th.number:first-child {{ padding-left: 0; }}
th:last-child, td:last-child, td.number:last-child, th.number:last-child {{ padding-right: .2rem; }}

figure {{ margin: .6rem 0 1.2rem; }}
figcaption {{ margin-top: .35rem; max-width: 46rem; }}
.columns {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 2.4rem; }}
.columns > * {{ min-width: 0; }}
@media (min-width: 62rem) {{ .uneven {{ grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); }} }}
.legend {{ display: flex; flex-wrap: wrap; gap: .1rem 1.3rem; font-size: .875rem; margin: .3rem 0 .1rem; }}
.legend span {{ display: inline-flex; align-items: center; gap: .45rem; min-width: 0; overflow-wrap: anywhere; }}
.legend svg {{ flex: none; }}

svg {{ overflow: visible; }}
.plot svg {{ display: block; width: 100%; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
.plot svg.narrow {{ display: none; }}
.plot svg.half {{ max-width: 33rem; }}
svg text {{ fill: var(--ink); }}
svg .soft {{ fill: var(--soft); }}
svg .bright {{ fill: #fff; }}
svg .ink {{ fill: var(--ink); }}
svg .soft-bar {{ opacity: .55; }}
svg .rule {{ stroke: var(--line); stroke-width: 1; fill: none; }}
svg .cut {{ stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 4; fill: none; }}
svg .bar {{ fill: var(--bar); }}
svg .curve {{ fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }}
svg .whisker {{ stroke-width: 1.2; opacity: .6; }}
svg .hollow {{ fill: var(--paper); stroke-width: 1.8; }}
{''.join(f'''
svg .f{n} {{ fill: var(--s{n}); }} svg .l{n} {{ stroke: var(--s{n}); }}''' for n in range(1, 7))}

.thumbs {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr)); gap: .9rem .7rem;
  margin: .6rem 0 1rem; }}
.thumbs.small {{ grid-template-columns: repeat(auto-fill, minmax(5.3rem, 1fr)); gap: .6rem; }}
.thumb {{ margin: 0; min-width: 0; }}
.thumb img {{ display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--raised);
  border-radius: .4rem; }}
.thumb img.tiny {{ image-rendering: pixelated; }}
.thumb figcaption {{ font-size: .78rem; line-height: 1.32; margin-top: .25rem; color: var(--ink); overflow-wrap: anywhere; }}
.thumb figcaption span {{ display: block; color: var(--soft); }}
.good {{ color: var(--good) !important; }}
.bad {{ color: var(--bad) !important; }}

details {{ border-top: 1px solid var(--line); padding: .5rem 0; }}
details:last-of-type {{ border-bottom: 1px solid var(--line); }}
summary {{ cursor: pointer; font-weight: 600; padding: .25rem 0; }}
details > :nth-child(2) {{ margin-top: .4rem; }}

@media screen and (max-width: {NARROW - 1}px) {{
  .plot svg.narrow {{ display: block; max-width: 34rem; }}
  .plot svg.wide {{ display: none; }}
  body {{ padding: 1.3rem 1rem 3rem; }}
  h1 {{ font-size: 1.35rem; }}
  h2 {{ margin-top: 2.2rem; }}
  .tiles {{ grid-template-columns: repeat(auto-fill, minmax(8.2rem, 1fr)); gap: .5rem; }}
  .tile b {{ font-size: 1.4rem; }}
  td:first-child, th:first-child {{ position: sticky; left: 0; background: var(--paper); min-width: 8rem; }}
  .thumbs.small {{ grid-template-columns: repeat(4, minmax(0, 1fr)); }}
  .thumbs.small > :nth-child(n + 5) {{ display: none; }}
  .tall thead th:first-child {{ z-index: 1; }}
}}

@media print {{
  body {{ max-width: none; padding: 0; font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  figure, .tile, .thumb, tr {{ break-inside: avoid; }}
  h2, h3 {{ break-after: avoid; }}
  .scroll, .tall {{ overflow: visible; max-height: none; }}
  .tall thead th {{ position: static; }}
  details::details-content {{ content-visibility: visible; display: block; block-size: auto; }}
}}
"""
