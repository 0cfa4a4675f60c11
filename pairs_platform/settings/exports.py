"""Settings of exports; light enough to be read while definitions load.

What does not belong here: writing files (`views.reports.files`), and what is in them (`views.reports.tables`).
"""

from typing import Literal

from pairs_platform.core.settings import SettingsGroup, setting

Format = Literal["csv", "xlsx", "parquet"]


class ExportSettings(SettingsGroup):
    """What the asset `exports` writes."""

    formats: tuple[Format, ...] = setting(
        ("csv", "xlsx", "parquet"), unit="names", min_length=1, description="A file of each table in each of these."
    )
