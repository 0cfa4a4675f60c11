"""The account's money, over sequences of orders, fills, prices and cancelations that are drawn."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pairs_platform.processes.broker.account import Account, RequestRefused, TradedAsset

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
SYMBOLS = ("AAA", "BBB")
CASH = Decimal(10_000)

steps = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 400),
        st.integers(1, 400),
        st.integers(500, 2000),
        st.sampled_from(["work", "cancel", "cancel then fill"]),
    ),
    max_size=25,
)


@given(steps)
def test_cash_and_positions_are_those_of_the_fills_and_nothing_is_sold_twice(drawn):
    prices = dict.fromkeys(SYMBOLS, Decimal(10))
    account = Account(
        {name: TradedAsset(name) for name in SYMBOLS}, CASH, price=prices.__getitem__, emit=lambda *_: None
    )
    for number, (symbol, side, shares, part, cents, then) in enumerate(drawn):
        prices[symbol] = Decimal(cents) / 100
        request = {"symbol": symbol, "side": side, "qty": shares, "type": "market", "time_in_force": "day"}
        before = account.held(symbol)
        try:
            order = account.submit({**request, "client_order_id": str(number)}, NOW, market_is_open=True)
        except RequestRefused:
            continue
        account.start(order, NOW)
        if then != "work":
            account.request_cancel(order, NOW)
        if then == "cancel":
            account.end(order, "canceled", NOW)
        elif order.remaining >= part:
            account.execute(order, Decimal(part), prices[symbol], NOW)
        after = account.held(symbol)
        assert before * after >= 0, "an order crossed zero"
        assert account.available(symbol) <= abs(after)
        assert account.buying_power >= 0
    for symbol in SYMBOLS:
        signed = [each.order.sign * each.qty for each in account.executions if each.order.symbol == symbol]
        assert account.held(symbol) == sum(signed)
    spent = sum(each.order.sign * each.qty * each.price for each in account.executions)
    assert account.state.cash == CASH - spent
    assert account.equity == account.state.cash + sum(account.held(symbol) * prices[symbol] for symbol in SYMBOLS)
    ids = [each.execution_id for each in account.executions]
    assert len(set(ids)) == len(ids)
    assert len({order.order_id for order in account.orders.values()}) == len(account.orders)
