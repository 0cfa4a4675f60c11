"""Any bytes are a document of settings or one error in words."""

import codecs
from contextlib import suppress
from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.documents import parse_document, read_document

UNQUOTED = ["ON", "NO", "off", "y", "Yes", "TRUE", "false", "10:00", "12:30:45", "0o17", "017", "0x1F", "1_000", "1E5",
            ".5", "2025-01-02", "2025-01-02T10:00:00Z", ".inf", ".nan", "=", "+1"]  # fmt: skip


def aliases(item: str, levels: int) -> str:
    names = [f"n{level}" for level in range(levels)]
    lines = [f"{names[0]}: &{names[0]} {{x: 1}}"]
    for below, name in pairwise(names):
        lines.append(f"{name}: &{name} {item.replace('IT', ', '.join([f'*{below}'] * 9))}")
    return "\n".join(lines)


@pytest.mark.parametrize("text", UNQUOTED)
def test_a_scalar_is_the_text_that_stands_there(text):
    assert parse_document(f"a: {text}\nb: [{text}]\nc: '{text}'\n{text}: d", "f") == {
        "a": text,
        "b": [text],
        "c": text,
        text: "d",
    }


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_only_what_is_empty_or_null_is_nothing(text):
    assert parse_document(f"a: {text}\nb: '{text}'", "f") == {"a": None, "b": text}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\n'a': 3", "a is set twice, in line 1 and in line 3"),
        ('g:\n  h: 1\n  i: 2\n  "h": 3', "g.h is set twice, in line 2 and in line 4"),
        ("g: [{a: 1}, {b: 1, b: 2}]", "g.1.b is set twice"),
        ("<<: {a: 1}\n<<: {b: 1}", "<< is set twice, in line 1 and in line 2"),
        ("ON: 1\n'ON': 2", "ON is set twice"),
        ("- a", "must hold a mapping of settings, not a list"),
        ("secret", "must hold a mapping of settings, not a text"),
        ("'null'", "must hold a mapping of settings, not a text"),
        ("a: 1\n---\nb: 2", "line 2: a second document begins"),
        ("a:\n\tb: 1", "line 2: a tab stands"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed here; put a text that holds"),
        ("a: *b", "undefined alias 'b'"),
        ("a: !!python/object:os.system x", "line 1: the tag !!python/object:os.system means nothing"),
        ("a: !mine x", "the tag !mine means nothing"),
        ("? [a]\n: 1", "line 1: the name of a setting is a word, not a list"),
        ("~: 1", "the name of a setting is a word, not nothing"),
        ("<<: 3", "<< takes a group of settings, not a text"),
        ("a: &a [*a]", "line 1: an alias"),
        ("a: &a {<<: *a}", "line 1: an alias"),
        ("a: \x07", "holds the character '\\x07'"),
        ("a\0: 1", "holds the character '\\x00'"),
        ('a: "\\ud800"', "half a character"),
        ('"\\udfff": 1', "half a character"),
        ('a: "\\UFFFFFFFF"', "beyond what YAML has"),
        ("a: " + "[" * 30 + "]" * 30, "more than 20 groups"),
        ("a: " + "[" * 1_000, "more than 20 groups"),
        (aliases("[IT]", 9), "more than 100,000 values"),
        (aliases("{<<: [IT]}", 9), "more than 100,000 values"),
    ],
)
def test_what_no_setting_can_mean_is_refused_in_words(text, told):
    with pytest.raises(SettingsError) as refused:
        parse_document(text, "my.yaml")
    assert told in str(refused.value)
    assert str(refused.value).startswith("my.yaml")
    assert len(str(refused.value)) < 500


def test_a_group_takes_over_what_it_does_not_set_itself():
    content = parse_document("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], c: 5}", "f")
    assert content["z"] == {"a": "1", "b": "2", "c": "5"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16", "utf-32", "utf-16-be", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding):
    path = tmp_path / "platform.yaml"
    mark = {"utf-16-be": codecs.BOM_UTF16_BE, "utf-32-be": codecs.BOM_UTF32_BE}.get(encoding, b"")
    path.write_bytes(mark + "a: Zürich\r\nb: 2\r\n".encode(encoding))
    assert read_document(path) == {"a": "Zürich", "b": "2"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("a: 1\nb: Zürich\n".encode("cp1252"), "line 2: the bytes fc .*save the file as UTF-8"),
        ("a: 1\nb: 2\n".encode("utf-16-le"), "without a byte order mark"),
        (codecs.BOM_UTF16_LE + b"a\0:\0 ", "no character of UTF-16-LE"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1: the bytes 89"),
    ],
)
def test_other_encodings_are_named(tmp_path, data, told):
    path = tmp_path / "platform.yaml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=told):
        read_document(path)


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_document(tmp_path)


SHOWN = st.characters(categories=["L", "N", "P", "S", "Zs"], include_characters="\n")
TEXTS = st.one_of(
    st.text(SHOWN, max_size=20), st.sampled_from([*UNQUOTED, "", "null", "<<", "- a", "a: b", "#", "'", "\t"])
)
CONTENT = st.recursive(
    st.one_of(st.none(), TEXTS),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(TEXTS.filter(bool), below, max_size=3)),
    max_leaves=8,
)


@hypothesis_settings(max_examples=40)
@given(st.dictionaries(TEXTS, CONTENT, max_size=4))
def test_what_is_written_is_read_again(content):
    assert parse_document(yaml.safe_dump(content, allow_unicode=True), "f") == content


@given(st.one_of(st.text(), st.text(alphabet="ab01:-[]{}&*!|>'\"%@`#?<~ \n\t,\\", max_size=60)))
def test_any_text_is_a_mapping_or_an_error_in_words(text):
    with suppress(SettingsError):
        assert isinstance(parse_document(text, "f"), dict)
