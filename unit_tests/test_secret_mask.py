from __future__ import annotations

import base64
import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, quote_plus

import pytest

from source_salesforce_bulk.salesforce.secret_mask import SecretMask

SECRET = 's e/c+r=e&t<"\\'


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        quote_plus(SECRET),
        quote(SECRET, safe=""),
        html.escape(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    ],
    ids=["as it is", "in a form", "in a URL", "in HTML", "in JSON", "in JSON with slashes escaped"],
)
def test_a_secret_is_masked_however_it_is_spelled(echo):
    assert SecretMask(SECRET).redact(f"you sent {echo}, twice: {echo}.") == "you sent ****, twice: ****."


def lower_hex(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=""))


def every_character(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


@pytest.mark.parametrize(
    "encode",
    [
        lower_hex,
        every_character,
        lambda text: quote(quote(text, safe=""), safe=""),
        lambda text: quote(lower_hex(text), safe=""),
        lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
        lambda text: quote_plus(json.dumps(text)[1:-1]),
        lambda text: html.escape(quote(text, safe="")).replace("%", "&#37;"),
        lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
        lambda text: base64.b64encode(f"client:{text}".encode()).decode(),
        lambda text: base64.b64encode(f"a:{text}@host".encode()).decode(),
        lambda text: quote(base64.b64encode(text.encode()).decode().rstrip("="), safe=""),
        lambda text: f"grant=x%26refresh_token%3D{lower_hex(text)}",
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "5Aep861/k3+Zq==", "00D000000000001!AQ.x/y~z", "geheimnis-äöü/€"])
def test_a_secret_is_masked_however_deep_it_is_encoded(encode, secret):
    echo = encode(secret)
    told = SecretMask(secret).redact(f'error: "{echo}" in the request, {echo}')
    assert told == 'error: "****" in the request, ****'


@pytest.mark.parametrize(
    "text",
    [
        "100% of %2F and &amp; \\u0041 are no secret",
        "https://acme.my.salesforce.com/services/data?q=SELECT%20Id",
        "TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsu",
    ],
)
def test_encoded_text_without_a_secret_stays_as_it_is(text):
    assert SecretMask(SECRET, "5Aep861/k3").redact(text) == text


def test_an_encoded_word_that_is_too_long_to_decode_is_masked_unread():
    assert SecretMask(SECRET).redact(f"a {'%25' * 20_000} b {'x' * 20_000}") == f"a **** b {'x' * 20_000}"


def test_a_key_on_one_line_of_json_is_masked_whole():
    key = "-----BEGIN PRIVATE KEY-----\nMIIE/vgI\n-----END PRIVATE KEY-----\n"
    assert SecretMask(key, "MIIE/vgI").redact(json.dumps({"key": key})) == '{"key": "****"}'


def test_what_is_learnt_later_is_masked_with_what_was_known():
    mask = SecretMask("refresh-0")
    mask.learn("refresh-1", "access-1")
    assert mask.redact("refresh-0 refresh-1 access-1 client") == "**** **** **** client"


def test_of_a_secret_that_holds_another_nothing_is_left():
    for mask in (SecretMask("token", "token-and-more"), SecretMask("token-and-more", "token")):
        assert mask.redact("token-and-more token") == "**** ****"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_a_short_secret_does_not_blank_out_words(short):
    assert SecretMask(short).redact("abc, a banana") == "abc, a banana"


def test_a_mask_that_knows_nothing_changes_nothing():
    assert SecretMask().redact("as it was") == "as it was"


def test_threads_forget_nothing_of_each_other():
    mask, secrets = SecretMask(), [f"secret-{number:03d}" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(mask.learn, secrets))
    assert mask.redact(" ".join(secrets)) == " ".join(["****"] * 200)
