"""Pure numerics and rules: arrays and frames in, frozen dataclasses or frames out. No orchestration, no input or output."""
