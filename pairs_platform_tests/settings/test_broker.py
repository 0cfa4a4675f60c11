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


def test_the_simulated_broker_is_on_this_machine_and_never_costs_money(monkeypatch):
    monkeypatch.setenv(variable("broker.simulated.port"), "8999")
    monkeypatch.setenv(variable("broker.alpaca.base_url"), "https://api.alpaca.markets")
    monkeypatch.setenv(variable("broker.alpaca.real_money"), "trade with real money")
    account = load_settings().broker.simulated_account
    assert (account.base_url, account.is_paper, account.real_money) == ("http://127.0.0.1:8999", True, "")


def test_what_takes_a_broker_its_real_time_takes_more_of_a_faster_market(monkeypatch):
    monkeypatch.setenv(variable("broker.kind"), "simulated")
    monkeypatch.setenv(variable("stream.replay.speed"), "20")
    execution, risk = load_settings().execution_settings, load_settings().risk_settings
    assert execution.leg_timeout_seconds == 20 * ExecutionSettings().leg_timeout_seconds
    assert execution.naked_seconds == 20 * ExecutionSettings().naked_seconds
    assert execution.difference_seconds == ExecutionSettings().difference_seconds
    assert risk.entries.max_signal_age_seconds == 20 * RiskSettings().entries.max_signal_age_seconds
    monkeypatch.setenv(variable("stream.replay.speed"), "0.5")
    assert load_settings().execution_settings == ExecutionSettings()


def test_a_kind_is_chosen_by_a_variable_and_not_by_what_is_shipped(monkeypatch):
    assert not load_settings().broker.is_chosen
    monkeypatch.setenv(variable("broker.kind"), "paper")
    assert load_settings().broker.is_chosen
