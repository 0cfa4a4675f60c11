import json
from datetime import date

import pandas as pd
import pytest
from pydantic import ValidationError

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.window import ExcludedSymbol
from pairs_platform.core.selection.contracts import TRADING_CONFIG
from pairs_platform.core.selection.trading_config import ModelSection, TradingConfig
from pairs_platform_tests.support.selection_tables import configured, fits_of

FRIDAY, MONDAY = date(2023, 3, 10), date(2023, 3, 13)
SCORES = {"A_B": 0.9, "A_C": 0.6, "A_D": 0.5, "B_C": 0.4, "PDFS_ROG": 0.3}


NO_FITS = fits_of([])


MODEL = ModelSection(
    name="pairs_trading_gru_garch_technology_v1", version=4, session=date(2023, 3, 9), pairs=("A_B", "A_D")
)


def config_of(scores: dict, fits: pd.DataFrame, model: ModelSection | None = None, **settings) -> TradingConfig:
    excluded = [ExcludedSymbol("C", "no prices")]
    return configured(scores, FRIDAY, fits=fits, model=model, excluded=excluded, **settings)[1]


def test_only_pairs_that_the_model_holds_carry_its_version():
    table = config_of(SCORES, fits_of(SCORES), MODEL).table().set_index("pair")
    assert table["model_version"].dropna().to_dict() == {"A_B": 4, "A_D": 4}
    assert config_of(SCORES, fits_of(SCORES)).table()["model_version"].isna().all()


def test_a_model_that_has_seen_later_sessions_is_refused():
    with pytest.raises(ValidationError, match="version 4 has seen 2023-03-13"):
        config_of(SCORES, fits_of(SCORES), MODEL.model_copy(update={"session": MONDAY}))


def test_selected_pinned_and_watched_pairs_with_full_window_parameters():
    config = config_of(SCORES, fits_of(SCORES), watchlist_size=2, pinned_pairs=("PDFS_ROG",))
    assert [(p.pair, p.role, p.size) for p in config.pairs] == [
        ("A_B", "selected", 0.5), ("PDFS_ROG", "pinned", 0.0), ("A_C", "watched", 0.0), ("A_D", "watched", 0.0),
    ]  # fmt: skip
    chosen = config.with_role("selected")[0]
    assert chosen.provisional
    assert (chosen.spread.y, chosen.spread.x, chosen.spread.alpha) == ("B", "A", 0.1)
    assert chosen.spread.definition == "log-engle-granger-1"
    assert chosen.spread.parameters().beta == 1.0
    assert chosen.garch.max_hold_bars == 3 * 13.5134
    assert chosen.garch.reference_variance == 5.1e-7
    assert (config.session, config.valid_for) == (FRIDAY, MONDAY)


def test_a_pair_that_drifts_takes_no_new_entries_and_its_row_says_so():
    scores = {"A_B": 0.9, "A_C": 0.9, "A_D": 0.9}
    told = {"held_back": {"A_B": "β has moved"}, "remarks": {"A_C": "drift is watched: the mean shifts"}}
    rankings, config = configured(scores, FRIDAY, **told)
    assert rankings["selected"].all()
    assert [(pair.pair, pair.role, pair.size) for pair in config.pairs] == [
        ("A_C", "selected", 0.5), ("A_D", "selected", 0.5), ("A_B", "watched", 0.0),
    ]  # fmt: skip
    table = config.table().set_index("pair")["explanation"]
    assert table["A_B"].endswith(f", but no new entries in {MONDAY}: β has moved")
    assert table["A_C"].endswith("; drift is watched: the mean shifts")
    assert table["A_D"] == rankings.set_index("pair").loc["A_D", "explanation"]
    assert config.content_hash != configured(scores, FRIDAY)[1].content_hash
    assert TradingConfig.from_document(config.document()) == config


def test_document_is_read_back_to_the_last_digit():
    config = config_of(SCORES, fits_of(SCORES))
    again = TradingConfig.model_validate(json.loads(json.dumps(config.document())))
    assert again == config
    assert TradingConfig.model_validate_json(config.model_dump_json()) == config
    assert again.pairs[0].garch.diurnal == (2.8, 0.9, 0.1 + 0.2)


def test_hash_follows_the_content_and_nothing_else():
    config = config_of(SCORES, fits_of(SCORES))
    assert config_of(SCORES, fits_of(SCORES)).content_hash == config.content_hash
    fits = fits_of(SCORES)
    fits["last_variance"] *= 1 + 1e-12
    assert config_of(SCORES, fits).content_hash != config.content_hash


def test_an_edited_document_is_refused():
    document = config_of(SCORES, fits_of(SCORES)).document()
    document["pairs"][0]["size"] = 1.0
    with pytest.raises(ValidationError, match="does not match its hash"):
        TradingConfig.model_validate(document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"valid_for": "2023-03-14"}, "not the session after"),
        ({"unknown": 1}, "Extra inputs"),
        ({"version": 1}, "Input should be 2"),
    ],
)
def test_an_inconsistent_document_is_refused(change, words):
    document = config_of(SCORES, fits_of(SCORES)).document() | {"content_hash": ""} | change
    with pytest.raises(ValidationError, match=words):
        TradingConfig.model_validate(document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"valid_for": "2023-03-14"}, "valid_for 2023-03-14 is not the session after 2023-03-10"),
        ({"valid_for": "soon"}, "valid_for has a value that it cannot have, 'soon'"),
        ({"unknown": 1}, "unknown is no field of it"),
        (
            {"costs": {"commission_bps": -1}, "sector": None, "version": 1},
            "version has a value that it cannot have, 1; ",
        ),
    ],
)
def test_a_document_that_cannot_be_read_back_is_told_in_our_words(change, words):
    document = config_of(SCORES, fits_of(SCORES)).document() | {"content_hash": ""} | change
    with pytest.raises(DataError) as refused:
        TradingConfig.from_document(document)
    assert words in str(refused.value)
    assert not any(phrase in str(refused.value).lower() for phrase in ("pydantic", "validation error", "input should"))
    with pytest.raises(DataError, match="session is missing; valid_for is missing; sector is missing and 8 more"):
        TradingConfig.from_document({})


def test_pairs_of_a_document_are_unique_and_sized_by_role():
    document = config_of(SCORES, fits_of(SCORES)).document() | {"content_hash": ""}
    twice = document | {"pairs": [document["pairs"][0]] * 2}
    with pytest.raises(ValidationError, match="more than once"):
        TradingConfig.model_validate(twice)
    watched = document["pairs"][-1] | {"size": 0.5}
    with pytest.raises(ValidationError, match="does not go with the role"):
        TradingConfig.model_validate(document | {"pairs": [watched]})
    bare = document["pairs"][0] | {"garch": None}
    with pytest.raises(ValidationError, match="needs its spread, its GARCH state and a half-life"):
        TradingConfig.model_validate(document | {"pairs": [bare]})


def test_table_holds_its_contract_and_the_documents_numbers():
    config = config_of(SCORES, fits_of(SCORES))
    table = TRADING_CONFIG.require(config.table())
    row = table.set_index("pair").loc["A_B"]
    assert row["content_hash"] == config.content_hash
    assert row["last_variance"] == config.pairs[0].garch.last_variance
    assert row["valid_for"] == pd.Timestamp(MONDAY)


def test_nothing_selected_is_an_empty_and_valid_configuration():
    config = config_of({}, NO_FITS, pinned_pairs=())
    assert config.pairs == ()
    table = TRADING_CONFIG.require(config.table())
    assert table.empty
    assert TradingConfig.model_validate(config.document()) == config


def test_a_pinned_pair_without_a_fit_is_listed_without_parameters():
    config = config_of({"A_B": None}, NO_FITS, pinned_pairs=("A_B", "A_C"))
    assert [(p.pair, p.role, p.spread, p.garch) for p in config.pairs] == [
        ("A_B", "pinned", None, None), ("A_C", "pinned", None, None),
    ]  # fmt: skip
    assert "not in the window" in config.pairs[1].explanation
    assert TRADING_CONFIG.violations(config.table()) == []
