from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import requests_mock
from requests.adapters import HTTPAdapter

from source_salesforce_bulk.airbyte.http import CdkHttp
from source_salesforce_bulk.salesforce.http_client import HttpRequest, Timeouts
from unit_tests.fakes import Answer, http_response

URL = "https://acme.my.salesforce.com/services/data/v66.0/jobs/query"
HEADERS = {"Authorization": "Bearer T0K3N", "Accept": "application/json"}


@pytest.fixture
def org():
    with requests_mock.Mocker() as mocker:
        yield mocker


def send(http: CdkHttp, method: str = "GET", url: str = URL, **more) -> requests.Response:
    return http.send(HttpRequest(method, url, Timeouts(10.0, 60.0, 60.0), HEADERS, **more))


def test_a_request_goes_out_as_it_was_given(org):
    org.post(URL, json={"id": "750x"})
    response = send(CdkHttp(4), "POST", params={"a": "b"}, json={"query": "SELECT Id FROM Account"})
    sent = org.request_history[0]
    assert response.json() == {"id": "750x"}
    assert sent.headers["Authorization"] == "Bearer T0K3N"
    assert (sent.qs, sent.json()) == ({"a": ["b"]}, {"query": "SELECT Id FROM Account"})
    assert (sent.timeout, sent.stream) == ((10.0, 60.0), True)


def test_a_form_goes_out_as_a_form(org):
    org.post(URL, json={})
    send(CdkHttp(4), "POST", form={"grant_type": "refresh_token"})
    assert org.request_history[0].text == "grant_type=refresh_token"


@pytest.mark.parametrize(
    "status", [200, 204, 302, 304, 400, 401, 403, 404, 406, 409, 412, 420, 429, 500, 502, 503, 504]
)
def test_every_answer_comes_back_after_one_request(org, status):
    org.get(URL, status_code=status, text="[{}]", headers={"Location": "https://elsewhere.example/"})
    assert send(CdkHttp(4)).status_code == status
    assert len(org.request_history) == 1


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("refused"),
        requests.ConnectTimeout("x"),
        requests.ReadTimeout("x"),
        requests.exceptions.ChunkedEncodingError("x"),
        requests.exceptions.SSLError("x"),
        requests.exceptions.ProxyError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_exception_comes_out_as_it_is_after_one_request(org, error):
    org.get(URL, exc=error)
    http = CdkHttp(4)
    with pytest.raises(requests.RequestException) as raised:
        send(http)
    assert raised.value is error
    assert len(org.request_history) == 1


def test_one_requests_exception_does_not_reach_the_next(org):
    org.get(URL, [{"exc": requests.ReadTimeout("x")}, {"json": {}}])
    http = CdkHttp(4)
    with pytest.raises(requests.ReadTimeout):
        send(http)
    assert send(http).status_code == 200


class TwoAtOnce(HTTPAdapter):
    """Fails the slow request only after the fast one was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.slow_came, self.fast_went = threading.Event(), threading.Event()

    def send(self, request, *args, **kwargs):
        if request.url.endswith("/slow"):
            self.slow_came.set()
            assert self.fast_went.wait(10)
            raise requests.ReadTimeout("x")
        return http_response(Answer(200, b"{}"))


def test_one_threads_exception_does_not_reach_another():
    adapter, http = TwoAtOnce(), CdkHttp(4)
    http._client._session.mount("https://", adapter)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(send, http, url=f"{URL}/slow")
        assert adapter.slow_came.wait(10)
        assert send(http, url=f"{URL}/fast").status_code == 200
        adapter.fast_went.set()
        assert isinstance(slow.exception(10), requests.ReadTimeout)


def test_the_client_keeps_nothing_of_a_request(org):
    org.get(URL, [{"exc": requests.ReadTimeout("x")}, {"json": {}}, {"status_code": 500}])
    http = CdkHttp(4)
    with pytest.raises(requests.ReadTimeout):
        send(http)
    send(http)
    send(http)
    assert http._client._request_attempt_count == {}


def test_debug_logging_shows_nothing_of_requests_and_answers(org, caplog):
    org.post(URL, [{"json": {"access_token": "S3CRET"}}, {"status_code": 400, "text": "S3CRET"}])
    http = CdkHttp(4)
    for logger in (None, "airbyte", "salesforce_bulk.http"):
        caplog.set_level(logging.DEBUG, logger=logger)
    send(http, "POST", form={"client_secret": "S3CRET"})
    send(http, "POST", form={"client_secret": "S3CRET"})
    shown = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "S3CRET" not in shown
    assert "T0K3N" not in shown


def test_the_pool_is_mounted_for_both_schemes_with_keep_alive():
    session = CdkHttp(17)._client._session
    for url in ("https://acme.my.salesforce.com", "http://127.0.0.1:8080"):
        adapter = session.get_adapter(url)
        assert adapter._pool_maxsize == 17
        options = adapter.poolmanager.connection_pool_kw["socket_options"]
        assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options
        proxied = adapter.proxy_manager_for("http://proxy.example:3128")
        assert proxied.connection_pool_kw["socket_options"] == options
        assert adapter.max_retries.total == 0


def test_a_netrc_does_not_replace_the_token(org, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine acme.my.salesforce.com login user password pass\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    org.get(URL, json={})
    send(CdkHttp(4))
    assert org.request_history[0].headers["Authorization"] == "Bearer T0K3N"
