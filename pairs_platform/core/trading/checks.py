"""Predicates of the checks on trading: is what is stored the broker's, within its limits, complete, and explained.

What does not belong here: limits that act on trading (`core.risk.limits`), and reading what is judged
(`workflows.trading_results`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.trading.attribution import CENT

if TYPE_CHECKING:
    import pandas as pd

RECONCILIATION, STATE, ACTIVE, DRIFT = "reconciliation", "state", "active", "drift"
"""Kinds of what risk has to say, and the code of the state in which everything is allowed."""

Event = Mapping[str, Any]
"""Columns of `risk_events`."""


@dataclass(frozen=True, kw_only=True)
class NakedTime:
    """A time in which a trade's leg was not hedged: seconds, and dollars on average."""

    pair: str
    seconds: float
    dollars: float


def check_reconciled(events: Sequence[Event], lacking: Sequence[str]) -> CheckResult:
    """The account is the broker's: no difference stands, and every execution is known.

    A difference is over once trading was active again after it.

    Parameters
    ----------
    events : sequence of mapping
        Of the session, in their order.
    lacking : sequence of str
        Ids of ended orders that the broker filled further than executions are known.
    """
    standing: dict[str, list[str]] = {}
    for event in events:
        if event["kind"] == RECONCILIATION:
            standing.setdefault(event["account"], []).append(event["message"])
        elif event["kind"] == STATE and event["code"] == ACTIVE:
            standing.pop(event["account"], None)
    differences = [message for messages in standing.values() for message in messages]
    said = differences + [f"executions of order {name} are not known" for name in lacking]
    summary = "orders, executions, positions and cash are the broker's"
    if said:
        summary = f"{'; '.join(said[:3])}; compare the account with the broker's page before anything is trusted"
    figures = {"differences": len(differences), "orders_without_executions": len(lacking)}
    return CheckResult(passed=not said, summary=summary, figures=figures, see="risk" if said else "")


def check_limits_kept(portfolio: "pd.DataFrame", bounds: Mapping[str, float]) -> CheckResult:
    """No snapshot of an account is beyond a limit.

    Parameters
    ----------
    portfolio : DataFrame
        Columns of `PORTFOLIO`.
    bounds : mapping of column to float
        Largest absolute value of each.
    """
    broken = []
    for name, bound in bounds.items():
        worst = portfolio[name].abs().max()
        if worst > bound:
            broken.append(f"{name.replace('_', ' ')} reached {worst:.4g}, {bound:.4g} are allowed")
    summary = "; ".join(broken) or f"{len(portfolio)} snapshots are within {len(bounds)} limits"
    return CheckResult(
        passed=not broken,
        summary=summary,
        figures={"snapshots": len(portfolio), "limits_broken": len(broken)},
        see="risk" if broken else "",
    )


def check_signals_have_outcomes(asked: int, waiting: Sequence[str]) -> CheckResult:
    """Every signal that asks for a trade was filled, denied, late or expired, or its trade is at work.

    Parameters
    ----------
    asked : int
        Signals that ask for a trade.
    waiting : sequence of str
        Pair and bar of those without an outcome for longer than that takes.
    """
    summary = f"each of {asked} signals that ask for a trade has an outcome"
    if waiting:
        summary = f"{len(waiting)} of {asked} signals have no outcome: {', '.join(waiting[:5])}; is the trader running?"
    return CheckResult(
        passed=not waiting,
        summary=summary,
        figures={"signals": asked, "without_outcome": len(waiting)},
        see="trade" if waiting else "",
    )


def check_attribution_closes(attribution: "pd.DataFrame") -> CheckResult:
    """The components sum to the change of equity to one cent, in every account.

    Parameters
    ----------
    attribution : DataFrame
        Columns of `PERFORMANCE_ATTRIBUTION`.
    """
    rest = attribution.loc[attribution["scope"] == "account", ["account", "unexplained"]]
    open_ = rest[~(rest["unexplained"].abs() <= CENT + 1e-9)]
    said = [f"{amount:+,.2f} US$ of {account}" for account, amount in open_.itertuples(index=False, name=None)]
    summary = "the change of equity is explained to one cent"
    if said:
        summary = (
            f"nothing explains {', '.join(said)}: fills or bookings are missing, or the broker's prices are others"
        )
    return CheckResult(
        passed=not said,
        summary=summary,
        figures={
            "accounts": len(rest),
            "largest_unexplained": float(rest["unexplained"].abs().max() if len(rest) else 0),
        },
        see="portfolio" if said else "",
    )


def check_naked_time(episodes: Sequence[NakedTime], *, max_seconds: float, max_dollars: float) -> CheckResult:
    """No leg larger than `max_dollars` was without its hedge for longer than `max_seconds`."""
    too_long = [each for each in episodes if each.seconds > max_seconds and each.dollars > max_dollars]
    longest = max((each.seconds for each in episodes), default=0.0)
    exposed = math.fsum(each.seconds * each.dollars for each in episodes)
    summary = f"{len(episodes)} times a leg was naked, {longest:.0f} s at most"
    if too_long:
        worst = max(too_long, key=lambda each: each.seconds * each.dollars)
        summary += f"; {worst.pair} {worst.seconds:.0f} s with {worst.dollars:,.0f} US$; allowed: {max_seconds:.0f} s"
    return CheckResult(
        passed=not too_long,
        summary=summary,
        figures={"times": len(episodes), "longest_seconds": longest, "dollar_seconds": exposed},
        see="orders" if too_long else "",
    )


def check_slippage(found: Sequence[float], *, assumed_bps: float, max_multiple: float) -> CheckResult:
    """Mean slippage of the newest trades, basis points, is at most a multiple of what costs assume."""
    mean = math.fsum(found) / len(found) if found else 0.0
    bound = max_multiple * assumed_bps
    passed = mean <= bound
    summary = f"mean slippage of {len(found)} trades {mean:.1f} bp, {assumed_bps:.1f} assumed"
    return CheckResult(
        passed=passed,
        summary=summary if passed else f"{summary}: raise costs.slippage_bps, or trade more patiently",
        figures={"trades": len(found), "mean_bps": mean, "assumed_bps": assumed_bps},
    )


def check_drift(events: Sequence[Event]) -> CheckResult:
    """No pair has changed so that it takes no entries.

    Parameters
    ----------
    events : sequence of mapping
        Of the kind drift in the session.
    """
    told = [event for event in events if event["severity"] != "info"]
    messages = list(dict.fromkeys(event["message"] for event in told))
    pairs = {event["pair"] for event in told if event["pair"]}
    summary = "no pair has changed beyond what chance does"
    if told:
        summary = f"{'; '.join(messages[:3])}" + (f"; and {len(messages) - 3} more" if len(messages) > 3 else "")
    return CheckResult(
        passed=not told,
        summary=summary,
        figures={"pairs": len(pairs), "alarms": len(told)},
        see="risk" if told else "",
    )
