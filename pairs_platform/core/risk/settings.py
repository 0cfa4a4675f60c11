"""Settings of risk: what an entry must satisfy, what the book may hold, what stops trading, how much a pair gets.

Light enough to be read while definitions load. What does not belong here: the code that obeys them, and how orders are
sent (`core.trading`).
"""

from pairs_platform.core.settings import SettingsGroup, setting

EQUITY = "share of equity"


class EntrySettings(SettingsGroup):
    """What every entry must satisfy before its orders are sent; an exit is asked none of it."""

    min_minutes_to_close: float = setting(
        10.0, unit="minutes", description="No entry nearer to the session's close.", ge=0, le=390
    )
    max_data_age_bars: int = setting(
        2, unit="bars", description="No entry when a leg's newest bar is older than this.", ge=0, le=100
    )
    max_signal_age_seconds: float = setting(
        60.0, unit="seconds of market time", description="No entry on an older signal.", gt=0, le=3600
    )
    max_from_last: float = setting(
        0.02, unit="share of the last price", description="Largest distance of an order's price from it.", gt=0, le=0.5
    )
    max_from_quote_bps: float = setting(
        50.0,
        unit="basis points",
        description="Largest distance of an order's price from the quote that it meets, the ask for a purchase.",
        gt=0,
        le=5000,
    )
    max_order_notional: float = setting(
        10_000.0, unit="US dollars", description="Value of one order; a larger entry is cut.", gt=0, le=1_000_000_000
    )
    max_order_shares: int = setting(
        5_000, unit="shares", description="Shares of one order; a larger entry is cut.", ge=1, le=10_000_000
    )
    max_volume_share: float = setting(
        0.01, unit="share of the mean daily volume", description="Part of a day's volume in one order.", gt=0, le=1
    )
    max_orders_per_minute: int = setting(
        60, unit="orders", description="Orders of the account in a minute; a further entry waits.", ge=2, le=10_000
    )
    max_orders_per_minute_of_symbol: int = setting(
        6, unit="orders", description="Orders of one symbol in a minute; a further entry waits.", ge=1, le=10_000
    )
    min_buying_power_left: float = setting(
        0.20,
        unit="share of equity times the account's multiplier",
        description="Buying power that both legs must leave.",
        ge=0,
        lt=1,
    )
    max_hedge_error: float = setting(
        0.02,
        unit="share of the pair's gross value",
        description="Most that whole shares may miss the hedge ratio; a smaller position is no hedge.",
        gt=0,
        le=1,
    )
    min_move_to_cost: float = setting(
        2.0, unit="round-trip costs", description="Least expected move of an entry.", ge=0, le=100
    )


class LimitSettings(SettingsGroup):
    """What the book may hold, and what stops trading."""

    max_gross: float = setting(1.5, unit=EQUITY, description="Long and short value of the book.", gt=0, le=20)
    max_net: float = setting(0.10, unit=EQUITY, description="Long less short value of the book.", gt=0, le=10)
    max_beta_net: float = setting(
        0.05, unit=EQUITY, description="The same with each value times its market beta.", gt=0, le=10
    )
    trim_beyond: float = setting(
        1.05,
        unit="limits",
        description="Prices may carry the book this far beyond a limit before every pair is made smaller.",
        ge=1,
        le=10,
    )
    max_pair_gross: float = setting(0.10, unit=EQUITY, description="Long and short value of one pair.", gt=0, le=10)
    max_name: float = setting(
        0.08, unit=EQUITY, description="Value of one symbol after netting over pairs.", gt=0, le=10
    )
    max_sector_gross: float = setting(0.60, unit=EQUITY, description="Gross value of one sector.", gt=0, le=20)
    max_open_pairs: int = setting(15, unit="pairs", description="Pairs that are held at once.", ge=1, le=1000)
    max_pairs_of_symbol: int = setting(3, unit="pairs", description="Held pairs that share a symbol.", ge=1, le=1000)
    max_volatility: float = setting(
        0.08,
        unit=f"{EQUITY} a year",
        description="Ex-ante standard deviation of the book; entries are cut.",
        gt=0,
        le=5,
    )
    max_value_at_risk: float = setting(
        0.02, unit=EQUITY, description="Historical value at risk of one day at 99 %.", gt=0, le=1
    )
    max_expected_shortfall: float = setting(
        0.025, unit=EQUITY, description="Historical expected shortfall of one day at 97.5 %.", gt=0, le=1
    )
    min_history_days: int = setting(
        40, unit="days", description="With fewer daily returns neither of the two is measured.", ge=20, le=2000
    )
    stress_gap: float = setting(
        0.20, unit="share of its price", description="Gap of the largest symbol in the stress test.", gt=0, le=1
    )
    max_stress_loss: float = setting(0.03, unit=EQUITY, description="Loss in the stress test.", gt=0, le=1)
    max_naked: float = setting(
        0.01,
        unit=EQUITY,
        description="Value of one leg that the other may leave without a hedge for longer than it takes to hedge.",
        gt=0,
        le=1,
    )
    soft_daily_loss: float = setting(
        0.01,
        unit="share of equity before the session",
        description="Loss of a session that ends entries.",
        gt=0,
        le=1,
        not_above="hard_daily_loss",
        because="entries would go on until the book is flattened",
    )
    hard_daily_loss: float = setting(
        0.02,
        unit="share of equity before the session",
        description="Loss of a session that flattens the book.",
        gt=0,
        le=1,
    )
    weekly_loss: float = setting(
        0.04, unit="share of equity before the week", description="Loss that flattens the book.", gt=0, le=1
    )
    drawdown: float = setting(
        0.08, unit="share of the largest equity", description="Fall from it that flattens the book.", gt=0, le=1
    )
    pair_loss: float = setting(
        0.005, unit="share of equity before the session", description="Loss that closes and locks a pair.", gt=0, le=1
    )
    stops_to_lock: int = setting(
        3, unit="stops", description="Stops of a pair in a session that lock it for the rest.", ge=1, le=100
    )
    cool_down_half_lives: float = setting(
        1.0, unit="half-lives", description="How long a stop locks its pair.", ge=0, le=100
    )
    rejects_to_reduce: int = setting(
        3, unit="orders", description="Orders rejected one after another that end entries.", ge=1, le=100
    )
    breaks_to_reduce: int = setting(
        1, unit="differences", description="Unexplained differences from the broker that end entries.", ge=1, le=100
    )
    stream_silence_seconds: float = setting(
        60.0, unit="seconds", description="Time without trade updates or bars that ends entries.", gt=0, le=3600
    )
    slippage_trades: int = setting(
        20, unit="trades", description="Newest trades over which slippage is averaged.", ge=1, le=1000
    )
    max_slippage_multiple: float = setting(
        2.0,
        unit="assumed slippages",
        description="Mean slippage beyond which entries have half the size.",
        ge=1,
        le=100,
    )
    settle_seconds: float = setting(
        10.0,
        unit="seconds",
        description="How long after its last order the broker is asked whether the account is flat.",
        ge=0,
        le=600,
    )


class SizingSettings(SettingsGroup):
    """How much money an entry gets."""

    volatility_target: float = setting(
        0.0015, unit=EQUITY, description="Standard deviation of a pair's result over its holding time.", gt=0, le=0.5
    )
    stop_risk: float = setting(0.0025, unit=EQUITY, description="Loss of a pair that is stopped.", gt=0, le=0.5)
    gap_multiple: float = setting(
        1.0,
        unit="standard deviations of a session's first bar",
        description="How far beyond its stop a pair may be filled.",
        ge=0,
        le=10,
    )


class RiskSettings(SettingsGroup):
    """Settings of risk."""

    entries: EntrySettings = EntrySettings()
    limits: LimitSettings = LimitSettings()
    sizing: SizingSettings = SizingSettings()
