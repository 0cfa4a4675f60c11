import pytest

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable


def test_without_a_word_the_platforms_own_account_is_traded():
    settings = load_settings()
    assert settings.broker.kind == "paper"
    assert settings.broker.paper.cash == 100_000


def test_an_account_that_is_filled_by_bars_has_bars_to_fill_in():
    settings = load_settings()
    execution, risk = settings.execution_settings, settings.risk_settings
    assert (execution.legging, execution.order_type, execution.entry_seconds) == ("simultaneous", "market", 300)
    assert execution.leg_timeout_seconds == execution.naked_seconds == execution.max_quote_age_seconds == 900
    assert risk.entries.max_signal_age_seconds == 300
    assert execution.max_attempts == settings.execution.max_attempts


def test_another_broker_is_traded_as_the_settings_say(monkeypatch):
    monkeypatch.setenv(variable("broker.kind"), "alpaca")
    settings = load_settings()
    assert settings.execution_settings == ExecutionSettings()
    assert settings.risk_settings == RiskSettings()


def test_real_money_is_refused_without_the_words(monkeypatch):
    monkeypatch.setenv(variable("broker.kind"), "alpaca")
    monkeypatch.setenv(variable("broker.alpaca.base_url"), "https://api.alpaca.markets")
    with pytest.raises(SettingsError, match="trade with real money"):
        load_settings()
