"""Costs, the trading rule, the backtest, the Sharpe ratio; orders, a pair's trade as one object, positions and cash."""
