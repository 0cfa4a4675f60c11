"""The Dagster layer: one package per stage, in the order in which data flows."""

import warnings

import dagster as dg

from pairs_platform.defs.masking import mask_errors
from pairs_platform.settings.output import mask_output

# Partition mappings per dimension and backfill policies are marked beta, loading from modules preview, and they warn on
# every use; to be removed when they are not any more. docs/decisions says why they are used.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

mask_errors()
mask_output()
