from pairs_platform.database.equity import AccountKey
from pairs_platform.database.risk_events import RiskEvent, event_rows, store_events
from pairs_platform_tests.support.trades import SESSION, at

LIVE, REPLAY = AccountKey("PA1", "live"), AccountKey("PA1", "replay")
DENIED = RiskEvent(
    kind="denial", code="order_notional", severity="warning", message="A_B: $12,000 is above $10,000", pair="A_B",
    sector="technology", value=12_000.0, bound=10_000.0, detail={"leg": "y"},
)  # fmt: skip


def test_events_come_back_newest_first(database):
    state = RiskEvent(kind="state", code="reducing", severity="error", message="daily loss of 1.2 % \0")
    store_events(database, LIVE, [DENIED, state], at())
    store_events(database, LIVE, [], at())
    store_events(database, REPLAY, [DENIED], at(6))
    rows = event_rows(database, ["live"])
    assert [(row["code"], row["session"], row["at_utc"]) for row in rows] == [
        ("reducing", SESSION, at().utc), ("order_notional", SESSION, at().utc),
    ]  # fmt: skip
    assert rows[0]["message"].endswith("\ufffd")
    assert {name: rows[1][name] for name in vars(DENIED)} == vars(DENIED)
    assert len(event_rows(database, ["live", "replay"], kinds=["denial"])) == 2
    assert len(event_rows(database, ["live", "replay"], limit=1)) == 1
