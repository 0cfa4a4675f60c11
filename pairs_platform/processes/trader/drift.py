"""What drift says of the pairs of the desk: written down when it is new, held against entries, and acted on.

What does not belong here: the statistics and what follows from them (`core.risk.drift`), and their bars (`market`).
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from pairs_platform.core.risk.drift.response import DriftAction, DriftResponse
from pairs_platform.core.risk.drift.result import DriftResult
from pairs_platform.core.risk.drift.session import BookDrift
from pairs_platform.database.risk_events import RiskEvent, Severity, event_rows
from pairs_platform.database.spread_orders import StoredTrade
from pairs_platform.processes.trader.market import Market
from pairs_platform.processes.trader.seat import Seat

KIND = "drift"
"""Kind of its events; their code is the statistic, and `UNKNOWN` where there is none."""

UNKNOWN = "unknown"

SEVERITY: dict[DriftAction, Severity] = {
    DriftAction.WARN: "info",
    DriftAction.NO_ENTRIES: "warning",
    DriftAction.EXIT: "error",
}


class Drift:
    """Follows the drift of an account's pairs.

    Parameters
    ----------
    seat : Seat
    market : Market
    """

    def __init__(self, seat: Seat, market: Market) -> None:
        self._seat, self._market = seat, market
        self._now: BookDrift | None = None
        self._session: date | None = None
        self._said: set[tuple[str | None, str, str]] = set()

    def look(self, now: datetime, session: date | None, trades: Sequence[StoredTrade]) -> None:
        """Take what the newest complete bar says, and write down what is new of it."""
        if session != self._session:
            self._session, self._said = session, self._stored(session)
        held = {each.trade.pair for each in trades if not each.trade.state.ended}
        found = self._market.drift(now, held)
        if found is not None and found is not self._now:
            events = [event for event in _events(found) if _key(event) not in self._said]
            self._seat.note(*events)
            self._said |= {_key(event) for event in events}
        self._now = found

    def why_no_entry(self, pair: str) -> str:
        """Why a pair takes no entries; empty where it does."""
        response = self._response(pair)
        if response is None:
            return "no entries: drift is not known"
        return "" if response.takes_entries else response.message

    def exits(self) -> dict[str, str]:
        """Pairs that are left now, and why."""
        responses = {} if self._now is None else self._now.responses
        return {
            pair: f"drift: {response.message}"
            for pair, response in responses.items()
            if response.action is DriftAction.EXIT
        }

    def _response(self, pair: str) -> DriftResponse | None:
        return None if self._now is None else self._now.responses.get(pair)

    def _stored(self, session: date | None) -> set[tuple[str | None, str, str]]:
        """What was written down in this session already, by this process or one before it."""
        rows = event_rows(self._seat.database, [self._seat.run_mode], kinds=[KIND])
        return {
            (row["pair"], row["code"], row["detail"].get("action", ""))
            for row in rows
            if row["account"] == self._seat.account and row["session"] == session
        }


def _key(event: RiskEvent) -> tuple[str | None, str, str]:
    return event.pair, event.code, str(event.detail.get("action", ""))


def _events(found: BookDrift) -> Iterator[RiskEvent]:
    """An event for each statistic that tells of a pair, with what is done about the pair."""
    for reason in found.unknown:
        yield RiskEvent(kind=KIND, code=UNKNOWN, severity="warning", message=reason, detail={"action": reason})
    for pair, response in found.responses.items():
        if response.action is DriftAction.NONE:
            continue
        severity, message = SEVERITY[response.action], f"{pair}: {response.message}"
        if not response.telling:
            detail = {"action": str(response.action)}
            yield RiskEvent(kind=KIND, code=UNKNOWN, severity=severity, message=message, pair=pair, detail=detail)
        for result in response.telling:
            yield RiskEvent(
                kind=KIND, code=str(result.statistic), severity=severity, message=message, pair=pair,
                value=_finite(result.value), bound=_finite(result.bound), detail=_detail(result, response),
            )  # fmt: skip


def _detail(result: DriftResult, response: DriftResponse) -> dict[str, object]:
    return {
        "action": str(response.action),
        "p_value": _finite(result.p_value),
        "p_value_of_pair": _finite(response.p_value),
        "bars_to_alarm": result.run_length,
    }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
