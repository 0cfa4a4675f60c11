"""Pure numerics and rules: arrays and frames in, dataclasses or frames out; no orchestration, no input or output."""
