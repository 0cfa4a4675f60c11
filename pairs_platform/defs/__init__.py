"""The Dagster layer: one package per stage, in the order in which data flows."""

import warnings

import dagster as dg

# Partition mappings per dimension and backfill policies are marked beta, loading from modules preview, and they warn on
# every use; to be removed when they are not any more. docs/decisions says why they are used.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
