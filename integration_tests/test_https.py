"""An org that speaks HTTPS, as every real one does: with a trusted certificate, and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.certificates import write_certificate
from integration_tests.exporter import Exporter
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "localhost.pem")


@pytest.fixture(scope="module")
def org(certificate: Path) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(certificate=str(certificate), polls_until_complete=1)) as simulated:
        yield simulated


@pytest.fixture
def exporter(org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exporter:
    """An exporter without this machine's own certificates."""
    for name in CERTIFICATES:
        monkeypatch.delenv(name, raising=False)
    return Exporter(org, tmp_path, page_size=1000)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_export_over_https_is_whole(
    exporter: Exporter, certificate: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exporter.org.url.startswith("https://")
    monkeypatch.setenv(variable, str(certificate))
    done = exporter.script(["Contact"])
    assert done.returncode == 0, done.stderr
    assert len(list((exporter.destination / "Contact").rglob("*.parquet"))) == 3


def test_a_certificate_that_is_not_trusted_ends_in_a_sentence(exporter: Exporter) -> None:
    done = exporter.script(["Contact"])
    assert done.returncode != 0
    assert "REQUESTS_CA_BUNDLE" in done.stderr
