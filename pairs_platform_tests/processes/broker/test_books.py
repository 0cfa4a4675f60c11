from decimal import Decimal
from functools import partial

import pytest

from pairs_platform.processes.broker.books import BooksFile
from pairs_platform.processes.broker.market import MarketTime, Prices
from pairs_platform.processes.broker.server import BrokerServer
from pairs_platform_tests.support.simulated_broker import OPEN, PRICES, simulated_broker
from pairs_platform_tests.support.waiting import until

REQUEST = {"symbol": "AAA", "side": "buy", "qty": 10, "type": "market", "time_in_force": "day"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "books.json"


def server_with(file: BooksFile) -> BrokerServer:
    return BrokerServer(Prices(PRICES), MarketTime(OPEN), books=file.read(), keep=file.keep)


def buy(server: BrokerServer, name: str):
    return server.account.submit({**REQUEST, "client_order_id": name}, OPEN, market_is_open=True)


def test_an_account_goes_on_where_a_killed_process_left_it(path):
    server = server_with(BooksFile(path, 3, 1))
    first, second = buy(server, "first"), buy(server, "second")
    for order, shares in ((first, 10), (second, 4)):
        server.account.start(order, OPEN)
        server.account.execute(order, Decimal(shares), Decimal("10.25"), OPEN)
    again = server_with(BooksFile(path, 3, 1))
    assert {**again.state(), "clock": None} == {**server.state(), "clock": None}
    assert again.account.by_client_id("second").remaining == 6
    again.account.execute(again.account.by_client_id("second"), Decimal(6), Decimal(11), OPEN)
    assert again.account.executions[-1].cumulative == 10
    assert again.account.held("AAA") == 20
    assert again.account.new_id() not in {server.account.id_of("number", each) for each in range(1, 7)}


@pytest.mark.parametrize(("generation", "seed"), [(4, 1), (3, 2)])
def test_another_replay_or_seed_is_another_account(path, generation, seed):
    buy(server_with(BooksFile(path, 3, 1)), "first")
    assert BooksFile(path, 3, 1).read() is not None
    assert BooksFile(path, generation, seed).read() is None


def test_what_cannot_be_read_is_no_account(path):
    assert BooksFile(path, 0, 1).read() is None
    path.write_text("{")
    assert BooksFile(path, 0, 1).read() is None


def test_an_order_that_was_under_way_is_filled_by_the_next_process(path):
    buy(server_with(BooksFile(path, 0, 1)), "first")
    with simulated_broker(books=BooksFile(path, 0, 1).read()) as broker:
        until(lambda: broker.order("first")["status"] == "filled")
        assert broker.held("AAA") == 10


def test_a_new_account_is_kept_too(path):
    file = BooksFile(path, 0, 1)
    with simulated_broker(keep=file.keep) as broker:
        broker.server.do(partial(broker.server.place_foreign, "AAA", 5))
        until(lambda: broker.held("AAA") == 5)
        broker.server.do(broker.server.begin_again)
        kept = file.read()
        assert kept is not None
        assert (kept.orders, kept.positions) == ([], {})
