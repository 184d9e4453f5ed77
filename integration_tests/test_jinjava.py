"""The templates of the Authenticate button, rendered with Jinjava, the library of the platform.

Its jars come through Maven once and stay in ``build/jinjava``. Without Java, Maven or a repository that answers in
time the test is skipped; ``make jinjava-test`` then fails.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from source_salesforce_bulk.airbyte.spec import advanced_auth
from unit_tests.platform_oauth import FatalTemplateError, render, words

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).with_name("jinjava")
JARS = ROOT / "build" / "jinjava"
FETCH_SECONDS = int(os.environ.get("JINJAVA_FETCH_SECONDS", "90"))

SPEC = advanced_auth()["oauth_config_specification"]["oauth_connector_input_specification"]
BUTTON = [
    SPEC["consent_url"],
    SPEC["access_token_url"],
    *SPEC["access_token_headers"].values(),
    *SPEC["access_token_params"].values(),
]
VALUES = words(
    SPEC,
    {"login_url": "https://acme.my.salesforce.com/"},
    {
        "client_id": "3MVG9.app_ID",
        "client_secret": "s&cret=1 +/%",
        "redirect_uri": "https://cloud.airbyte.example/auth_flow?a=1&b=ü",
        "state": "aB3.-_" * 8,
        "code": "aPrx&c0de==",
    },
)
ODD = [
    "{{client_id_param}}{{ missing }}",
    "{{ redirect_uri_value | urlencode }}",
    "{{ client_secret_value | b64encode | replace('=', '') }}",
    "{{ {{redirect_uri_value}} | urlEncoder }}",
    "{{ state_value | codeChallengeS256 }}",
    "{{ state_value | urlEncode }}",
    "{{ state_value | base64Encoder }}",
    "{{ state_value | lower }}",
]


@pytest.fixture(scope="module")
def jars() -> Path:
    """A folder with Jinjava and what it needs."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")
    if not JARS.is_dir():
        fetch_jars()
    return JARS


def fetch_jars() -> None:
    """Let Maven collect the jars beside their place, and move them there whole."""
    fetched = JARS.with_name(f"jinjava.{os.getpid()}")
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={fetched}"],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"Maven could not fetch Jinjava: {done.stdout.strip().splitlines()[:1]}")
        fetched.rename(JARS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"Maven did not fetch Jinjava within {FETCH_SECONDS} s")
    finally:
        shutil.rmtree(fetched, ignore_errors=True)


def ours(template: str) -> str | None:
    """As the unit tests' own renderer has it; None where it refuses."""
    try:
        return render(template, VALUES)
    except FatalTemplateError:
        return None


def test_jinjava_renders_and_refuses_what_the_renderer_of_the_unit_tests_does(jars):
    templates = BUTTON + ODD
    done = subprocess.run(
        ["java", "-cp", f"{jars}/*", str(HERE / "Render.java")],
        input=json.dumps({"values": VALUES, "templates": templates}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    # Of a filter that it does not know Jinjava makes an empty text; one that is switched off is an error.
    rendered = [text or None for text in json.loads(done.stdout)]
    assert dict(zip(templates, rendered, strict=True)) == {one: ours(one) for one in templates}
    assert None not in rendered[: len(BUTTON)]
    assert rendered[len(BUTTON) + 3 :] == [None] * 5
