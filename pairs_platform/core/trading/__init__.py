"""Costs, the trading rule, the backtest, the Sharpe ratio."""
