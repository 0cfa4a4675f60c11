"""Settings of Alpaca and the names of its keys; light enough to be read while definitions load.

What does not belong here: the values of the two keys, which are secrets of the platform's settings.
"""

import re
from typing import Literal, Self

from pydantic import model_validator

from pairs_platform.core.settings import SettingsGroup, setting

KEY_VARIABLES = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
"""Environment variables in which a person puts the two keys; named in every message about keys."""


class AlpacaSettings(SettingsGroup):
    """How Alpaca is asked: which feed, how much at once, how patiently."""

    feed: Literal["iex", "sip"] = setting(
        "iex",
        unit="name",
        description="Feed of the bars: iex (one exchange, every account) or sip (all exchanges, subscription).",
    )
    base_url: str | None = setting(
        None,
        unit="URL",
        form="an address written https://host, or http://localhost:port on this machine, without user and password",
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))[^@?#]*$",
        description="Address of the historical data instead of Alpaca's own, for a proxy; without TLS on this machine "
        "alone, and without user or password.",
    )
    symbols_per_request: int = setting(100, unit="symbols", ge=1, le=500, description="Symbols asked for at once.")
    sessions_per_request: int = setting(60, unit="sessions", ge=1, le=1000, description="Sessions asked for at once.")
    requests_per_minute: int = setting(
        180, unit="requests per minute", ge=1, le=10_000, description="Own limit, below the account's (free: 200)."
    )
    timeout_s: float = setting(
        30.0, unit="seconds", gt=0, le=600, description="Longest silence of the server within one request."
    )
    max_attempts: int = setting(5, unit="requests", ge=1, le=20, description="Attempts per page, the first included.")
    longest_wait_s: float = setting(
        90.0, unit="seconds", gt=0, le=3600, description="Longest wait between two attempts; asked for more, stop."
    )
    process_lag_days: int = setting(
        120,
        unit="days",
        ge=0,
        le=400,
        description="How long after its ex-date an action may be processed (a dividend: paid) and still be found.",
    )


PAPER_URL, LIVE_URL = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"
REAL_MONEY = "trade with real money"
"""The words without which no order goes anywhere but to the paper account."""

_LOCAL = r"http://(127\.0\.0\.1|localhost)(:\d+)?"
"""A server on this machine."""


class AlpacaTradingSettings(SettingsGroup):
    """Which account trades, and how patiently Alpaca is asked."""

    base_url: str = setting(
        PAPER_URL,
        unit="URL",
        form="an address written https://host, or http://localhost:port on this machine, without path, user and "
        "password",
        pattern=rf"^(https://[^@?#/]+|{_LOCAL})$",
        description="Address of the trading API: that of the paper account, of a simulated broker on this machine, or "
        "with real_money of the live account.",
    )
    real_money: str = setting(
        "", unit="words", description=f'Orders go to another account than paper where this says "{REAL_MONEY}".'
    )
    connect_timeout_s: float = setting(
        3.0, unit="seconds", gt=0, le=60, description="Longest time until a connection is made."
    )
    read_timeout_s: float = setting(
        10.0, unit="seconds", gt=0, le=120, description="Longest silence of the server within one request."
    )
    max_attempts: int = setting(
        3, unit="requests", ge=1, le=10, description="Attempts of a question, the first included; an order has one."
    )
    longest_wait_s: float = setting(
        5.0, unit="seconds", gt=0, le=60, description="Longest wait between two attempts; asked for more, stop."
    )
    questions_per_minute: int = setting(
        120,
        unit="requests per minute",
        ge=1,
        le=10_000,
        description="Own limit of questions, below the account's 200: orders and cancelations never wait for it.",
    )
    update_timeout_s: float = setting(
        10.0,
        unit="seconds",
        gt=0,
        le=600,
        description="An order of which the stream says nothing for so long means that the stream is mute.",
    )

    @model_validator(mode="after")
    def _real_money_is_said(self) -> Self:
        if not self.is_paper and self.real_money != REAL_MONEY:
            raise ValueError(
                f"base_url {self.base_url} is not the paper account ({PAPER_URL}); orders go there where real_money "
                f'says "{REAL_MONEY}"'
            )
        return self

    @property
    def is_paper(self) -> bool:
        """Whether no order can cost money: the paper account, or a server on this machine."""
        return self.base_url == PAPER_URL or re.fullmatch(_LOCAL, self.base_url) is not None
