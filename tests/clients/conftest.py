"""A running server with the shipped packages, for real clients."""

import contextlib
import os
import pathlib
import re
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def pytest_addoption(parser):
    parser.addoption("--rutter", required=True, help="the built binary")


@pytest.fixture(scope="session")
def start(request, tmp_path_factory):
    """Starts servers: `start(RUTTER__SERVER__PUBLIC_URL=...)` gives the address of one until the tests are over."""
    program = request.config.getoption("--rutter")
    with contextlib.ExitStack() as servers:

        def one(listen="127.0.0.1:0", **settings):
            folder = tmp_path_factory.mktemp("rutter")
            return servers.enter_context(serving(program, folder, listen, settings))

        yield one


@pytest.fixture(scope="session")
def url(start):
    return start()


@contextlib.contextmanager
def serving(program, folder, listen, settings):
    log = folder / "log"
    command = [program, "serve", "--listen", listen, "--data", str(folder / "data"), "--processes", str(ROOT / "processes")]
    with log.open("w") as stream:
        server = subprocess.Popen(command, stderr=stream, cwd=folder, env={**os.environ, **settings})
    try:
        yield address(server, log)
    finally:
        server.terminate()
        server.wait(60)


def address(server, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"listening on (http://\S+?)/?\s", log.read_text())
        if found:
            return found.group(1)
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def until(what, holds, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = holds()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"did not come true: {what}")
