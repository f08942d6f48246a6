"""The OpenAPI document: valid, complete for every process, and true under schemathesis."""

import json
import os
import pathlib
import subprocess
import sys

import requests
from openapi_spec_validator import validate

HERE = pathlib.Path(__file__).parent
PROGRAM = pathlib.Path(sys.executable).parent / "schemathesis"
OPENAPI = {"Accept": "application/vnd.oai.openapi+json;version=3.0"}


def document(url):
    answer = requests.get(f"{url}/api", headers=OPENAPI, timeout=30)
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json;version=3.0"
    return answer.json()


def test_is_valid(url):
    validate(document(url))


def test_every_process_has_a_body_schema_and_examples_that_work(url):
    api = document(url)
    for process in requests.get(f"{url}/processes", timeout=30).json()["processes"]:
        operation = api["paths"][f"/processes/{process['id']}/execution"]["post"]
        content = operation["requestBody"]["content"]["application/json"]
        assert resolved(api, content["schema"])["properties"]["inputs"], process["id"]
        examples = content["examples"]
        assert examples, process["id"]
        for name, example in examples.items():
            answer = requests.post(f"{url}/processes/{process['id']}/execution", json=example["value"], timeout=60)
            assert answer.status_code in (200, 201, 204), f"{process['id']} {name}: {answer.text}"


def resolved(api, schema):
    if "$ref" in schema:
        return api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def test_schemathesis_finds_no_fault(url, tmp_path):
    # What it checks, and what it does not, stands with reasons in schemathesis.toml.
    api = tmp_path / "api.json"
    api.write_text(json.dumps(document(url)))
    run = subprocess.run(
        [PROGRAM, "--config-file", HERE / "schemathesis.toml", "run", api, "--url", url, "--seed", "1", "--request-timeout", "60"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == 0, run.stdout[-12000:] + run.stderr[-2000:]
