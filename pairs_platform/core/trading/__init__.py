"""Costs, the trading rule, the backtest, the Sharpe ratio; orders and fills, and a pair's trade as one object."""
