"""The code location that Dagster loads: `defs`, and nothing else."""

from pairs_platform.build import build_definitions
from pairs_platform.settings.loading import load_settings

defs = build_definitions(load_settings())
