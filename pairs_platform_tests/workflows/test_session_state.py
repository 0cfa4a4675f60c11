"""What the signals of a session rest on: when its file is made again, and which models it asks."""

import json

from pairs_platform.cli import models
from pairs_platform.core.selection.trading_config import TradingConfig
from pairs_platform.platform import Platform
from pairs_platform_tests.support.away_registry import AwayRegistry
from pairs_platform_tests.support.decisions import promote
from pairs_platform_tests.support.demo_profile import SECTOR, SESSIONS, key
from pairs_platform_tests.support.streamed_profile import (
    CONFIGURED,
    FIRST_PAIR,
    Live,
    challenge,
    live,
    server,
)

__all__ = ["live", "server"]


class TestConfiguration:
    def test_a_changed_one_is_used_from_the_next_bar_on(self, live):
        live.stream(0)
        live.compute()
        document = live.platform.lake.read_document("trading_config", key(CONFIGURED))
        fewer = TradingConfig.model_validate({**document, "pairs": document["pairs"][:2], "content_hash": ""})
        live.platform.lake.document_path("trading_config", key(CONFIGURED)).write_text(json.dumps(fewer.document()))
        live.stream(1)
        live.compute()
        assert live.rows["config_hash"].nunique() == 2
        assert live.rows["pair"].value_counts().to_dict() == {
            FIRST_PAIR: 2, "PDFS_ROG": 2, "AMAT_PDFS": 1, "AMD_ROG": 1,
        }  # fmt: skip

    def test_a_damaged_session_state_is_made_again(self, live):
        live.stream(0)
        live.compute()
        (path,) = (live.platform.settings.profile_root / "signals" / SECTOR).glob("*.safetensors")
        content = path.read_bytes()
        path.write_bytes(content[:100])
        live.stream(1)
        live.compute()
        assert path.read_bytes() == content


class TestModels:
    def test_promotion_and_rollback_by_hand_count_from_the_next_bar_on(self, live):
        promote(live.platform, 1, SESSIONS[0])
        live.stream(0)
        live.compute()
        for k, words in enumerate((["promote", "2"], ["rollback"], ["promote", "3"]), start=1):
            models.command.main(args=words, standalone_mode=False)
            live.stream(k)
            live.compute()
        assert live.versions() == [1, 2, 1, None], "version 3 was trained on the session itself"
        probability = live.rows.set_index(["pair", "bar_utc"])["probability_champion"].notna()
        assert probability[FIRST_PAIR].tolist() == [True, True, True, False]

    def test_a_challenger_is_asked_beside_it(self, live):
        promote(live.platform, 1, SESSIONS[0])
        challenge(live.platform, 2)
        live.stream(0)
        live.compute()
        row = live.rows.set_index("pair").loc[FIRST_PAIR]
        assert (row["champion_version"], row["challenger_version"]) == (1, 2)
        assert 0.0 < row["probability_challenger"] < 1.0
        assert row["probability_challenger"] != row["probability_champion"]

    def test_one_that_is_too_old_is_not_asked(self, live):
        promotion = live.platform.settings.gru.promotion.model_copy(update={"max_age_sessions": 0})
        gru = live.platform.settings.gru.model_copy(update={"promotion": promotion})
        promote(live.platform, 1, SESSIONS[0])
        live.stream(0)
        strict = Live(Platform(live.platform.settings.model_copy(update={"gru": gru})))
        strict.compute()
        assert strict.versions() == [None]

    def test_a_registry_that_is_away_costs_the_model_and_not_the_signals(self, live):
        promote(live.platform, 1, SESSIONS[0])
        live.stream(0)
        live.again(models=AwayRegistry()).compute()
        live.stream(1)
        live.again().compute()
        assert live.versions() == [None, 1]
