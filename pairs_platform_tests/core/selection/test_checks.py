import json

import pandas as pd
import pytest

from pairs_platform.core.selection.checks import check_document, check_pair_churn
from pairs_platform_tests.core.selection.test_trading_config import SCORES, config_of
from pairs_platform_tests.support.selection_tables import fits_of


class TestDocument:
    @pytest.fixture
    def config(self):
        return config_of(SCORES, fits_of(SCORES))

    def test_a_document_and_its_table(self, config):
        document = json.loads(json.dumps(config.document()))
        result = check_document(document, config.table())
        assert result.passed
        assert result.figures == {"pairs": len(config.pairs), "content_hash": config.content_hash}

    def test_an_edited_document(self, config):
        document = json.loads(json.dumps(config.document()))
        document["pairs"][0]["size"] = 0.25
        result = check_document(document, config.table())
        assert not result.passed
        assert "cannot be read back" in result.summary

    def test_no_document_at_all(self, config):
        assert not check_document({}, config.table()).passed

    def test_a_table_with_other_pairs(self, config):
        result = check_document(config.document(), config.table().iloc[::-1])
        assert not result.passed
        assert result.summary == "document and table list different pairs"

    def test_an_empty_configuration(self, config):
        assert len(config.pairs) > 1
        assert not check_document(config.document(), pd.DataFrame({"pair": []})).passed


@pytest.mark.parametrize(
    ("today", "previous", "churn"),
    [([], [], 0.0), (["A_B"], ["A_B"], 0.0), (["A_B"], [], 1.0), (["A_B", "A_C"], ["A_B", "B_C"], 2 / 3)],
)
def test_churn_is_the_share_of_pairs_that_changed(today, previous, churn):
    result = check_pair_churn(today, previous, max_churn=0.5)
    assert result.figures["churn"] == pytest.approx(churn)
    assert result.passed == (churn <= 0.5)


def test_churn_without_a_previous_session_passes_and_says_so():
    result = check_pair_churn(["A_B"], None, max_churn=0.0)
    assert result.passed
    assert "no previous session" in result.summary
