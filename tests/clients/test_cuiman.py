"""cuiman: never sends Prefer, and expects a job."""

from conftest import until
from cuiman.api import Client
from cuiman.api.client import ProcessRequest


def test_a_countdown(url):
    client = Client(api_url=url)
    assert client.get_capabilities().links
    assert client.get_conformance().conformsTo
    ids = [process.id for process in client.get_processes().processes]
    assert "countdown" in ids
    for process in ids:
        assert client.get_process(process).id == process
    job = client.execute_process("countdown", ProcessRequest(inputs={"seconds": 1}))
    done = until("the job is over", lambda: finished(client.get_job(job.jobID)))
    assert done.status.value == "successful"
    assert client.get_job_results(job.jobID)
    assert any(it.jobID == job.jobID for it in client.get_jobs().jobs)


def finished(job):
    return job if job.status.value in ("successful", "failed", "dismissed") else None
