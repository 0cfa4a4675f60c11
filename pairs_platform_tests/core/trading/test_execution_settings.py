from pathlib import Path

import pytest
from pydantic import ValidationError

from pairs_platform.core.trading.execution_settings import ExecutionSettings

TRADING = Path(__file__).parents[3] / "pairs_platform" / "core" / "trading"


def test_every_setting_has_a_unit_a_description_and_numbers_have_bounds():
    for name, field in ExecutionSettings.model_fields.items():
        assert field.json_schema_extra["unit"], name
        assert field.description.endswith("."), name
        assert isinstance(field.default, str) or len(field.metadata) == 2, name


def test_the_widest_collar_is_no_narrower_than_the_first():
    assert ExecutionSettings(collar_bps=200, widest_collar_bps=200).collar_bps == 200
    with pytest.raises(ValidationError, match=r"collar_bps 20 must not be above widest_collar_bps 19\.9"):
        ExecutionSettings(widest_collar_bps=19.9)


def test_every_setting_is_obeyed():
    """One that nothing reads would promise what nothing keeps."""
    source = "".join(path.read_text(encoding="utf-8") for path in TRADING.glob("*.py"))
    assert [name for name in ExecutionSettings.model_fields if f"settings.{name}" not in source] == []
