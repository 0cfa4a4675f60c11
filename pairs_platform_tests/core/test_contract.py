import re

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from pairs_platform.core.contract import Contract, rule_in_words
from pairs_platform.core.errors import ContractViolation
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS, PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.lake.tables import TABLES
from pairs_platform_tests.support.price_samples import FULL, make_actions, make_bars

BARS = make_bars([FULL])


def with_values(name: str, *rows: int, value: float) -> pd.DataFrame:
    bars = BARS.copy()
    bars.loc[list(rows), name] = value
    return bars


@pytest.mark.parametrize("contract", [PRICE_HISTORY, PRICE_QUARANTINE, PRICE_FLAGS, CORPORATE_ACTIONS])
def test_no_rows_satisfy_every_contract(contract):
    assert contract.violations(contract.empty()) == []
    assert tuple(contract.empty().columns) == contract.columns


def test_rows_get_the_columns_types_and_order_of_the_contract():
    rows = [{"kind": "zero_volume", "symbol": "AAA", "session": "2024-07-03", "detail": float("nan"), "other": 1}, {}]
    frame = PRICE_FLAGS.frame(rows)
    assert tuple(frame.columns) == PRICE_FLAGS.columns
    assert frame.dtypes.astype(str).tolist() == [PRICE_FLAGS.dtype(name) for name in PRICE_FLAGS.columns]
    assert frame.iloc[0].tolist() == ["AAA", pd.Timestamp("2024-07-03"), "zero_volume", None, None]
    assert frame["symbol"].iloc[1] is None
    pd.testing.assert_frame_equal(PRICE_FLAGS.frame(frame[::-1][::-1].assign(more=1)), frame)
    pd.testing.assert_frame_equal(PRICE_FLAGS.frame([]), PRICE_FLAGS.empty())


def test_bars_and_actions_are_named_as_the_tables_that_keep_them():
    assert PRICE_HISTORY.columns == BAR_COLUMNS
    assert PRICE_QUARANTINE.columns == (*BAR_COLUMNS, "reason")
    assert CORPORATE_ACTIONS.columns == ACTION_COLUMNS


def test_the_price_tables_name_the_asset_that_writes_them():
    assert PRICE_HISTORY.written_by == "price_history"
    assert {PRICE_QUARANTINE.written_by, PRICE_FLAGS.written_by, CORPORATE_ACTIONS.written_by} == {"price_history"}


def test_good_bars_hold():
    assert PRICE_HISTORY.require(BARS) is BARS
    assert PRICE_HISTORY.violations(with_values("volume", 3, value=0.123456)) == []


@pytest.mark.parametrize(
    ("bars", "words"),
    [
        (with_values("close", 3, 5, value=-1.0), "close must be above 0.0: fails on 2 rows, first on row 3 with -1.0"),
        (with_values("open", 3, value=np.nan), "open must not be empty: fails on 1 row, first on row 3 with nan"),
        (with_values("high", 3, value=np.inf), "high must be finite: fails on 1 row, first on row 3 with inf"),
        (with_values("high", 3, value=40.0), "high is not below open or close: fails on 1 row, first on row 3"),
        (with_values("low", 3, value=60.0), "low is not above open, high or close: fails on 1 row, first on row 3"),
        (
            with_values("volume", 3, value=-5.0),
            "volume must be 0.0 or more: fails on 1 row, first on row 3 with -5.0",
        ),
        (BARS.iloc[::-1], "sorted by symbol and time (found False)"),
        (pd.concat([BARS, BARS.tail(1)]), "rows must be unique: fails on 2 rows, first on row 155"),
        (BARS.drop(columns="low"), "column low is missing"),
        (BARS.assign(sector="x"), "column sector does not belong to the table"),
        (BARS[BARS.columns[::-1]], "column volume is at another place than the table has it"),
        (with_values("volume", 3, value=np.inf), "volume must be finite: fails on 1 row, first on row 3 with inf"),
        (BARS.assign(volume=1), "volume must be of type float64 (found int64)"),
        (
            BARS.assign(ts_utc=BARS["ts_utc"].dt.tz_localize(None)),
            "ts_utc must be of type datetime64[ns, UTC] (found datetime64[ns])",
        ),
        (BARS.assign(symbol=7), "symbol must be of type str: fails on 156 rows, first on row 0 with 7"),
    ],
)
def test_each_violation_is_told_in_words(bars, words):
    assert words in PRICE_HISTORY.violations(bars)
    with pytest.raises(ContractViolation, match=r"^price_history v2: "):
        PRICE_HISTORY.require(bars)


def test_no_check_of_any_table_is_told_by_the_name_that_the_library_gives_it():
    checks = [
        str(check.error)
        for contract in TABLES
        for part in (contract.schema, *contract.schema.columns.values())
        for check in part.checks
    ]
    assert len(checks) > 50
    assert [check for check in checks if re.match(r"\w+\(|\w*_\w*$", rule_in_words(check))] == []


def test_the_index_takes_no_part():
    assert PRICE_HISTORY.violations(BARS.set_index(pd.Index([0] * len(BARS)))) == []


def test_many_violations_are_cut_short():
    bars = BARS.assign(**dict.fromkeys(["open", "high", "low", "close"], -1.0), volume=-1, extra=1, more=2)
    with pytest.raises(ContractViolation, match=r"and \d more$"):
        PRICE_HISTORY.require(bars)


def test_actions_are_positive_and_of_a_known_kind():
    good = make_actions(("AAA", "2024-07-02", "split", 2.0, "2024-06-01"))
    assert CORPORATE_ACTIONS.violations(good) == []
    for name, value in (("value", 0.0), ("kind", "merger")):
        assert len(CORPORATE_ACTIONS.violations(good.assign(**{name: value}))) == 1
    assert len(CORPORATE_ACTIONS.violations(pd.concat([good, good]))) == 1


@pytest.mark.parametrize("options", [{"strict": False}, {"strict": True, "coerce": True}])
def test_a_lenient_schema_is_no_contract(options):
    with pytest.raises(ValueError, match="strict and does not coerce"):
        Contract(table="t", version=1, schema=pa.DataFrameSchema({"a": pa.Column(int)}, **options))
