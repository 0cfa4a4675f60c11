"""Reading reports back: an HTML file by its parser, a PDF by the content streams of its pages."""

import re
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class ReadTable:
    """Caption, headings with their scope, rows of texts."""

    caption: str = ""
    headings: list[tuple[str, str | None]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        at = [text for text, _ in self.headings].index(name)
        return [row[at] for row in self.rows]


class Page(HTMLParser):
    """What a report consists of.

    Attributes
    ----------
    tables : list of ReadTable
    tags : list of (str, dict)
        Every element with its attributes.
    texts : list of str
        Every piece of text outside tables.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tables: list[ReadTable] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(content.decode())
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag in ("meta", "img"):
            return
        self._open.append(tag)
        if tag == "table":
            self.tables.append(ReadTable())
        elif tag == "th":
            self.tables[-1].headings.append(("", given.get("scope")))
        elif tag == "tr" and "tbody" in self._open:
            self.tables[-1].rows.append([])
        elif tag == "td":
            self.tables[-1].rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "caption":
            self.tables[-1].caption += data
        elif inside == "th":
            text, scope = self.tables[-1].headings[-1]
            self.tables[-1].headings[-1] = (text + data, scope)
        elif inside == "td":
            self.tables[-1].rows[-1][-1] += data
        elif data.strip() and inside != "style":
            self.texts.append(data)

    def table(self, start: str) -> ReadTable:
        (found,) = (table for table in self.tables if table.caption.startswith(start))
        return found

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [given for name, given in self.tags if name == tag]


def pdf_pages(content: bytes) -> list[str]:
    """The text of each page, one line for each piece that was written at once."""
    pages = []
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            stream = zlib.decompress(found[1])
        except zlib.error:
            continue
        if b" Tf" in stream:
            pages.append("\n".join(_piece(one) for one in re.findall(rb"Tf(.*?)ET", stream, re.DOTALL)))
    return pages


def _piece(shown: bytes) -> str:
    texts = re.findall(rb"\(((?:\\.|[^()\\])*)\)", shown, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", b"".join(texts).decode("latin-1"))
