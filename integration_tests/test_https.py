"""An org that speaks HTTPS, as every real one does: with a trusted certificate, and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.certificates import write_certificate
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
SCRIPT = Path(sys.executable).with_name("salesforce-bulk")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "localhost.pem")


@pytest.fixture(scope="module")
def org(certificate: Path) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(certificate=str(certificate), polls_until_complete=1)) as simulated:
        yield simulated


def exported(org: SimulatedOrg, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """An export of one object."""
    config = {"credentials": org.credentials("refresh_token"), "login_url": org.url, "page_size": 1000}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    places = [f"--{name}={(folder / name).as_uri()}" for name in ("destination", "state", "schemas")]
    command = [SCRIPT, "export", "--config", folder / "config.json", "--object", "Contact", *places]
    own = {name: value for name, value in os.environ.items() if name not in CERTIFICATES}
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**own, **environment})


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_export_over_https_is_whole(org: SimulatedOrg, certificate: Path, tmp_path: Path, variable: str) -> None:
    assert org.url.startswith("https://")
    done = exported(org, tmp_path, **{variable: str(certificate)})
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "destination" / "Contact").rglob("*.parquet"))) == 3


def test_a_certificate_that_is_not_trusted_ends_in_a_sentence(org: SimulatedOrg, tmp_path: Path) -> None:
    done = exported(org, tmp_path)
    assert done.returncode != 0
    assert "REQUESTS_CA_BUNDLE" in done.stderr
