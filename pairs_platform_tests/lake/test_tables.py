import re

import pytest

from pairs_platform.lake.tables import TABLES


@pytest.mark.parametrize("contract", TABLES, ids=lambda contract: contract.table)
def test_every_column_says_what_it_is_and_every_number_its_unit(contract):
    for name, column in contract.schema.columns.items():
        words = column.description or ""
        assert words.endswith("."), f"{name}: {words!r}"
        if re.match("(int|float)", str(column.dtype).lower()):
            assert re.search(r"\[[^\[\]]+\]\.$", words), f"{name} has no unit: {words}"
