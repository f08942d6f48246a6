"""The generated client of the EOEPCA projects: strict about every model."""

import ogc_api_processes_client as ogc
import pytest
from conftest import until
from ogc_api_processes_client.models import StatusCode


@pytest.fixture
def client(url):
    return ogc.ApiClient(ogc.Configuration(host=url))


def test_every_read(client):
    assert ogc.CapabilitiesApi(client).get_landing_page().links
    assert ogc.ConformanceDeclarationApi(client).get_conformance_classes().conforms_to
    processes = ogc.ProcessListApi(client).get_processes().processes
    for process in processes:
        assert ogc.ProcessDescriptionApi(client).get_process_description(process.id).id == process.id


def test_a_job_from_submission_to_dismissal(client):
    # No inputs: the `oneOf` models of the client refuse every text (as bytes too) and number (as int and float) before sending it.
    execute = ogc.Execute.from_dict({"inputs": {}})
    job = submitted(client, "hello", execute)
    status = ogc.StatusApi(client)
    until("the job is over", lambda: status.get_status(job).status == StatusCode.SUCCESSFUL)
    assert any(it.job_id == job for it in ogc.JobListApi(client).get_jobs().jobs)
    assert ogc.DismissApi(client).dismiss(job).job_id == job


def test_a_running_job_is_dismissed(client):
    # Ten seconds by default.
    job = submitted(client, "countdown", ogc.Execute.from_dict({"inputs": {}}))
    assert ogc.DismissApi(client).dismiss(job).status == StatusCode.DISMISSED


def submitted(client, process, execute):
    answer = ogc.ExecuteApi(client).execute(process, execute=execute, _headers={"Prefer": "respond-async"})
    return answer.job_id
