"""A report as one HTML file that needs no other file.

What does not belong here: what is reported (`session`).
"""

import base64
from collections.abc import Sequence
from html import escape
from itertools import count

from pairs_platform.views.drawing.plots import png
from pairs_platform.views.reports.document import Document, Heading, Paragraph, Picture, Table, printable

DPI = 110

SHORT = 13
"""Rows below which a table is not divided between printed pages."""

_STYLE = """
html { font-size: 15px; }
body { font: 1rem/1.5 "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; color: #22303c;
  background: #fff; max-width: 1080px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; padding-bottom: .25rem; border-bottom: 2px solid #2f6fb3; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p { margin: .4rem 0; max-width: 85ch; overflow-wrap: anywhere; }
.subtitle, .small { color: #55636f; }
.small { font-size: .85rem; }
nav ul { padding-left: 1.2rem; }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .85rem; }
caption { text-align: left; color: #55636f; padding-bottom: .3rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #dde3e8; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #9aa7b2; vertical-align: bottom; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: .8rem 0; break-inside: avoid; }
img { max-width: 100%; height: auto; }
@page { size: A4 landscape; margin: 14mm; }
@media print {
  html { font-size: 11px; }
  body { max-width: none; padding: 0; }
  img { max-height: 78mm; }
  .short { break-inside: avoid; }
  .wide { overflow: visible; }
  h2 { break-before: page; } h2.first { break-before: auto; }
  h2, h3, caption { break-after: avoid; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""


def html_of(document: Document) -> bytes:
    """The file's content, UTF-8; every text is escaped, scripts and outside addresses are forbidden to it."""
    contents = _contents([block for block in document.blocks if isinstance(block, Heading)])
    numbers = count()
    body = "\n".join(
        _heading(block, next(numbers)) if isinstance(block, Heading) else _block(block) for block in document.blocks
    )
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(document.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{_text(document.title)}</h1>
<p class="subtitle">{_text(document.subtitle)}</p>
{contents}
</header>
<main>
{body}
</main>
</body>
</html>
"""
    return page.encode()


def _contents(headings: Sequence[Heading]) -> str:
    """A link to every heading, the sections of a sector on its line."""
    items: list[str] = []
    for n, heading in enumerate(headings):
        link = f'<a href="#s{n}">{_text(heading.text)}</a>'
        if heading.level == 2 or not items:
            items.append(link)
        else:
            items[-1] += f" · {link}"
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f'<nav aria-label="Contents"><ul>{lines}</ul></nav>' if items else ""


def _heading(heading: Heading, number: int) -> str:
    first = ' class="first"' if number == 0 else ""
    return f'<h{heading.level} id="s{number}"{first}>{_text(heading.text)}</h{heading.level}>'


def _block(block: Paragraph | Picture | Table) -> str:
    match block:
        case Paragraph(text, small):
            kind = ' class="small"' if small else ""
            return f"<p{kind}>{_text(text)}</p>"
        case Picture(drawing=drawing, text=text):
            data = base64.b64encode(png(drawing, dpi=DPI)).decode()
            return f'<figure><img src="data:image/png;base64,{data}" alt="{_text(text)}"></figure>'
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    shown = [' class="n"' if numeric else "" for numeric in table.numeric]
    head = "".join(f'<th scope="col"{kind}>{_text(name)}</th>' for name, kind in zip(table.columns, shown, strict=True))
    rows = "\n".join(
        "<tr>" + "".join(f"<td{kind}>{_text(value)}</td>" for value, kind in zip(row, shown, strict=True)) + "</tr>"
        for row in table.rows
    )
    size = "wide short" if len(table.rows) < SHORT else "wide"
    return (
        f'<div class="{size}"><table><caption>{_text(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _text(text: str) -> str:
    return escape(printable(text))
