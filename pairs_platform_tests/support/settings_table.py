"""Tables of settings in documents, drawn from their declarations.

A block begins with `<!-- settings: Name -->`, where Name is a class of `GROUPS`, and ends with an empty line.
"""

import re

from pairs_platform.core.risk.settings import EntrySettings, LimitSettings, SizingSettings
from pairs_platform.core.settings import SettingsGroup
from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.settings.model import described_fields
from pairs_platform.settings.valid_values import choices_of, unit_of

GROUPS: dict[str, type[SettingsGroup]] = {
    group.__name__: group for group in (EntrySettings, ExecutionSettings, LimitSettings, SizingSettings)
}
_BLOCK = re.compile(r"<!-- settings: (?P<group>\w+) -->\n(?:\|[^\n]*\n)*")
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def with_settings_tables(text: str) -> str:
    """A document with its tables as the settings are."""
    return _BLOCK.sub(lambda block: f"<!-- settings: {block['group']} -->\n{_table(GROUPS[block['group']])}", text)


def _table(group: type[SettingsGroup]) -> str:
    rows = ["| setting | default | unit | may be | meaning |", "| --- | --- | --- | --- | --- |"]
    for name, info in described_fields(group):
        bounds = [
            f"{sign} {_plain(getattr(each, bound))}"
            for each in info.metadata
            for bound, sign in _SIGNS.items()
            if getattr(each, bound, None) is not None
        ] or [f"`{choice}`" for choice in choices_of(info.annotation)]
        rows.append(
            f"| `{name}` | {_plain(info.default)} | {unit_of(info)} | {', '.join(bounds)} | {info.description} |"
        )
    return "".join(f"{row}\n" for row in rows)


def _plain(value: float | str) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"
