import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairs_platform.core.errors import ConfigurationError, PartitionMissing
from pairs_platform.core.masking import forget_secrets, keep_secret, keep_url, masked
from pairs_platform_tests.support.awkward_secrets import CORES

WRITTEN = {
    "plain": str,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded as a path": quote,
    "percent-encoded as a form": quote_plus,
    "in small hexadecimal": lambda text: re.sub("%..", lambda found: found.group().lower(), quote(text, safe="")),
    "encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "encoded in part": lambda text: quote(text, safe="=+$&,;@ "),
    "repr": repr,
    "repr of repr": lambda text: repr(repr(text)),
    "ascii": ascii,
    "bytes": lambda text: repr(text.encode()),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "HTML": html.escape,
    "base 64": lambda text: base64.b64encode(text.encode()).decode(),
    "folded blanks": lambda text: " ".join(text.split()),
}


@pytest.mark.parametrize("written", list(WRITTEN))
def test_every_form_of_an_awkward_secret_is_masked(written):
    for secret in CORES:
        keep_secret(secret)
    for secret in CORES:
        form = WRITTEN[written](secret)
        shown = masked(f"before {form} after")
        assert form.strip("\"'=b") not in shown
        assert secret not in shown
        assert shown.startswith("before ")
        assert shown.endswith(" after")


@given(st.text(min_size=8, max_size=60).filter(lambda text: len(text.strip()) >= 8), st.sampled_from(list(WRITTEN)))
def test_any_text_can_be_a_secret(secret, written):
    forget_secrets()
    keep_secret(secret)
    form = WRITTEN[written](secret)
    assert form not in masked(f"<<{form}>>")
    forget_secrets()


def test_without_secrets_texts_stay_as_they_are():
    assert masked("nothing to hide ***") == "nothing to hide ***"
    keep_secret("  \n")
    assert masked("a b \n c") == "a b \n c"


def test_short_secrets_do_not_hide_everything():
    keep_secret("abc")
    keep_secret("test")
    assert masked("abc: latest pytest says test, test-1, test_2") == "abc: latest pytest says ***, ***-1, test_2"
    keep_url("redis://me:abc@host:6379/0")
    assert masked("at redis://me:abc@host:6379/0 for me:abc@host") == "at redis://***host:6379/0 for ***host"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg2://trader:{}@db.example/x",
        "redis://:{}@cache:6379/0",
        "https://trader:{}@mlflow.example/path",
        "https://{}@mlflow.example/path",
        "postgresql+psycopg2://db.example/x?user=trader&password={}",
    ],
)
def test_what_is_secret_in_a_url_is_masked_wherever_it_stands(url):
    secret = "s3cret%40-Word"
    keep_url(url.format(secret))
    said = masked(f"{url.format(secret)} user trader at db.example: {secret} or s3cret@-Word")
    assert "s3cret" not in said
    assert "user trader at db.example" in said


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////tmp/a folder/database.db",
        "http://mlflow.example:5000/path",
        "postgresql+psycopg2://trader@/x?host=/var/run/postgresql&sslkey=/etc/key.pem",
        "unix:///tmp/redis.sock?db=0",
    ],
)
def test_a_url_without_a_secret_is_shown(url):
    keep_url(url)
    assert masked(f"{url} is where trader looks") == f"{url} is where trader looks"


def test_basic_authentication_is_masked():
    keep_url("https://trader:s3cret%40-Word@mlflow.example")
    assert masked(f"Basic {base64.b64encode(b'trader:s3cret@-Word').decode()}") == "Basic ***"


def test_a_receiver_may_have_tokens_everywhere_but_everyday_words_stay():
    keep_url("slack://TokenA123/tokenb-lower/T0k/services?footer=Qu3ry", every_part=True)
    assert masked("TokenA123 tokena123 tokenb-lower services Qu3ry") == "*** *** *** services ***"


def test_an_error_of_the_tree_never_holds_a_secret():
    keep_secret("hunter2-hunter2")
    assert str(ConfigurationError("x: hunter2-hunter2 is wrong")) == "x: *** is wrong"
    assert "hunter2" not in repr(PartitionMissing("hunter2-hunter2", ["a"], asset="b"))
