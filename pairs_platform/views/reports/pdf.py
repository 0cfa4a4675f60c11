"""A report as PDF pages with text that can be selected, drawn by matplotlib.

What does not belong here: what is reported (`session`).
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from pairs_platform.views.drawing.plots import INK, WIDE
from pairs_platform.views.reports.document import Block, Document, Heading, Paragraph, Picture, Table, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT, MARGIN = 842.0, 595.0, 42.0
"""A4 on its long side [points]."""

BODY = WIDTH - 2 * MARGIN
LINE = 1.32
"""Height of a line as a multiple of its letters'."""

TITLE, TEXT, SMALL, CELL = 17.0, 8.5, 7.5, 7.5
HEADINGS = {2: 13.0, 3: 10.0}
GREY, RULE = "#55636f", "#dde3e8"
TOGETHER = 150.0
"""Height below which a table is not divided [points]."""

WIDEST_PAGE = 888
"""A page's number for which the list of contents leaves room: no report is longer."""

GAP, PAD = 10.0, 3.0
"""Between two columns of a table, and above and below its rows."""


def pdf_of(document: Document) -> bytes:
    """The file's content; its dates are the moment of the newest prices."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import PdfPages

    pages = _Pages()
    pages.paragraph(document.title, size=TITLE, bold=True)
    pages.paragraph(document.subtitle, size=TEXT, colour=GREY)
    headings = [block for block in document.blocks if isinstance(block, Heading)]
    room = pages.room(len(_contents(headings, [WIDEST_PAGE] * len(headings))))
    found: list[int] = []
    for n, block in enumerate(document.blocks):
        _put(pages, block, first=n == 0)
        if isinstance(block, Heading):
            found.append(len(pages.done))
    pages.fill(room, _contents(headings, found))
    names = {"Title": printable(document.title), "Subject": printable(document.subtitle), "Creator": "pairs-platform"}
    dates = {"CreationDate": document.as_of, "ModDate": document.as_of}
    out = io.BytesIO()
    # Type 3 names its fonts by their letters alone; the names of Type 42 subsets change from process to process.
    with rc_context({"pdf.fonttype": 3}), PdfPages(out, metadata={**names, **dates}) as file:
        for n, page in enumerate(pages.done, start=1):
            foot = f"{printable(document.title)} · page {n} of {len(pages.done)}"
            page.text(0.5, MARGIN / 2 / HEIGHT, foot, fontsize=SMALL, color=GREY, ha="center", parse_math=False)
            file.savefig(page)
    return out.getvalue()


def _contents(headings: Sequence[Heading], found: Sequence[int]) -> list[tuple[str, bool]]:
    """The lines of the list of contents, and whether each is bold: a sector with its page, then its sections.

    Parameters
    ----------
    headings : sequence of Heading
    found : sequence of int
        The page of each.
    """
    lines: list[tuple[str, bool]] = []
    sections: list[str] = []

    def end_sector() -> None:
        if sections:
            lines.extend((part, False) for part in _wrapped(" · ".join(sections), BODY, SMALL, bold=False))
            sections.clear()

    for heading, page in zip(headings, found, strict=True):
        entry = f"{printable(heading.text)}, page {page}"
        if heading.level == 2:
            end_sector()
            lines.append((entry, True))
        else:
            sections.append(entry)
    end_sector()
    return lines


def _put(pages: "_Pages", block: Block, *, first: bool) -> None:
    match block:
        case Heading(text, level):
            if level == 2 and not first:
                pages.turn()
            pages.need(HEADINGS[level] * LINE + 80)
            pages.skip(8)
            pages.paragraph(text, size=HEADINGS[level], bold=True)
        case Paragraph(text, small):
            pages.paragraph(text, size=SMALL if small else TEXT, colour=GREY if small else INK)
        case Picture():
            pages.picture(block)
        case Table():
            pages.table(block)


@dataclass
class _Pages:
    """Pages that are filled from top to bottom; `top` is the next free height [points from the lower edge]."""

    done: list["Figure"] = field(default_factory=list)
    top: float = 0.0

    def turn(self) -> None:
        from matplotlib.figure import Figure

        self.done.append(Figure(figsize=(WIDTH / 72, HEIGHT / 72)))
        self.top = HEIGHT - MARGIN

    def need(self, height: float) -> None:
        """Turn the page unless so much is free on it."""
        if not self.done or self.top - height < MARGIN:
            self.turn()

    def skip(self, height: float) -> None:
        """Leave room, but none at the head of a page."""
        if self.top < HEIGHT - MARGIN:
            self.top -= height

    def room(self, n: int) -> list[tuple["Figure", float]]:
        """Leave room for `n` small lines: the page and the height of each."""
        places = []
        for _ in range(n):
            self.need(SMALL * LINE)
            places.append((self.done[-1], self.top))
            self.top -= SMALL * LINE
        return places

    def fill(self, room: Sequence[tuple["Figure", float]], lines: Sequence[tuple[str, bool]]) -> None:
        """Write small lines, each with whether it is bold, where room was left for as many or more."""
        for place, (text, bold) in zip(room, lines, strict=False):
            self.line(MARGIN, text, size=SMALL, bold=bold, colour=GREY, place=place)

    def line(
        self,
        x: float,
        text: str,
        *,
        size: float,
        bold: bool = False,
        colour: str = INK,
        right: bool = False,
        place: tuple["Figure", float] | None = None,
    ) -> None:
        """One line of text below `top`, without moving it, or at a page and a height."""
        page, top = place or (self.done[-1], self.top)
        page.text(
            x / WIDTH,
            (top - size) / HEIGHT,
            text,
            fontsize=size,
            fontweight="bold" if bold else "normal",
            color=colour,
            ha="right" if right else "left",
            va="baseline",
            parse_math=False,
        )

    def paragraph(self, text: str, *, size: float, bold: bool = False, colour: str = INK) -> None:
        for part in _wrapped(printable(text), BODY, size, bold):
            self.need(size * LINE)
            self.line(MARGIN, part, size=size, bold=bold, colour=colour)
            self.top -= size * LINE
        self.top -= 3

    def rule(self, width: float, colour: str) -> None:
        from matplotlib.lines import Line2D

        ends = [MARGIN / WIDTH, (MARGIN + width) / WIDTH]
        self.done[-1].add_artist(Line2D(ends, [self.top / HEIGHT] * 2, color=colour, linewidth=0.6))

    def picture(self, picture: Picture) -> None:
        """Axes with room for their labels."""
        height = BODY * WIDE[1] / WIDE[0] * 0.8
        left, below, above = 40.0, 34.0, 18.0
        self.need(2 * height + 6 if picture.with_next else height)
        box = (MARGIN + left, self.top - height + below, BODY - left, height - below - above)
        page = self.done[-1]
        axes = page.add_axes((box[0] / WIDTH, box[1] / HEIGHT, box[2] / WIDTH, box[3] / HEIGHT))
        picture.drawing(axes)
        self.top -= height + 6

    def table(self, table: Table) -> None:
        """Rows stay whole, and so do small tables; headings stand at the head of every page that the table reaches."""
        columns = [printable(name) for name in table.columns]
        rows = [[printable(value) for value in row] for row in table.rows]
        widths = _widths(columns, rows)
        whole = min(BODY, sum(widths) + GAP * (len(widths) - 1))
        head = _cells(columns, widths, bold=True)
        height = CELL * LINE
        tallest = int((HEIGHT - 2 * MARGIN) / height) - len(head) - 6

        def put_head(caption: str) -> None:
            self.paragraph(caption, size=SMALL, colour=GREY)
            self._lines(head, widths, table.numeric, bold=True)
            self.rule(whole, GREY)

        cut = [_cells(row, widths) for row in rows]
        of_head = (len(head) + 2) * height + 4 * PAD
        of_rows = sum(len(lines) * height + 2 * PAD for lines in cut)
        of_first = min(len(cut[0]), tallest) * height if cut else 0.0
        self.skip(4)
        self.need(of_head + (of_rows if of_rows < TOGETHER else of_first))
        put_head(table.caption)
        for lines in cut:
            for start in range(0, len(lines), tallest):
                part = lines[start : start + tallest]
                if self.top - len(part) * height - 2 * PAD < MARGIN:
                    self.turn()
                    put_head(f"{table.caption} (continued)")
                self._lines(part, widths, table.numeric)
            self.rule(whole, RULE)
        self.top -= 6

    def _lines(
        self, lines: Sequence[Sequence[str]], widths: Sequence[float], numeric: Sequence[bool], *, bold: bool = False
    ) -> None:
        self.top -= PAD
        for line in lines:
            x = MARGIN
            for text, width, right in zip(line, widths, numeric, strict=True):
                if text:
                    self.line(x + width if right else x, text, size=CELL, bold=bold, right=right)
                x += width + GAP
            self.top -= CELL * LINE
        self.top -= PAD


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[float]:
    """Natural widths where they fit on a page; else the widest columns share what the narrow ones leave."""
    natural = [
        max(_width(name, CELL, bold=True), *(_width(row[k], CELL) for row in rows), 12.0) + 1
        for k, name in enumerate(columns)
    ]
    free = BODY - GAP * (len(natural) - 1)
    widths = list(natural)
    narrowest_first = sorted(range(len(natural)), key=natural.__getitem__)
    for place, k in enumerate(narrowest_first):
        widths[k] = min(natural[k], free / (len(natural) - place))
        free -= widths[k]
    return widths


def _cells(row: Sequence[str], widths: Sequence[float], *, bold: bool = False) -> list[tuple[str, ...]]:
    """A row as the lines that its wrapped cells need."""
    wrapped = [_wrapped(text, width, CELL, bold) for text, width in zip(row, widths, strict=True)]
    most = max(len(lines) for lines in wrapped)
    return list(zip(*(lines + [""] * (most - len(lines)) for lines in wrapped), strict=True))


def _wrapped(text: str, width: float, size: float, bold: bool) -> list[str]:
    """Lines no wider than `width`, broken at spaces, and within a word that alone is wider."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if _width(longer, size, bold=bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while _width(word, size, bold=bold) > width and len(word) > 1:
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _width(word[:n], size, bold=bold) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line]


@lru_cache(maxsize=20_000)
def _width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text [points]."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(weight="bold" if bold else "normal")))
    font.set_size(100.0, 72)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64 * size / 100
