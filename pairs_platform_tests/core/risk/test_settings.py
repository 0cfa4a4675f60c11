from pathlib import Path

import pytest

from pairs_platform.core.risk.settings import EntrySettings, LimitSettings, RiskSettings, SizingSettings
from pairs_platform.settings.model import described_fields

RISK = Path(__file__).parents[3] / "pairs_platform" / "core" / "risk"


def test_every_setting_has_a_unit_bounds_and_a_sentence():
    fields = described_fields(RiskSettings)
    assert len(fields) == sum(len(group.model_fields) for group in (EntrySettings, LimitSettings, SizingSettings))
    for path, info in fields:
        assert info.json_schema_extra["unit"], path
        assert info.description.endswith("."), path
        assert len(info.metadata) >= 2, f"{path} is open to one side"


def test_every_setting_is_obeyed():
    """One that no check reads would promise what nothing keeps."""
    source = "".join(path.read_text(encoding="utf-8") for path in RISK.glob("*.py") if path.name != "settings.py")
    names = [*EntrySettings.model_fields, *LimitSettings.model_fields, *SizingSettings.model_fields]
    assert [name for name in names if f".{name}" not in source] == []


def test_settings_whose_hard_loss_comes_first_are_refused():
    with pytest.raises(ValueError, match=r"soft_daily_loss 0\.03 must not be above hard_daily_loss 0\.02"):
        LimitSettings(soft_daily_loss=0.03)
