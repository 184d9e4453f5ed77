from __future__ import annotations

import certifi
import pytest

from source_salesforce_bulk.salesforce import network_settings
from source_salesforce_bulk.salesforce.network_settings import (
    certificates,
    certificates_problem,
    proxy_problem,
    without_password,
)


@pytest.mark.parametrize(
    "proxy",
    ["http://proxy:3128", "proxy.example:3128", "https://user:pass@proxy", "http://10.0.0.1:80", "http://[::1]:3128"],
)
def test_the_address_of_a_proxy_is_no_problem(proxy):
    assert proxy_problem(proxy) is None


@pytest.mark.parametrize(
    "proxy", ["", "http://", "://x", "ftp://proxy", "http://proxy:0", "http://proxy:99999", "http://[", "http://a b"]
)
def test_any_other_address_is_one(proxy):
    assert "is not the address of a proxy" in (proxy_problem(proxy) or "")


def test_a_problem_names_every_variable_that_holds_the_value_and_no_password(monkeypatch):
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "ftp://user:S3CRET@proxy\x1b[2J:21")
    said = proxy_problem("ftp://user:S3CRET@proxy\x1b[2J:21") or ""
    assert said.startswith("ALL_PROXY and HTTPS_PROXY is ftp://proxy?[2J:21,")
    assert "S3CRET" not in said


def test_a_socks_proxy_needs_its_package(monkeypatch):
    monkeypatch.setattr(network_settings, "find_spec", lambda name: None)
    assert "PySocks" in (proxy_problem("socks5h://proxy:1080") or "")
    monkeypatch.setattr(network_settings, "find_spec", lambda name: object())
    assert proxy_problem("socks5h://proxy:1080") is None


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://user:p@ss@proxy:3128", "http://proxy:3128"),
        ("user:pass@proxy:3128", "proxy:3128"),
        ("http://proxy:3128/x@y", "http://proxy:3128/x@y"),
        ("", ""),
    ],
)
def test_a_proxy_is_shown_without_its_password(proxy, shown):
    assert without_password(proxy) == shown


def test_certificates_are_those_that_openssl_would_take():
    assert certificates({}) is None
    assert certificates({"SSL_CERT_FILE": "", "SSL_CERT_DIR": "/certs"}) == "/certs"
    assert certificates({"SSL_CERT_FILE": "/ca.pem", "SSL_CERT_DIR": "/certs"}) == "/ca.pem"


def test_a_file_or_a_folder_of_certificates_is_no_problem(tmp_path):
    assert certificates_problem(certifi.where()) is None
    assert certificates_problem(str(tmp_path)) is None


def test_certificates_that_are_not_there_are_named(tmp_path):
    said = certificates_problem(str(tmp_path / "none.pem")) or ""
    assert said.endswith("none.pem, which cannot be read as a certificate file (No such file or directory)")
