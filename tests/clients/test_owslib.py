"""OWSLib: what most Python notebooks use."""

import requests
from conftest import until
from owslib.ogcapi.processes import Processes


def test_lists_and_describes(url):
    client = Processes(url)
    assert {"echo", "hello", "countdown", "flood-extent"} <= {p["id"] for p in client.processes()}
    description = client.process("flood-extent")
    assert list(description["inputs"]) == ["dem", "level", "seed"]
    assert client.conformance()["conformsTo"]


def test_executes_synchronously(url):
    # The client always sends `response: document` and `Prefer: respond-sync`, which is no preference of RFC 7240.
    results = Processes(url).execute("echo", {"str": "fair winds"})
    assert results["str"] == "fair winds" or results["str"]["value"] == "fair winds"


def test_executes_asynchronously(url):
    client = Processes(url)
    status = client.execute("echo", {"str": "fair winds", "pause": 0.1}, async_=True)
    job = client.response_headers["Location"]
    assert job == f"{url}/jobs/{status['jobID']}"
    until("the job is successful", lambda: requests.get(job, timeout=30).json()["status"] == "successful")
    assert requests.get(f"{job}/results", timeout=30).json()["str"] in ("fair winds", {"value": "fair winds"})
