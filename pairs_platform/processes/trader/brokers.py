"""Opens the account that the settings name, and what a broker needs that fills by streamed bars.

What does not belong here: how a broker fills (`adapters`), and trading with it (`desk`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.platform import Platform
from pairs_platform.ports.broker import Broker
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable


def require_tradable(settings: Settings) -> None:
    """Refuse a broker with which the configured stream cannot be traded.

    Raises
    ------
    ConfigurationError
        The account is at Alpaca and the prices are those of a replay, or the simulated broker would have no time.
    """
    broker = settings.broker
    if settings.stream.run_mode != "replay":
        return
    remedy = f"set {variable('broker.kind')} to simulated or paper"
    if broker.kind == "alpaca" and not broker.alpaca.base_url.startswith("http://"):
        raise ConfigurationError(
            f"a replay is not traded at {broker.alpaca.base_url}, where prices are today's: {remedy}"
        )
    if broker.kind == "simulated" and not settings.stream.replay.speed:
        raise ConfigurationError(
            "a replay as fast as can be (stream.replay.speed 0) leaves the simulated broker no time to fill an order: "
            f"set {variable('broker.kind')} to paper, or give a speed"
        )


@dataclass(frozen=True)
class OpenAccount:
    """An account that is traded.

    Attributes
    ----------
    broker : Broker
    account : str
        Its name: part of the ids of its orders.
    receive : callable
        Takes the streamed bars, by which a paper account is filled.
    end_session : callable
        Ends a session of such an account.
    """

    broker: Broker
    account: str
    receive: Callable[[Sequence[StreamBar]], None] = lambda _: None
    end_session: Callable[[date], None] = lambda _: None


def open_account(
    platform: Platform, clock: Callable[[], datetime], actions: Callable[[date], Sequence[tuple[str, str, float]]]
) -> OpenAccount:
    """The account that the settings name.

    Parameters
    ----------
    clock : callable
        Time of the market.
    actions : callable
        Symbol, kind and value of the splits and dividends of a session that prices are not adjusted for.

    Raises
    ------
    ConfigurationError
        Keys are missing.
    Unavailable, AccessRefused
        The broker does not say which account it is.
    """
    settings = platform.settings
    if settings.broker.kind != "paper":
        from pairs_platform.platform import open_alpaca_broker

        broker = open_alpaca_broker(settings)
        return OpenAccount(broker, broker.account().account_id)
    from pairs_platform.adapters.paper.books import PaperAction
    from pairs_platform.adapters.paper.broker import PaperBroker

    run_mode = settings.stream.run_mode
    account = paper_account_name(run_mode)
    paper = PaperBroker(
        platform.database,
        account=account,
        run_mode=run_mode,
        bar_ns=settings.stream.bar_frequency(settings.frequency).length_ns,
        clock=clock,
        costs=settings.costs,
        settings=settings.broker.paper,
        actions=lambda session: [PaperAction(*action) for action in actions(session)],  # type: ignore[arg-type]
    )
    return OpenAccount(paper, account, paper.receive, paper.end_session)


def paper_account_name(run_mode: str) -> str:
    """The platform's own account in a run mode."""
    return f"paper-{run_mode}"
