import json
import re
from pathlib import Path

import pytest

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.processes.broker import faults as faults_module
from pairs_platform.processes.broker.faults import (
    FAULT_NAMES,
    PRESETS,
    Faults,
    FaultScript,
    Occasion,
    fault_script,
)

SUBMIT = {"symbol": "AAA", "side": "buy"}


def faults(*each: dict, seed: int = 1) -> Faults:
    return Faults(FaultScript.model_validate({"seed": seed, "faults": list(each)}))


def acts(script: Faults, n: int, **what: str) -> list[bool]:
    return [script.drawn(Occasion.SUBMIT, **{**SUBMIT, **what}) is not None for _ in range(n)]


def test_a_fault_acts_once_after_what_it_skips_and_every_time_where_it_says_so():
    assert acts(faults({"do": "reject_later", "skip": 2}), 4) == [False, False, True, False]
    assert acts(faults({"do": "reject_later", "times": 0}), 3) == [True, True, True]


def test_a_fault_keeps_to_its_symbol_its_side_and_its_occasion():
    script = faults({"do": "reject_later", "symbol": "BBB", "side": "sell", "times": 0})
    assert acts(script, 1) == acts(script, 1, symbol="BBB") == [False]
    assert acts(script, 1, symbol="BBB", side="sell") == [True]
    assert script.drawn(Occasion.CANCEL, symbol="BBB", side="sell") is None
    assert script.acted == ["reject_later"]


def test_only_a_sale_is_refused_the_borrow_and_only_an_execution_has_no_shares():
    script = faults({"do": "borrow_refused"}, {"do": "zero_quantity"})
    assert acts(script, 1) == [False]
    assert script.drawn(Occasion.EVENT, symbol="AAA", side="buy", event="new") is None
    assert acts(script, 1, side="sell") == [True]
    assert script.drawn(Occasion.EVENT, symbol="AAA", side="buy", event="fill") is not None


def test_chance_follows_from_the_seed_and_one_fault_moves_no_other():
    fault = {"do": "reject_later", "probability": 0.3, "times": 0}
    alone = acts(faults(fault), 200)
    assert alone == acts(faults(fault), 200) != acts(faults(fault, seed=2), 200)
    assert 30 < sum(alone) < 90
    beside = faults(fault, {"do": "duplicate_event", "probability": 0.5, "times": 0})
    got = []
    for _ in range(200):
        beside.drawn(Occasion.EVENT, symbol="AAA", side="buy", event="new")
        got += acts(beside, 1)
    assert got == alone


def test_the_page_of_the_simulated_broker_has_every_fault_and_every_preset():
    page = (Path(faults_module.__file__).parents[3] / "docs" / "broker.md").read_text(encoding="utf-8")
    listed = {word for row in page.splitlines() if row.startswith("| `") for word in re.findall("`([a-z_0-9]+)`", row)}
    assert {*FAULT_NAMES, *PRESETS} <= listed


class TestWords:
    def test_presets_and_single_faults_together(self):
        script = fault_script(["paper", "reject_later"], seed=5)
        assert script.seed == 5
        assert script.faults[:-1] == PRESETS["paper"]
        assert (script.faults[-1].do, script.faults[-1].times) == ("reject_later", 1)

    def test_a_wrong_one_is_told_all_that_there_are(self):
        with pytest.raises(NotFound) as refused:
            fault_script(["choas"], seed=1)
        assert all(name in str(refused.value) for name in (*PRESETS, *FAULT_NAMES))

    @pytest.mark.parametrize("ending", ["yaml", "json"])
    def test_a_file(self, tmp_path, ending):
        path = tmp_path / f"faults.{ending}"
        path.write_text(json.dumps({"seed": 9, "faults": [{"do": "split", "symbol": "AAA", "ratio": 0.5}]}))
        script = fault_script([str(path)], seed=1)
        assert (script.seed, script.faults[0].ratio) == (9, 0.5)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("faults: [{do: nothing}]", "faults.0.do"),
            ("faults: [{do: reject_later, often: 2}]", "faults.0.often"),
            ("faults: [{do: split}]", "a split needs its symbol"),
            ("faults: [", "is no YAML"),
            ("- a list", "content"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_named_with_the_place(self, tmp_path, content, reason):
        path = tmp_path / "faults.yaml"
        path.write_text(content)
        with pytest.raises(ConfigurationError, match=reason) as refused:
            fault_script([str(path)], seed=1)
        assert str(path) in str(refused.value)

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigurationError, match="No such file"):
            fault_script([str(tmp_path / "none.yaml")], seed=1)
