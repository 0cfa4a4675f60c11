"""The report of a session over the demo's results, read back from both of its forms."""

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.models.contracts import GRU_MODELS
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS, PAIR_SCORES, TRADING_CONFIG
from pairs_platform.core.signals.orders import signal_order
from pairs_platform.database.signals import SignalKey, signal_rows
from pairs_platform.views import windows
from pairs_platform.views.drawing.label import drawing_label
from pairs_platform.views.drawing.plots import spread_with_bands
from pairs_platform.views.pair_orders import LOW_Z, with_orders_of_screen
from pairs_platform.views.reports.document import Document, Heading, Paragraph, Picture, Table, rows_of
from pairs_platform.views.reports.html import html_of
from pairs_platform.views.reports.pdf import pdf_of
from pairs_platform.views.reports.session import report_of, reported_keys, write_report
from pairs_platform.views.trading_plan import trading_plan
from pairs_platform.views.windows import load_window
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, key
from pairs_platform_tests.support.report_files import Page, pdf_pages
from pairs_platform_tests.support.runs import execute, rewrite_metadata, tamper
from pairs_platform_tests.support.waiting import WAIT_SECONDS

HOSTILE = '<script>alert("1")</script> & $\\frac{1}{0}$ \x07\u202e(\\)'
CLOSE = datetime(2023, 3, 8, 21, tzinfo=UTC)


def page_of(platform, session=SESSION) -> Page:
    return Page(html_of(report_of(platform, [key(session)])))


def document(*blocks, title="A title") -> Document:
    return Document(title=title, subtitle="a source", as_of=CLOSE, blocks=(Heading("technology", 2), *blocks))


class TestContent:
    @pytest.fixture
    def page(self, stored) -> Page:
        return page_of(stored)

    def test_what_to_trade_stands_first(self, stored, page):
        plan = trading_plan(stored, key())
        blocks = report_of(stored, [key()]).blocks
        assert blocks[:3] == (Heading(SECTOR, 2), Heading(plan.headline, 3), Paragraph(plan.place))
        assert page.table("Pairs to trade").column("at z ≤ −2") == [pair.legs.entry(1) for pair in plan.pairs]

    def test_rows_say_the_order(self, stored, page):
        ranked = with_orders_of_screen(stored, key(), stored.lake.read(COMPOSITE_RANKINGS, key()))
        ranked = ranked[ranked["rank"].notna()]
        assert page.table("The first ").column("order at low z") == list(ranked[LOW_Z])
        rows = signal_rows(stored.database, SignalKey(run_mode="replay", sector=SECTOR, session=SESSION))
        newest = [signal_order(row) for row in rows if row["bar_utc"] == rows[-1]["bar_utc"]]
        assert sorted(page.table("The newest bar").column("order")) == sorted(newest)

    def test_headings_have_units_and_volatilities_are_basis_points(self, stored, page):
        def known(caption: str, column: str) -> list[float]:
            return sorted(float(text) for text in page.table(caption).column(column) if text != "–")

        table = stored.lake.read(TRADING_CONFIG, key())["next_volatility"].dropna()
        np.testing.assert_allclose(known("Pairs; ", "volatility of the next bar (bp)"), 1e4 * np.sort(table), rtol=1e-3)
        rows = signal_rows(stored.database, SignalKey(run_mode="replay", sector=SECTOR, session=SESSION))
        newest = [row["volatility"] for row in rows if row["bar_utc"] == rows[-1]["bar_utc"] and row["volatility"]]
        np.testing.assert_allclose(known("The newest bar", "volatility (bp a bar)"), 1e4 * np.sort(newest), rtol=1e-3)
        assert {"half-life of the fit (bars)", "σ (log price)"} <= {name for name, _ in page.table("Pairs; ").headings}
        assert {"half-life (bars)", "move (bp)"} <= {name for name, _ in page.table("The first ").headings}

    def test_ranking_is_that_of_the_lake(self, stored, page):
        expected = stored.lake.read(COMPOSITE_RANKINGS, key())
        expected = expected[expected["rank"].notna()]
        found = page.table("The first ")
        assert found.column("pair") == list(expected["pair"])
        assert found.column("#") == [str(rank) for rank in expected["rank"]]
        for name, column in (("score", "score"), ("mean of 3", "ranking_score"), ("fit", "fit")):
            shown = np.array(found.column(name), dtype=float)
            np.testing.assert_allclose(shown, expected[column], atol=0.00501)

    def test_funnel_stands_beside_what_chance_finds(self, stored, page):
        funnel = stored.lake.metadata(COMPOSITE_RANKINGS, key())["funnel"]
        placebo = stored.lake.metadata(COINTEGRATED_PAIRS, key())["placebo"]
        found = page.table("Pairs past each gate")
        by_step = dict(zip(found.column("step"), found.rows, strict=True))
        assert by_step["cointegrated"][1] == str(funnel["n_cointegrated"])
        assert by_step["selected"][1] == str(funnel["n_selected"])
        assert by_step["cointegrated"][2].startswith(f"{placebo['joint']['mean']:.1f} (")
        assert by_step["correlated"][3].startswith(f"{placebo['independent']['mean_correlated']:.1f} (")

    def test_configuration_has_thresholds_costs_and_pairs(self, stored, page):
        configured = stored.lake.read_document(TRADING_CONFIG.table, key())
        for caption, group in (("Thresholds", "trading"), ("Costs", "costs")):
            found = page.table(caption)
            shown = dict(zip(found.column("setting"), map(float, found.column("value")), strict=True))
            assert shown == configured[group]
        assert page.table("Pairs; ").column("pair") == [pair["pair"] for pair in configured["pairs"]]
        assert any(configured["content_hash"] in text for text in page.texts)

    def test_model_is_reported_as_it_is(self, stored, page):
        models = stored.lake.read(GRU_MODELS, key())
        pooled = stored.lake.metadata(GRU_MODELS, key())["report"]["pooled"]
        judged = models[models["status"] == "ok"]
        (row,) = page.table("The session's training").rows
        assert f"{1e3 * pooled['lift']:+.2f} ({1e3 * pooled['lift_low']:+.2f} to" in row[5]
        assert row[6:] == [f"{judged['f1'].mean():.3f}", f"{judged['f1_always'].mean():.3f}"]
        reason = stored.lake.read_document(TRADING_CONFIG.table, key())["model_reason"]
        assert any(text.endswith(reason) for text in page.texts)

    def test_signals_are_counted(self, stored, page):
        rows = signal_rows(stored.database, SignalKey(run_mode="replay", sector=SECTOR, session=SESSION))
        counts = page.table("Signals by role and action · replay")
        assert any("the last one 2023-03-08 " in text and " New York; " in text for text in page.texts)
        assert sum(int(value) for row in counts.rows for value in row[1:]) == len(rows) > 0
        newest = [row["pair"] for row in rows if row["bar_utc"] == rows[-1]["bar_utc"]]
        assert sorted(page.table("The newest bar").column("pair")) == sorted(newest)

    def test_spread_and_volatility_of_the_selected_pairs_else_of_the_best(self, stored, page):
        rankings = stored.lake.read(COMPOSITE_RANKINGS, key())
        chosen = rankings[rankings["selected"]]
        names = list((chosen if len(chosen) else rankings.head(3))["pair"])
        shown = [given["alt"] for given in page.attributes("img")]
        shown = [text for text in shown if not text.startswith("Net profit")]
        assert shown == [
            f"{name}: {what} over the window" for name in names for what in ("z of the spread", "volatility")
        ]
        assert all(given["src"].startswith("data:image/png;base64,") for given in page.attributes("img"))

    def test_backtests_are_those_of_the_scores(self, stored, page):
        rankings, scores = (stored.lake.read(table, key()) for table in (COMPOSITE_RANKINGS, PAIR_SCORES))
        names = list(rankings.loc[rankings["selected"], "pair"])
        assert names
        found = page.table("What the rule earned")
        expected = scores.set_index("pair").loc[names]
        assert found.column("pair") == names
        np.testing.assert_allclose(np.array(found.column("net bp"), float), 1e4 * expected["net_return"], atol=0.0501)
        assert expected["n_entries"].any()
        assert found.column("trades") == [str(int(n)) for n in expected["n_entries"]]
        for name in names:
            if expected.loc[name, "n_entries"]:
                trades = page.table(f"Backtest of {name}")
                total = float(trades.column("all so far bp")[-1])
                assert total == pytest.approx(1e4 * expected.loc[name, "net_return"], abs=0.0501)

    def test_source_is_named(self, stored, page):
        assert stored.market_data.label in page.table("Data").column("value")

    def test_why_nothing_was_selected(self, copied):
        def none(frame: pd.DataFrame) -> None:
            frame[["selected", "size", "first_failed_gate"]] = [False, 0.0, "score"]

        tamper(copied, COMPOSITE_RANKINGS, key(), none)
        page = page_of(copied)
        assert any(text.startswith("Selected: no pair.") for text in page.texts)
        assert len(page.attributes("img")) == 6

    def test_what_is_not_stored_is_said_with_the_command(self, copied):
        copied.lake.document_path(TRADING_CONFIG.table, key()).unlink()
        copied.lake.path(GRU_MODELS.table, key()).unlink()
        said = [text for text in page_of(copied).texts if text.startswith("Not stored: ")]
        assert any("gru_models has no partition" in text for text in said)
        assert any("--select trading_config --partition" in text for text in said)

    def test_no_later_partition_is_read(self, copied):
        before = html_of(report_of(copied, [key(SESSIONS[1])]))
        for path in copied.lake.root.rglob(f"{SESSION}.*"):
            path.unlink()
        assert html_of(report_of(copied, [key(SESSIONS[1])])) == before

    def test_the_prices_are_read_once(self, stored, monkeypatch):
        read = []
        monkeypatch.setattr(windows, "load_window", lambda *given: read.append(given) or load_window(*given))
        blocks = report_of(stored, [key()]).blocks
        assert sum(isinstance(block, Picture) for block in blocks) > 2
        assert any(block.caption.startswith("What the rule earned") for block in blocks if isinstance(block, Table))
        assert len(read) == 1

    def test_every_picture_says_where_its_figures_come_from(self, stored):
        pictures = [block for block in report_of(stored, [key()]).blocks if isinstance(block, Picture)]
        assert {picture.drawing.keywords["label"] for picture in pictures} == {
            drawing_label(stored, key(), stored.market_data.label)
        }


class TestHtml:
    def test_is_one_file_that_says_its_language_and_title(self, stored):
        content = html_of(report_of(stored, [key()]))
        page = Page(content)
        assert page.attributes("html") == [{"lang": "en"}]
        assert content.count(f"<title>Session report {SESSION}</title>".encode()) == 1
        assert {scope for table in page.tables for _, scope in table.headings} == {"col"}
        assert all(table.caption for table in page.tables)
        assert not page.attributes("script")
        assert not page.attributes("link")
        assert not re.findall(rb'(?:src|href)="(?!data:|#)', content)

    def test_hostile_text_is_text(self, copied):
        rewrite_metadata(copied, COMPOSITE_RANKINGS, key(), {"source": HOSTILE})
        content = html_of(report_of(copied, [key()]))
        assert b"<script" not in content
        assert b"\x07" not in content
        assert "\u202e" not in content.decode()
        assert any('<script>alert("1")</script> & $' in text for text in Page(content).texts)

    def test_sectors_are_linked_when_there_are_many(self):
        page = Page(html_of(document(Paragraph("one"), Heading("financial", 2), Paragraph("two"))))
        assert [given["href"] for given in page.attributes("a")] == ["#s0", "#s1"]
        assert [given["id"] for given in page.attributes("h2")] == ["s0", "s1"]


class TestPdf:
    @pytest.fixture
    def long(self) -> Table:
        rows = [(f"PAIR_{n}", n / 7, "a reason " * 30 if n % 10 == 0 else "short") for n in range(120)]
        return rows_of(("pair", "score", "explanation"), rows, "A long table")

    def test_pages_hold_the_pairs_as_text(self, stored):
        content = pdf_of(report_of(stored, [key()]))
        pages = pdf_pages(content)
        assert content.startswith(b"%PDF")
        assert int(re.search(rb"/Count (\d+)", content)[1]) == len(pages) >= 3
        assert [f"page {n} of {len(pages)}" in page for n, page in enumerate(pages, 1)] == [True] * len(pages)
        ranked = stored.lake.read(COMPOSITE_RANKINGS, key()).query("rank.notna()")
        assert set(ranked["pair"]) <= set("\n".join(pages).splitlines())
        assert f"Session report {SESSION}" in pages[0]

    def test_its_contents_name_the_page_of_every_heading(self):
        sections = [Heading("Plan", 3), Paragraph("text " * 700), Heading("Long", 3), Paragraph("text " * 700)]
        content = document(*sections, Heading("energy", 2), *sections, Heading("Data", 3))
        pages = pdf_pages(pdf_of(content))
        contents = " ".join(pages[0].splitlines())
        titles = [block.text for block in content.blocks if isinstance(block, Heading)]
        found = [n for n, page in enumerate(pages, 1) for line in page.splitlines() if line in titles]
        assert len(found) == len(titles)
        assert found[0] == 1 < found[3]
        listed = re.findall(r"(\w+), page (\d+)", contents)
        assert listed == [(title, str(page)) for title, page in zip(titles, found, strict=True)]

    def test_a_long_table_goes_on_under_its_headings(self, long):
        pages = pdf_pages(pdf_of(document(long)))
        assert len(pages) >= 4
        assert all("explanation" in page.splitlines() for page in pages)
        shown = [line for page in pages for line in page.splitlines() if line.startswith("PAIR_")]
        assert shown == [row[0] for row in long.rows]

    def test_a_wide_table_is_wrapped_and_loses_nothing(self):
        columns = [f"a heading of column {n}" for n in range(24)]
        wide = rows_of(columns, [["W" * 40] * 24, ["a b c " * 200, *[1.5] * 23]], "A wide table")
        pages = pdf_pages(pdf_of(document(wide, Paragraph("X" * 1000))))
        text = "".join("".join(pages).split())
        assert text.count("W") == 24 * 40
        assert text.count("X") == 1000
        assert text.count("abc") >= 1

    def test_a_row_that_is_taller_than_a_page(self):
        rows = [("A_B", "a word " * 6000)]
        pages = pdf_pages(pdf_of(document(rows_of(("pair", "explanation"), rows, "A tall table"))))
        assert len(pages) > 1
        assert "".join(pages).replace("\n", " ").count("word") == 6000

    def test_hostile_text_is_drawn_as_it_is(self):
        z, days = np.linspace(-3, 3, 50), np.repeat(np.array(["2023-03-07", "2023-03-08"], "datetime64[D]"), 25)
        drawing = partial(
            spread_with_bands, pair=HOSTILE.replace("\x07", ""), z=z, session=days, entry_z=2.0, exit_z=0.5, label="$x$"
        )
        blocks = (Paragraph(HOSTILE), rows_of(("pair",), [(HOSTILE,)], HOSTILE), Picture(drawing, HOSTILE))
        (page,) = pdf_pages(pdf_of(document(*blocks, title=HOSTILE)))
        assert page.count('<script>alert("1")</script> & $\\frac{1}{0}$') >= 4

    def test_its_date_is_the_close_of_the_session(self):
        content = pdf_of(document(Paragraph("text")))
        assert re.findall(rb"/(?:Creation|Mod)Date \(D:(\d{14})Z?", content) == [b"20230308210000"] * 2

    def test_empty_tables_have_headings(self):
        (page,) = pdf_pages(pdf_of(document(rows_of(("pair", "z"), [], "Nothing"))))
        assert {"Nothing", "pair", "z"} <= set(page.splitlines())


class TestFiles:
    @pytest.mark.parametrize("ending", [".html", ".pdf"])
    def test_the_same_state_gives_the_same_bytes_in_another_process(self, stored, tmp_path, ending):
        ours, theirs = tmp_path / f"ours{ending}", tmp_path / f"theirs{ending}"
        write_report(ours, report_of(stored, [key()]))
        console = [str(Path(sys.executable).parent / "pairs-platform"), "report", "--session", str(SESSION)]
        subprocess.run([*console, "-o", str(theirs)], check=True, capture_output=True, timeout=WAIT_SECONDS)
        assert ours.read_bytes() == theirs.read_bytes()

    @pytest.mark.parametrize("ending", [".html", ".pdf"])
    def test_a_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch, ending):
        path = tmp_path / f"report{ending}"
        path.write_bytes(b"old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pairs_platform.lake.atomic.os.replace", full)
        with pytest.raises(OSError, match="No space left"):
            write_report(path, document(Paragraph("new")))
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_the_ending_says_the_form(self, tmp_path):
        write_report(tmp_path / "A.HTML", document())
        assert (tmp_path / "A.HTML").read_bytes().startswith(b"<!DOCTYPE html>")
        with pytest.raises(ConfigurationError, match=r"a\.docx: the suffix names no format; valid: .html, .pdf"):
            write_report(tmp_path / "a.docx", document())

    def test_sectors_of_a_session(self, copied):
        other = copied.lake.root / "composite_rankings" / "sector=financial"
        shutil.copytree(copied.lake.path(COMPOSITE_RANKINGS.table, key()).parent, other)
        (other / f"{SESSION}.parquet").unlink()
        assert reported_keys(copied, None, None) == [key()]
        assert reported_keys(copied, SESSIONS[0], None) == [key(SESSIONS[0], "financial"), key(SESSIONS[0])]
        assert reported_keys(copied, None, "financial") == [key(SESSIONS[1], "financial")]


def test_the_asset_writes_both_forms(copied):
    folder = copied.settings.profile_root / "exports" / SECTOR / str(SESSION)
    shutil.rmtree(folder, ignore_errors=True)
    result = execute(copied, ["session_report"], session=SESSION)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["source"].value == copied.market_data.label
    files = [record.data for record in metadata["files"].records]
    for name in ("report.html", "report.pdf"):
        size = (folder / name).stat().st_size
        assert {"file": f"exports/{SECTOR}/{SESSION}/{name}", "bytes": str(size)} in files
    assert (folder / "report.html").read_bytes() == html_of(report_of(copied, [key()]))
