"""What the demo says of the paper account: a line for each trade, and components that add up to the cent."""

import pytest

from pairs_platform.cli.demo_trades import TradedHour, print_trades
from pairs_platform.core.trading.attribution import attribute
from pairs_platform.core.trading.attribution_records import AccountPeriod, LegRecord, ModelLeg, TradeRecord
from pairs_platform.views.session_trades import TradeLine
from pairs_platform_tests.support.pair_trades import BEGIN, at


def hour(change: float) -> TradedHour:
    """One open trade, whose rule earned 5.004 dollars, and 1.004 of the account's that nobody explains."""
    leg = LegRecord(symbol="PDFS", model=ModelLeg(shares=10.008, start_price=50.0, end_price=50.5), target=10)
    other = LegRecord(symbol="AVGO", model=None, target=0)
    trade = TradeRecord(spread_order_id="T1", pair="AVGO_PDFS", decided_utc=BEGIN, y=leg, x=other)
    period = AccountPeriod(start_utc=BEGIN, end_utc=at(3600), equity_start=100_000.0, equity_end=100_000.0 + change)
    line = TradeLine(trade_id="T1", pair="AVGO_PDFS", words="buy 10 PDFS at 50.00", entered_utc=BEGIN, left_utc=None)
    return TradedHour(lines=[line], missed="late 1", attribution=attribute(period, [trade]))


@pytest.mark.parametrize("change", [1.004, 0.0, -3.456])
def test_each_trade_has_a_line_and_the_components_add_up_to_the_change_of_equity(capsys, monkeypatch, change):
    monkeypatch.setenv("COLUMNS", "80")
    print_trades(hour(change), "SIMULATED market")
    said = capsys.readouterr().out
    assert "Trades of the PAPER account · SIMULATED market" in said
    assert "buy 10 PDFS at 50.00  10:00  open" in said
    assert "Entries not made: late 1." in said
    lines = said[said.index("Where the P&L") :].splitlines()
    values = [float(line.split()[-1]) for line in lines if line.strip() and line.split()[-1][0] in "+-" and "." in line]
    assert sum(values[:-1]) == pytest.approx(values[-1], abs=1e-9)
    assert values[-1] == pytest.approx(change, abs=0.006)
    assert max(map(len, said.splitlines()[:12])) <= 80


def test_an_hour_without_a_trade_says_so_and_why(capsys):
    print_trades(TradedHour(lines=[], missed="move_below_cost 2", attribution=None), "SIMULATED market")
    assert capsys.readouterr().out.strip() == (
        "PAPER account: no trade in these bars, entries not made: move_below_cost 2."
    )
