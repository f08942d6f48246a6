"""What the official test suite of OGC API - Processes 1.0 looks at, table by table, from its description.

The suite itself is a Java program that needs the network. These are its requirements and its traps, so that a change that it
would refuse is seen here first.
"""

import pathlib
import uuid

import jsonschema
import pytest
import referencing
import requests
import yaml
from conftest import until
from referencing.jsonschema import DRAFT7

SCHEMAS = pathlib.Path(__file__).parent / "schemas"
JSON = {"Accept": "application/json"}
ASYNC = {"Prefer": "respond-async"}
ASYNC_WITH_SPACE = {"Prefer": "respond-async "}
RESULTS = "http://www.opengis.net/def/rel/ogc/1.0/results"
EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def tolerant(schema):
    """OpenAPI 3.0 says of a bound that it is exclusive, JSON Schema gives the bound itself: no answer's fate hangs on it."""
    if isinstance(schema, dict):
        schema = {key: tolerant(value) for key, value in schema.items()}
        for bound in ("Minimum", "Maximum"):
            if isinstance(schema.get(f"exclusive{bound}"), bool):
                del schema[f"exclusive{bound}"]
    elif isinstance(schema, list):
        schema = [tolerant(item) for item in schema]
    return schema


def valid(name, value):
    files = ((path.name, tolerant(yaml.safe_load(path.read_text(encoding="utf-8")))) for path in SCHEMAS.glob("*.yaml"))
    registry = referencing.Registry().with_resources((uri, DRAFT7.create_resource(contents)) for uri, contents in files)
    validator = jsonschema.Draft7Validator({"$ref": f"{name}.yaml"}, registry=registry, format_checker=jsonschema.FormatChecker())
    faults = [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in validator.iter_errors(value)]
    assert not faults, f"{name}: {faults[:5]}"
    no_null(value)


def no_null(value, where=""):
    assert value is not None, f"null at {where}"
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        no_null(item, f"{where}/{key}")


def get(url, accept=JSON):
    return requests.get(url, headers=accept, timeout=60)


def is_exception(answer, status):
    assert answer.status_code == status, answer.text
    kind = answer.headers["Content-Type"]
    assert kind.split(";")[0] == "application/json" or kind == "application/problem+json"
    valid("exception", answer.json())
    return answer.json()


# Section 2: before jobs.


def test_speaks_http_1_1(url):
    answer = requests.get(url, timeout=30)
    assert answer.raw.version == 11
    assert "Content-Type" in answer.headers


def test_landing_page(url):
    answer = get(f"{url}/")
    assert answer.status_code == 200
    valid("landingPage", answer.json())
    relations = {link["rel"].removeprefix("http://www.opengis.net/def/rel/ogc/1.0/") for link in answer.json()["links"]}
    assert relations & {"service-desc", "service-doc"}
    assert {"conformance", "processes"} <= relations


def test_conformance(url):
    answer = get(f"{url}/conformance")
    assert answer.status_code == 200
    valid("confClasses", answer.json())
    assert "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core" in answer.json()["conformsTo"]


def test_process_list(url):
    answer = get(f"{url}/processes")
    assert answer.status_code == 200 and answer.json()["processes"]
    valid("processList", answer.json())
    one = get(f"{url}/processes?limit=1").json()
    assert len(one["processes"]) == 1
    assert isinstance(one["links"], list)


def test_no_such_process(url):
    is_exception(get(f"{url}/processes/invalid-process-{uuid.uuid4()}"), 404)


def test_description(url):
    answer = get(f"{url}/processes/echo")
    assert answer.status_code == 200
    described = answer.json()
    assert described["id"] == "echo" and isinstance(described["version"], str)
    assert set(described["jobControlOptions"]) <= {"sync-execute", "async-execute", "dismiss"}
    assert set(described["outputTransmission"]) <= {"value", "reference"}
    no_null(described)
    for value in [*described["inputs"].values(), *described["outputs"].values()]:
        old_dialect(value["schema"])
    valid("process", described)


def old_dialect(schema):
    """What OpenAPI 3.0 can say."""
    assert isinstance(schema, dict)
    assert not schema.keys() & {"const", "examples", "$ref"}
    assert not isinstance(schema.get("type"), list)
    for name in ("exclusiveMinimum", "exclusiveMaximum"):
        assert isinstance(schema.get(name, False), bool)
    nested = [*schema.get("properties", {}).values(), *(schema[name] for name in ("items", "not") if name in schema)]
    for name in ("allOf", "anyOf", "oneOf"):
        nested += schema.get(name, [])
    for inner in nested:
        old_dialect(inner)


# Section 3: the echo process, as the suite reads it, and its normal request.


@pytest.fixture(scope="module")
def echo(url):
    return get(f"{url}/processes/echo").json()


def test_the_suite_can_read_the_echo_process(echo):
    first = next(iter(echo["inputs"]))
    assert echo["inputs"][first]["schema"] == {"type": "string"}
    assert first in echo["outputs"]
    mandatory = [name for name, value in echo["inputs"].items() if value.get("minOccurs", 1) > 0]
    assert mandatory == [first]
    assert "pause" in echo["inputs"]
    for value in [*echo["inputs"].values(), *echo["outputs"].values()]:
        branches = value["schema"].get("allOf", [])
        assert all("format" in branch for branch in branches), "an element without `format` ends the suite"


def normal(echo, **more):
    inputs = {name: sent(value["schema"]) for name, value in echo["inputs"].items()}
    outputs = {name: {"transmissionMode": "value"} for name in echo["outputs"]}
    return {"inputs": {name: value for name, value in inputs.items() if value is not None}, "outputs": outputs, **more}


def sent(schema):
    if schema.get("type") == "object":
        return {"value": "teststring"}
    if schema.get("type") == "string" and not schema.keys() & {"format", "contentMediaType"}:
        return "teststring"
    return None


def run(url, body, **headers):
    kind = {"Content-Type": "application/json; charset=UTF-8", **JSON, **headers}
    return requests.post(f"{url}/processes/echo/execution", json=body, headers=kind, timeout=60)


def one_output(echo, **more):
    first = next(iter(echo["inputs"]))
    return normal(echo, **more) | {"outputs": {first: {"transmissionMode": "value"}}}


# Section 4: jobs, by the numbers of its table.


def test_1_to_3_modes_and_default_outputs(url, echo):
    assert run(url, normal(echo), **ASYNC).status_code == 201
    answer = run(url, normal(echo))
    assert answer.status_code == 200
    without = normal(echo)
    del without["outputs"]
    assert run(url, without).status_code == 200


def test_4_and_5_arrays_and_boxes(url, echo):
    arrays = normal(echo) | {"outputs": {"arr": {"transmissionMode": "value"}}}
    arrays["inputs"]["arr"] = [1, 2, 3]
    assert run(url, arrays).status_code == 200
    boxes = normal(echo) | {"outputs": {"box": {"transmissionMode": "value"}}}
    boxes["inputs"]["box"] = {"bbox": [51.9, 7, 52, 7.1], "crs": CRS84}
    assert run(url, boxes).status_code == 200


def test_11_validation_of_inputs(url, echo):
    in_parts(run(url, normal(echo)))
    wrong = normal(echo)
    named = [name for name, value in echo["inputs"].items() if has_media_type(value["schema"])]
    assert named
    for name in named:
        wrong["inputs"][name] = {"type": f"wrong/type_{uuid.uuid4()}"}
    answer = run(url, wrong)
    assert answer.status_code in (400, 500), "422 is no answer to the suite"
    assert answer.headers["Content-Type"].split(";")[0] == "application/json", "nor is application/problem+json"
    valid("exception", answer.json())


def has_media_type(schema):
    return "contentMediaType" in schema or any(map(has_media_type, schema.get("oneOf", [])))


def in_parts(answer):
    """Section 5: several raw outputs are parts, with the text in one that is not JSON."""
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("multipart/related")
    boundary = answer.text.lstrip().split("\n", 1)[0].strip()
    assert boundary.startswith("--")
    heads = [part.replace("\r\n", "\n").partition("\n\n") for part in answer.text.split(boundary)[1:-1]]
    texts = [body for head, _, body in heads if "application/json" not in head]
    assert any("teststring" in body for body in texts)


@pytest.mark.parametrize("headers", [ASYNC, ASYNC_WITH_SPACE], ids=["plain", "trailing space"])
@pytest.mark.parametrize("more", [{}, {"response": "raw"}, {"response": "document"}], ids=["none", "raw", "document"])
def test_12_13_20_21_jobs(url, echo, headers, more):
    answer = run(url, normal(echo, **more), **headers)
    assert answer.status_code == 201
    job = answer.headers["Location"]
    assert job.startswith("http://")
    for accept in ({"Accept": "*/*"}, JSON, {"Accept": None}):
        status = get(job, accept)
        assert status.status_code == 200 and status.headers["Content-Type"].split(";")[0] == "application/json"
        is_status(status.json())


def is_status(status):
    valid("statusInfo", status)
    assert status["type"] == "process" and status["jobID"] and status["processID"] == "echo"
    assert status["status"] in ("accepted", "running", "successful", "failed", "dismissed")
    relations = [link["rel"] for link in status["links"]]
    assert all(link["href"].startswith("http") for link in status["links"])
    assert {"monitor", "status"} & set(relations)
    if status["status"] == "successful":
        assert RESULTS in relations


@pytest.mark.parametrize("response", ["raw", "document"])
def test_14_synchronous_answers(url, echo, response):
    assert run(url, normal(echo, response=response)).status_code == 200


def test_15_and_22_one_raw_value(url, echo):
    answer = run(url, one_output(echo, response="raw"))
    assert answer.status_code == 200 and "teststring" in answer.text
    job = run(url, one_output(echo, response="raw"), **ASYNC).headers["Location"]
    until("the job is successful", lambda: get(job).json()["status"] == "successful")
    [results] = [link["href"] for link in get(job).json()["links"] if link["rel"] == RESULTS]
    assert "teststring" in get(results, {"Accept": None}).text


def test_16_and_17_no_such_job(url):
    for tail in ("", "/results"):
        fault = is_exception(get(f"{url}/jobs/invalid-job-{uuid.uuid4()}{tail}"), 404)
        assert fault["type"] == f"{EXCEPTIONS}/no-such-job"


def test_18_results_that_are_not_ready(url, echo):
    first = next(iter(echo["inputs"]))
    body = {"inputs": {first: "teststring", "pause": 5}, "response": "raw"}
    job = run(url, body, **ASYNC).headers["Location"]
    fault = is_exception(get(f"{job}/results"), 404)
    assert fault["type"] == f"{EXCEPTIONS}/result-not-ready"


def test_19_a_request_that_is_none(url):
    answer = run(url, {"invalid-execute-request": "true)"})
    is_exception(answer, 400)


def test_23_no_link_header_on_synchronous_answers(url, echo):
    for body in (normal(echo), one_output(echo), normal(echo, response="document"), one_output(echo, response="raw")):
        answer = run(url, body)
        assert answer.status_code == 200 and "Link" not in answer.headers


# Section 7: the description's own class.


def test_description_of_inputs_and_outputs(echo):
    for part in ("inputs", "outputs"):
        assert echo[part]
        assert all("schema" in value for value in echo[part].values())
        assert any("oneOf" in value["schema"] for value in echo[part].values()), "else the mixed type tests are skipped"


# Section 8: the list of jobs.


def test_job_list(url, echo):
    run(url, normal(echo), **ASYNC)
    answer = get(f"{url}/jobs")
    assert answer.status_code == 200 and answer.json()["jobs"]
    valid("jobList", answer.json())
