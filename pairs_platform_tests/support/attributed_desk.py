"""A desk whose fills are at the opens of bars that it keeps: what tests of results of trading start from."""

from datetime import timedelta

import pandas as pd

from pairs_platform.core.trading.attribution import Attribution
from pairs_platform.core.trading.bar_prices import BarPrices, bar_prices
from pairs_platform.workflows.attribution import session_attribution
from pairs_platform_tests.support.trading_desk import GRID, SESSION, DeskInTest

BAR = timedelta(minutes=5)


class Replayed(DeskInTest):
    """A desk whose broker fills at the opens of bars that the test keeps: each opens where the one before closed."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.bars: list[tuple] = []

    def bar(self, k: int, **moves: float) -> None:
        """End a bar: prices move within it, and the desk looks twice."""
        for symbol, price in self.market.now.items():
            close = price * (1 + moves.get(symbol, 0.0))
            self.bars.append((symbol, pd.Timestamp(GRID[k].start_ns, tz="UTC"), price, close))
            self.market.now[symbol] = close
        self.at_end_of(k)
        self.step(2)

    @property
    def prices(self) -> BarPrices:
        frame = pd.DataFrame(self.bars, columns=["symbol", "ts_utc", "open", "close"])
        return bar_prices(frame, int(BAR.total_seconds() * 1e9))

    def attributed(self, **more) -> Attribution:
        found = session_attribution(self.database, self.key, SESSION, self.prices, bar=BAR, **more)
        assert found is not None
        return found


def entered(desk: Replayed) -> Replayed:
    """A pair is entered at the close of bar 5 and held in bar 6."""
    desk.bar(5)
    desk.signal(5, "enter_long")
    desk.step(3)
    desk.bar(6, PDFS=0.01)
    desk.signal(6, "hold", position=1)
    return desk


def left(desk: Replayed) -> Replayed:
    """It is left at the close of bar 7."""
    entered(desk).bar(7, ROG=-0.002)
    desk.signal(7, "exit", position=1)
    desk.step(3)
    desk.bar(8)
    desk.signal(8)
    return desk
