"""The notification library against local receivers: webhook, Slack, e-mail, SMS gateway."""

import json
import logging

import pytest
from apprise.plugins.slack import NotifySlack
from pydantic import SecretStr

from pairs_platform.adapters.notify.apprise_notifier import receivers, send
from pairs_platform.core.errors import ConfigurationError
from pairs_platform_tests.support.receivers import mail_receiver, web_receiver

TITLE, BODY = "pairs platform: 1 × run failed", "ERROR run failed · 2026-02-27|technology: <boom> & more\n  do: mend it"


def test_a_webhook_gets_title_and_text():
    with web_receiver() as web:
        assert send("1 json", SecretStr(f"json://127.0.0.1:{web.port}/hook"), TITLE, BODY) == ""
        ((path, text),) = web.posted
    assert path == "/hook"
    posted = json.loads(text)
    assert (posted["title"], posted["message"]) == (TITLE, BODY)


def test_slack_gets_it_in_the_form_of_its_webhooks(monkeypatch):
    with web_receiver() as web:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{web.port}/services")
        url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts"
        assert send("1 slack", SecretStr(url), TITLE, BODY) == ""
        ((path, text),) = web.posted
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert "2026-02-27|technology" in text
    assert json.loads(text)["channel"] == "#alerts"


def test_a_mail_has_subject_and_text():
    with mail_receiver() as mail:
        url = f"mailto://127.0.0.1:{mail.port}?from=pairs@example.org&to=desk@example.org&mode=insecure"
        assert send("1 mailto", SecretStr(url), TITLE, BODY) == ""
        ((subject, text),) = mail.mails
    assert subject == TITLE
    assert "2026-02-27|technology" in text
    assert "do: mend it" in text


def test_an_sms_gateway_gets_the_text():
    with web_receiver() as web:
        assert send("1 smseagle", SecretStr(f"smseagle://token@127.0.0.1:{web.port}/15551233213"), TITLE, BODY) == ""
        assert "2026-02-27|technology" in web.texts[0]
        assert "15551233213" in web.texts[0]


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_a_refusal_is_told_without_the_token(status):
    with web_receiver() as web:
        web.statuses = [status]
        url = f"json://someone:hunter2pass@127.0.0.1:{web.port}/T0ken-In-Path?+X-Key=hunter2key"
        said = send("1 json", SecretStr(url), TITLE, BODY)
    assert str(status) in said
    for secret in ("hunter2pass", "T0ken-In-Path", "hunter2key"):
        assert secret not in said


def test_what_a_service_repeats_of_its_url_is_blanked():
    with web_receiver() as web:
        web.statuses = [500]
        said = send("1 smseagle", SecretStr(f"smseagle://t0ken@127.0.0.1:{web.port}/15551233213"), TITLE, BODY)
    assert "error=500" in said
    assert "15551233213" not in said


@pytest.mark.parametrize("repeated", ["TokenInHost", "tokeninhost"])
def test_a_token_in_the_place_of_the_host_is_blanked_as_it_was_written(repeated, monkeypatch):
    def refuses(*_: object, **__: object) -> bool:
        logging.getLogger("apprise").warning("no answer for %s/SecondPart", repeated)
        return False

    monkeypatch.setattr("apprise.Apprise.notify", refuses)
    assert send("1 json", SecretStr("json://TokenInHost/SecondPart"), TITLE, BODY) == "no answer for ***/***"


def test_a_receiver_that_is_not_there_is_told():
    with web_receiver() as web:
        port = web.port
    assert send("1 json", SecretStr(f"json://127.0.0.1:{port}/T0ken-In-Path"), TITLE, BODY) != ""


def test_a_url_of_no_service_is_refused_without_showing_it():
    with pytest.raises(ConfigurationError, match="receiver 1 hunter: no URL that Apprise understands") as caught:
        send("1 hunter", SecretStr("hunter://T0ken"), TITLE, BODY)
    assert "T0ken" not in str(caught.value)


def test_receivers_are_named_without_their_tokens():
    found = receivers(SecretStr("json://a.example/T0ken\n slack://T0kenA/T0kenB/T0kenC"))
    assert [name.split()[0] for name in found] == ["json", "slack"]
    assert list(receivers(SecretStr("json://a.example/T0ken"))) == list(found)[:1]
    assert not any("T0ken" in name for name in found)
    assert receivers(None) == {}
