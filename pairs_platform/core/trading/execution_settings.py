"""Settings of execution: how the two legs of a pair's trade are sent, how long things may take, what is tolerated.

What does not belong here: the code that obeys them (`legging`, `naked`, `reconciliation`), and limits of risk
(`core.risk`).
"""

from typing import Literal

from pairs_platform.core.settings import SettingsGroup, setting


class ExecutionSettings(SettingsGroup):
    """How a pair's trade is sent, hedged and left, and when it and the broker's account are taken for different."""

    legging: Literal["hard_leg_first", "simultaneous"] = setting(
        "hard_leg_first",
        unit="name",
        description=(
            "hard_leg_first: the short or less liquid leg first, and each of its fills hedged at once; "
            "simultaneous: both legs at once."
        ),
    )
    order_type: Literal["limit", "market"] = setting(
        "limit",
        unit="name",
        description=(
            "limit: an order is filled at once within its collar, or not; market: at any price, as a backtest on bars "
            "assumes it."
        ),
    )
    entry_seconds: float = setting(
        60.0,
        unit="seconds",
        gt=0,
        le=86_400,
        description="An entry of which nothing was sent this long after its decision is dropped.",
    )
    leg_timeout_seconds: float = setting(
        15.0,
        unit="seconds",
        gt=0,
        le=86_400,
        description="An order that is not filled after this time is canceled; a broker that fills by bars needs bars.",
    )
    cancel_timeout_seconds: float = setting(
        5.0,
        unit="seconds",
        gt=0,
        le=600,
        description="A cancelation of which the broker says nothing is asked for again after this time.",
    )
    answer_timeout_seconds: float = setting(
        15.0,
        unit="seconds",
        gt=0,
        le=600,
        description="An order that was written down this long ago and of which nothing is known is asked for.",
    )
    ask_seconds: float = setting(
        2.0, unit="seconds", gt=0, le=600, description="Pause between two questions about one order."
    )
    retry_seconds: float = setting(
        2.0, unit="seconds", gt=0, le=600, description="Pause before an exit that was rejected is sent again."
    )
    unresolved_seconds: float = setting(
        30.0,
        unit="seconds",
        gt=0,
        le=3600,
        description="An order about which the broker says nothing for this long needs a person.",
    )
    max_attempts: int = setting(
        5, unit="orders", ge=1, le=20, description="Orders of a leg for one purpose before a person is needed."
    )
    collar_bps: float = setting(
        20.0,
        unit="basis points",
        gt=0,
        le=500,
        description="Limit of an order from the middle of the quote, at least; each further attempt has it once more.",
        not_above="widest_collar_bps",
    )
    collar_half_spreads: float = setting(
        3.0, unit="half spreads", ge=1, le=50, description="The same in half spreads; the wider of both is used."
    )
    widest_collar_bps: float = setting(
        200.0, unit="basis points", gt=0, le=2000, description="No limit is further from the middle of the quote."
    )
    max_quote_age_seconds: float = setting(
        60.0,
        unit="seconds",
        gt=0,
        le=86_400,
        description="No entry with an older quote; an exit without a younger one is a market order.",
    )
    naked_tolerance: float = setting(
        0.02,
        unit="share of a trade's gross value",
        gt=0,
        le=0.5,
        description="Value of one leg that the other need not hedge; a share of each leg at least.",
    )
    naked_seconds: float = setting(
        30.0,
        unit="seconds",
        gt=0,
        le=86_400,
        description="A trade that is naked beyond the tolerance for longer is left, and its exits go at market.",
    )
    min_fill_fraction: float = setting(
        0.1,
        unit="1",
        gt=0,
        le=1,
        description="An entry of which a smaller part was filled in time is left again.",
    )
    difference_seconds: float = setting(
        5.0,
        unit="seconds",
        ge=0,
        le=600,
        description="A difference from the broker's account that is younger may pass by itself.",
    )
    cash_tolerance_dollars: float = setting(
        1.0, unit="US$", ge=0, le=10_000, description="Difference of cash from the broker's that is taken for none."
    )
