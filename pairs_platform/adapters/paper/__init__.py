"""The internal paper broker: orders are filled from bars as the backtest fills them, with no key and no network."""
