"""Behind nginx at a sub-path: every URL that the server gives leads through the proxy, and no stranger's name is among them."""

import html
import html.parser
import json
import re
import shutil
import socket
import subprocess
import urllib.parse

import pytest
import requests
from conftest import until

OUTSIDE = "https://maps.example.org/x"
EVIL = "evil.example"
TRUSTING = {"RUTTER__SERVER__TRUSTED_PROXIES": "[127.0.0.1]"}
# A proxy that is trusted replaces what clients send, also in the headers that it does not use itself.
X_FORWARDED = """
    proxy_set_header Forwarded "";
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header X-Forwarded-Host maps.example.org;
    proxy_set_header X-Forwarded-Port 443;
    proxy_set_header X-Forwarded-Prefix /x;
"""
FORWARDED = """
    proxy_set_header Forwarded "for=192.0.2.1;proto=https;host=maps.example.org";
    proxy_set_header X-Forwarded-Host "";
    proxy_set_header X-Forwarded-Proto "";
    proxy_set_header X-Forwarded-Prefix /x;
"""
WAYS = {
    "x-forwarded": (TRUSTING, X_FORWARDED),
    "forwarded": (TRUSTING, FORWARDED),
    "public-url": ({"RUTTER__SERVER__PUBLIC_URL": OUTSIDE}, "proxy_set_header Host maps.example.org;"),
}


class Proxied:
    """The server as clients outside see it: what they know as `OUTSIDE` is the nginx on a port of this machine."""

    def __init__(self, backend, port):
        self.backend, self.port = backend, port

    def request(self, method, url, **more):
        assert url.startswith(OUTSIDE), url
        inside = url.replace(OUTSIDE, f"http://127.0.0.1:{self.port}/x", 1)
        answer = requests.request(method, inside, timeout=60, allow_redirects=False, **more)
        self.check(url, answer)
        return answer

    def check(self, url, answer):
        """No address from behind the proxy and no stranger's name, in no header and no body."""
        text = answer.text + json.dumps(dict(answer.headers))
        for inner in (self.backend.removeprefix("http://"), f"127.0.0.1:{self.port}", "localhost", EVIL):
            assert inner not in text, f"{inner} in {url}: {text[:2000]}"


@pytest.fixture(scope="module", params=WAYS, ids=WAYS)
def proxied(request, start, tmp_path_factory):
    settings, headers = WAYS[request.param]
    backend, folder, port = start(**settings), tmp_path_factory.mktemp("nginx"), free_port()
    server = nginx(folder, port, backend, headers)
    try:
        until("nginx listens", lambda: listens(port))
        yield Proxied(backend, port)
    finally:
        server.terminate()
        server.wait(30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nginx(folder, port, backend, headers):
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, "nginx is missing: install it, with Debian as nginx-light"
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location /x/ {{
      proxy_pass {backend}/; proxy_http_version 1.1; proxy_buffering off;
      {headers}
    }}
  }}
}}
""")
    return subprocess.Popen([program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-p", str(folder)])


def test_every_link_leads_through_the_proxy(proxied):
    jobs = {kind: submitted(proxied, *request) for kind, request in JOBS.items()}
    for kind, job in jobs.items():
        until(f"{kind} is over", lambda job=job: status(proxied, job) in ("successful", "failed"))
    seen = crawl(proxied)
    paths = {path(url) for url in seen}
    for wanted in ("/", "/api", "/conformance", "/processes", "/jobs", "/processes/echo"):
        assert wanted in paths
    for job in jobs.values():
        assert path(job) in paths, "the list of jobs leads to each"
        assert f"{path(job)}/logs" in paths
    assert f"{path(jobs['echo'])}/results" in paths
    assert any(it.startswith("/assets/") and it.endswith(".css") for it in paths)


JOBS = {
    "echo": ("echo", {"inputs": {"str": "fair winds"}}),
    "reference": ("echo", {"inputs": {"str": "x"}, "outputs": {"str": {"transmissionMode": "reference"}}}),
    "failed": ("echo", {"inputs": {"str": {"href": "http://host.invalid/text"}}}),
    "flood": ("flood-extent", {"inputs": {}}),
}


def submitted(proxied, process, body):
    if process == "flood-extent":
        body = example(proxied, process)
    target = f"{OUTSIDE}/processes/{process}/execution"
    answer = proxied.request("POST", target, json=body, headers={"Prefer": "respond-async"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{OUTSIDE}/jobs/{answer.json()['jobID']}"
    return answer.headers["Location"]


def example(proxied, process):
    content = api(proxied)["paths"][f"/processes/{process}/execution"]["post"]["requestBody"]["content"]
    return content["application/json"]["examples"]["example1"]["value"]


def api(proxied):
    return proxied.request("GET", f"{OUTSIDE}/api", headers={"Accept": "application/vnd.oai.openapi+json;version=3.0"}).json()


def status(proxied, job):
    return proxied.request("GET", job).json()["status"]


def path(url):
    return urllib.parse.urlsplit(url).path.removeprefix("/x") or "/"


def crawl(proxied):
    """Fetches all that is linked from the landing page, as JSON and as HTML."""
    waiting, seen = [f"{OUTSIDE}/", f"{OUTSIDE}/?f=html"], set()
    while waiting:
        url = waiting.pop().split("#")[0]
        if url in seen:
            continue
        seen.add(url)
        answer = proxied.request("GET", url)
        # An execution is posted to; results of failed jobs are errors.
        assert answer.status_code in (200, 204, 405) or "/results" in url, f"{url}: {answer.status_code} {answer.text[:500]}"
        for found in links(url, answer):
            where = urllib.parse.urljoin(url, found)
            if where.startswith("https://maps.example.org"):
                assert where.startswith(OUTSIDE), f"{url} leads beside the sub-path: {found}"
                waiting.append(where)
            else:
                assert is_foreign(where), f"{url} leads to {found}"
    return seen


def is_foreign(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme in ("http", "https", "data", "mailto") and "127.0.0.1" not in parts.netloc


def links(url, answer):
    kind = answer.headers.get("Content-Type", "")
    yield from re.findall(r"<([^>]*)>", answer.headers.get("Link", ""))
    yield from (answer.headers[name] for name in ("Location", "Content-Location") if name in answer.headers)
    if kind.startswith("text/html"):
        page = Page()
        page.feed(answer.text)
        yield from page.links
    elif kind.startswith("text/css"):
        yield from re.findall(r"url\(['\"]?([^'\")]+)", answer.text)
    elif kind.startswith("text/event-stream"):
        for line in re.findall(r"(?m)^data: ?(\{.*)$", answer.text):
            yield from hrefs(json.loads(line))
    elif "json" in kind:
        yield from hrefs(answer.json())


def hrefs(value):
    if isinstance(value, dict):
        if isinstance(value.get("href"), str):
            yield value["href"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from hrefs(item)


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            is_url = name in ("href", "src", "action") or (name.startswith("data-") and re.match(r"https?://", value or ""))
            if is_url and value:
                self.links.append(value)


def test_the_definition_names_the_outside(proxied):
    assert [server["url"] for server in api(proxied)["servers"]] == [OUTSIDE]


def test_events_name_the_outside(proxied):
    job = submitted(proxied, "echo", {"inputs": {"str": "x"}})
    stream = proxied.request("GET", f"{job}/events", headers={"Accept": "text/event-stream"})
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert f'"href":"{job}"' in stream.text


def test_references_of_results_lead_through_the_proxy(proxied):
    body = {"inputs": {"str": "x"}, "outputs": {"str": {"transmissionMode": "reference"}}, "response": "document"}
    answer = proxied.request("POST", f"{OUTSIDE}/processes/echo/execution", json=body)
    assert answer.status_code == 200, answer.text
    href = answer.json()["str"]["href"]
    assert proxied.request("GET", href).text == "x"


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-Host"])
def test_what_a_client_claims_is_replaced(proxied, name):
    claim = f"host={EVIL}" if name == "Forwarded" else EVIL
    for accept in ("application/json", "text/html"):
        answer = proxied.request("GET", f"{OUTSIDE}/processes", headers={name: claim, "Accept": accept})
        assert answer.status_code == 200
        assert f"{OUTSIDE}/processes" in html.unescape(answer.text)


CLAIMS = [
    {"Host": EVIL},
    {"X-Forwarded-Host": EVIL},
    {"X-Forwarded-Prefix": f"//{EVIL}"},
    {"Forwarded": f"host={EVIL};proto=https"},
    {"Host": EVIL, "X-Forwarded-Host": EVIL, "Forwarded": f"host={EVIL}"},
]


@pytest.mark.parametrize("claims", CLAIMS)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_nobody_trusted_names_the_server(url, wide, claims, accept):
    for server in (url, wide):
        for where in ("/", "/processes", "/jobs", "/api", "/nowhere", "/processes/echo"):
            answer = requests.get(server + where, headers={**claims, "Accept": accept}, timeout=30)
            assert EVIL not in answer.text + json.dumps(dict(answer.headers)), f"{server}{where}"


@pytest.fixture(scope="module")
def wide(start):
    """A server that listens on all addresses, so any name may lead to it."""
    return start("0.0.0.0:0", RUTTER__SERVER__AUTH="none").replace("0.0.0.0", "127.0.0.1")
