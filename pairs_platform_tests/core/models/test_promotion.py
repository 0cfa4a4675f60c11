from datetime import date

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.models.promotion import Candidate, PromotionState, compare, decide_promotion, first_tries
from pairs_platform.core.models.settings import PromotionSettings
from pairs_platform.core.prices.calendar import session_offset

START = date(2023, 1, 3)
RULES = PromotionSettings(challenger_sessions=20, max_age_sessions=60)


N_TEST = 12


def candidate(version: int, offset: int, skill_p: float | None = 0.001) -> Candidate:
    return Candidate(version, session_offset(START, offset), None if skill_p is None else 0.002, skill_p)


def losses(version: int, skills: dict[int, float], *, lift: dict[int, float] | None = None, pairs=("A_B", "A_C")):
    """Shadow rows of a version: skill (and lift) per label by session offset."""
    rows = [
        {
            "session": session_offset(START, offset), "alias": "champion", "version": version, "pair": pair,
            "n_labels": 70, "loss": 70 * (0.69 - skill), "base_loss": 70 * 0.69,
            "baseline_loss": 70 * (0.69 - skill + (lift or {}).get(offset, skill)),
        }
        for offset, skill in skills.items()
        for pair in pairs
    ]  # fmt: skip
    return pd.DataFrame(rows)


NO_SHADOW = losses(1, {0: 0.0}).iloc[:0]


def actions(
    candidates,
    champion=None,
    challenger=None,
    *,
    at: int,
    shadow=NO_SHADOW,
    looks: int = 0,
    vacant_since: int | None = None,
    settings=RULES,
):
    state = PromotionState(
        session=session_offset(START, at),
        candidates=candidates,
        champion=champion,
        challenger=challenger,
        champion_looks=looks,
        shadow=shadow,
        vacant_since=None if vacant_since is None else session_offset(START, vacant_since),
        test_sessions=N_TEST,
    )
    return [(change.action, change.alias, change.version_after) for change in decide_promotion(state, settings)]


V1, V2, V3 = candidate(1, 0), candidate(2, 1), candidate(3, 25)


class TestFirst:
    def test_needs_skill_above_zero_on_test(self):
        assert actions([V1], at=0) == [("promote_first", "champion", 1)]
        assert actions([candidate(1, 0, 0.0251)], at=0) == []
        assert actions([candidate(1, 0, None)], at=0) == []
        assert actions([], at=0) == []

    def test_a_version_is_tried_once_its_test_part_is_behind_the_last_one_tried_and_at_a_smaller_level(self):
        missed = [candidate(n + 1, n, 0.5) for n in range(N_TEST)]
        assert actions([*missed[:-1], candidate(99, N_TEST - 1, 0.001)], at=N_TEST - 1) == []
        assert actions([*missed, candidate(99, N_TEST, 0.0084)], at=N_TEST) == []
        assert actions([*missed, candidate(99, N_TEST, 0.0083)], at=N_TEST) == [("promote_first", "champion", 99)]

    def test_the_tries_begin_again_when_a_champion_has_left(self):
        sessions = [session_offset(START, n) for n in range(40)]
        tries = first_tries(sessions, None, N_TEST)
        assert tries == [sessions[0], sessions[12], sessions[24], sessions[36]]
        assert first_tries(sessions, sessions[30], N_TEST) == [sessions[30]]
        assert first_tries(sessions[:26], sessions[30], N_TEST) == [sessions[25]]
        many = [candidate(n + 1, n, 0.02) for n in range(30)]
        assert actions(many, at=29, vacant_since=29) == [("promote_first", "champion", 30)]
        assert actions(many, at=29, vacant_since=28) == []

    def test_without_skill_few_histories_ever_have_a_champion(self):
        """A version a session for 120 sessions, each with a p of its own: as many chances as there could be."""
        rng = np.random.default_rng(1)
        found = 0
        for _ in range(200):
            versions = [candidate(n + 1, n, float(rng.random())) for n in range(120)]
            found += any(actions(versions[: n + 1], at=n) for n in range(0, 120, N_TEST))
        assert found / 200 < 0.09

    def test_a_version_that_is_too_old_is_not_promoted(self):
        assert actions([V1], at=61) == []


class TestFreeze:
    def test_the_newest_later_version_is_frozen_and_newer_ones_wait(self):
        assert actions([V1, V2], V1, at=1) == [("freeze_challenger", "challenger", 2)]
        assert actions([V1, V2, candidate(3, 2)], V1, V2, at=2) == []

    def test_nothing_is_decided_before_the_freeze_ends(self):
        days = {k: 0.0 for k in range(2, 21)}
        shadow = pd.concat([losses(1, days), losses(2, {k: 0.1 for k in days})])
        assert actions([V1, V2], V1, V2, at=20, shadow=shadow) == []


class TestEndOfFreeze:
    def shadow(self, gain: float, noise: float = 0.001) -> pd.DataFrame:
        rng = np.random.default_rng(1)
        days = range(2, 22)
        own = {k: 0.002 + noise * rng.standard_normal() for k in days}
        return pd.concat(
            [losses(1, own), losses(2, {k: v + gain + noise * rng.standard_normal() for k, v in own.items()})]
        )

    def test_a_significant_challenger_takes_over(self):
        assert actions([V1, V2], V1, V2, at=21, shadow=self.shadow(0.003)) == [
            ("promote_significance", "champion", 2),
            ("retire_challenger", "challenger", None),
        ]

    def test_one_that_is_not_better_makes_room_for_the_newest(self):
        assert actions([V1, V2, candidate(3, 20)], V1, V2, at=21, shadow=self.shadow(0.0)) == [
            ("retire_challenger", "challenger", None),
            ("freeze_challenger", "challenger", 3),
        ]

    def test_later_looks_ask_for_more(self):
        shadow = self.shadow(0.0007)
        comparison = compare(shadow[shadow["version"] == 1], shadow[shadow["version"] == 2])
        assert 0.05 / 6 < comparison.p < 0.025
        assert actions([V1, V2], V1, V2, at=21, shadow=shadow, looks=0)[0][0] == "promote_significance"
        assert actions([V1, V2], V1, V2, at=21, shadow=shadow, looks=1)[0][0] == "retire_challenger"

    def test_the_levels_of_all_looks_sum_to_the_significance(self):
        assert sum(0.05 / (k * (k + 1)) for k in range(1, 100_000)) == pytest.approx(0.05, rel=1e-4)

    def test_too_few_sessions_decide_nothing_by_significance(self):
        settings = PromotionSettings(challenger_sessions=10, max_age_sessions=60)
        days = range(2, 12)
        shadow = pd.concat([losses(1, {k: 0.0 for k in days}), losses(2, {k: 0.1 + 0.001 * k for k in days})])
        assert actions([V1, V2], V1, V2, at=11, shadow=shadow, settings=settings)[0] == (
            "retire_challenger",
            "challenger",
            None,
        )

    def test_before_the_champion_is_too_old_a_challenger_with_skill_succeeds(self):
        settings = PromotionSettings(challenger_sessions=10, max_age_sessions=20)
        days = range(2, 12)
        good = pd.concat([losses(1, {k: 0.002 for k in days}), losses(2, {k: 0.001 for k in days})])
        assert actions([V1, V2], V1, V2, at=11, shadow=good, settings=settings)[0] == (
            "promote_succession",
            "champion",
            2,
        )
        bad = pd.concat([losses(1, {k: 0.002 for k in days}), losses(2, {k: -0.001 for k in days})])
        assert actions([V1, V2], V1, V2, at=11, shadow=bad, settings=settings)[0] == (
            "retire_challenger",
            "challenger",
            None,
        )


class TestLoss:
    def test_a_champion_expires_and_the_newest_with_skill_follows(self):
        assert actions([V1], V1, at=60) == []
        assert actions([V1], V1, at=61) == [("expire", "champion", None)]
        assert actions([V1, V3], V1, at=61) == [("expire", "champion", None), ("promote_first", "champion", 3)]

    def test_a_champion_whose_lift_falls_is_demoted_and_does_not_come_back_at_once(self):
        days = {k: 0.0 for k in range(1, 31)}
        lift = {k: 0.01 if k < 24 else -0.01 for k in days}
        assert actions([V1], V1, at=30, shadow=losses(1, days, lift=lift)) == [("demote", "champion", None)]
        steady = dict.fromkeys(days, 0.01)
        assert actions([V1], V1, at=30, shadow=losses(1, days, lift=steady)) == []

    def test_seven_sessions_alone_demote_nobody(self):
        days = {k: 0.0 for k in range(1, 8)}
        assert actions([V1], V1, at=7, shadow=losses(1, days, lift={k: -0.1 * k for k in days})) == []


class TestCompare:
    def test_only_common_pairs_and_sessions_count(self):
        first = losses(1, {1: 0.0, 2: 0.0, 3: 0.0}, pairs=("A_B", "A_C"))
        second = losses(2, {2: 0.01, 3: 0.02, 4: 0.9}, pairs=("A_C", "X_Y"))
        comparison = compare(first, second)
        assert (comparison.n_sessions, comparison.n_pairs) == (2, 1)
        assert comparison.difference == pytest.approx(0.015)

    def test_more_pairs_of_the_same_session_are_no_more_evidence(self):
        rng = np.random.default_rng(2)
        skills = {k: 0.001 * rng.standard_normal() for k in range(1, 21)}
        few = compare(losses(1, dict.fromkeys(skills, 0.0)), losses(2, skills))
        many = [f"P{k}_Q" for k in range(40)]
        more = compare(losses(1, dict.fromkeys(skills, 0.0), pairs=many), losses(2, skills, pairs=many))
        assert more.t == pytest.approx(few.t)

    def test_the_conclusion(self):
        assert "nothing can be said" in compare(losses(1, {1: 0.0}), losses(2, {1: 0.0})).conclusion
        flat = compare(losses(1, dict.fromkeys(range(1, 9), 0.0)), losses(2, dict.fromkeys(range(1, 9), 0.01)))
        assert np.isnan([flat.t, flat.p, flat.low]).all()
        assert "on each of 8 sessions: without variance nothing can be said" in flat.conclusion
        assert "is better" in compare(losses(1, {k: 0.0 for k in (1, 2, 3)}),
                                      losses(2, {1: 0.01, 2: 0.0101, 3: 0.0102})).conclusion  # fmt: skip


def test_equal_models_are_seldom_promoted_over_many_looks():
    """A champion that is compared with challengers of equal skill for ten looks loses its place in under 5 %."""
    rng = np.random.default_rng(3)
    from scipy import stats

    draws = rng.standard_normal((4000, 10, 20))
    p = stats.ttest_1samp(draws, 0.0, axis=2, alternative="greater").pvalue
    level = 0.05 / (np.arange(1, 11) * np.arange(2, 12))
    assert (p < level).any(axis=1).mean() < 0.05
