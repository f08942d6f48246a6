"""Runs a notebook with papermill and hands its outputs over.

Needs nothing but Python's standard library: it runs in whatever image has papermill. Its argument is the settings of the
process as JSON; what the caller gave stands in $RUTTER_INPUTS_FILE and never meets a shell.
"""

import base64
import datetime
import json
import mimetypes
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

SCRAP = re.compile(r"application/scrapbook\.scrap\.(\w+)\+json")


def main():
    settings = json.loads(sys.argv[1])
    given = json.loads(pathlib.Path(os.environ["RUTTER_INPUTS_FILE"]).read_text(encoding="utf-8"))
    home = pathlib.Path(os.environ["HOME"])
    notebook = home / given["notebook"]
    try:
        check_out(given, home)
        result = place_of_result(settings, given, home, notebook)
        prepare(result, given, home)
    except (OSError, ValueError) as error:
        return fail(f"the notebook can't be prepared: {error}")
    if settings.get("results_in_output_dir"):
        os.environ["RESULTS_DIRECTORY"] = str(result.parent)
    over = threading.Event()
    watcher = threading.Thread(target=tell_progress, args=(result, over))
    watcher.start()
    try:
        code = run(papermill(settings, given, notebook, result))
    finally:
        over.set()
        watcher.join()
    if os.environ.get("PAPERMILL_SLACK_WEBHOOK_URL"):
        run(["papermill_slack", str(result)])
    hand_over(result, home)
    if code != 0:
        return fail(reason(result) or f"papermill ended with {code}", code)
    return 0


def fail(why, code=1):
    print(why, file=sys.stderr, flush=True)
    if "RUTTER_FAILURE" in os.environ:
        pathlib.Path(os.environ["RUTTER_FAILURE"]).write_text(why, encoding="utf-8")
    return code if 0 < code < 256 else 1


def run(command):
    try:
        return subprocess.run(command, check=False, cwd=os.environ["HOME"]).returncode
    except OSError as error:
        return fail(f"{command[0]} can't be started: {error}", 127)


def last_part(text):
    """The last component of a path: callers choose names, not folders."""
    name = pathlib.PurePosixPath(text).name
    if name in ("", ".", ".."):
        raise ValueError(f"{text!r} is no name")
    return name


def place_of_result(settings, given, home, notebook):
    now = datetime.datetime.now()
    stamp = now.strftime("%Y%m%d-%H%M%S-%f")
    folder = home / settings["output_directory"] / now.strftime("%Y-%m-%d")
    if given.get("output_dirname"):
        folder /= last_part(given["output_dirname"])
    stem = notebook.stem
    if settings.get("results_in_output_dir"):
        folder /= f"{stamp}-{stem}"
        return folder / f"{stem}_result.ipynb"
    if given.get("output_filename"):
        return folder / last_part(given["output_filename"])
    return folder / f"{stem}_result_{stamp}_{os.environ.get('RUTTER_JOB_ID', 'job')}.ipynb"


def prepare(result, given, home):
    """The folders and the file are there before papermill is, as they were when a server made them."""
    result.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(result, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o664))
    data = given.get("result_data_directory")
    if not data:
        return
    folder = (home / data.replace("{job_name}", os.environ.get("JOB_NAME", "job"))).resolve()
    if home.resolve() not in folder.parents:
        raise ValueError(f"result_data_directory {data!r} is not below {home}")
    folder.mkdir(parents=True, exist_ok=True)
    link = home / "result-data"
    if link.is_symlink() or not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(folder)


def check_out(given, home):
    """An init container has cloned the repository; which revision is the caller's word."""
    revision = given.get("git_revision")
    if not revision:
        return
    folder = home / "git" / "algorithm"
    if revision.startswith("-") or run(["git", "-C", str(folder), "checkout", "--quiet", revision, "--"]) != 0:
        raise ValueError(f"the revision {revision!r} can't be checked out")


def papermill(settings, given, notebook, result):
    command = ["papermill", given["notebook"], str(result)]
    if settings.get("engine"):
        command += ["--engine", settings["engine"]]
    command += ["--request-save-on-cell-execute", "--autosave-cell-every", "60", "--cwd", str(notebook.parent)]
    if settings.get("log_output"):
        command.append("--log-output")
    if given.get("kernel"):
        command += ["-k", given["kernel"]]
    if given.get("parameters_json"):
        parameters = given["parameters_json"]
        # Some clients send the text of an object.
        text = json.dumps(json.loads(parameters) if isinstance(parameters, str) else parameters)
        command += ["-b", base64.b64encode(text.encode()).decode()]
    elif given.get("parameters"):
        command += ["-b", given["parameters"]]
    return command


def read(result):
    try:
        document = json.loads(result.read_text(encoding="utf-8"))
        return document if isinstance(document.get("cells"), list) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def cells(result):
    return [cell for cell in read(result).get("cells", []) if isinstance(cell, dict)]


def tell_progress(result, over):
    """The notebook is saved with each cell: that is all that is known of it from outside."""
    file, said = os.environ.get("RUTTER_PROGRESS"), -1
    while file and not over.wait(0.5):
        states = [cell.get("metadata", {}).get("papermill", {}).get("status") for cell in cells(result)]
        done = sum(state == "completed" for state in states)
        if states and done > said:
            said = done
            with open(file, "a", encoding="utf-8") as progress:
                progress.write(f"{100 * done // len(states)} cell {done} of {len(states)}\n")


def reason(result):
    """What the cell raised that ended the notebook."""
    for cell in cells(result):
        for output in outputs_of(cell):
            if output.get("output_type") == "error":
                return one_line(f"{output.get('ename')}: {output.get('evalue')}")
    return None


def one_line(text):
    return " ".join(text.split())


def outputs_of(cell):
    return [output for output in cell.get("outputs") or [] if isinstance(output, dict)]


def scraps_of(result):
    """Everything that scrapbook kept in the notebook: name, media type, and bytes or a value."""
    for cell in cells(result):
        for output in outputs_of(cell):
            data = output.get("data") or {}
            for media_type, scrap in data.items():
                if SCRAP.fullmatch(media_type) and isinstance(scrap, dict) and scrap.get("name"):
                    yield scrap["name"], "application/json", scrap.get("data")
            shown = (output.get("metadata") or {}).get("scrapbook") or {}
            if shown.get("display") and shown.get("name"):
                media_type = next((it for it in data if it != "text/plain"), "text/plain")
                yield shown["name"], media_type, data.get(media_type)


def hand_over(result, home):
    out = pathlib.Path(os.environ["RUTTER_OUT"])
    if read(result):
        shutil.copyfile(result, out / "notebook.ipynb")
    scraps = {name: (media_type, value) for name, media_type, value in scraps_of(result)}
    values = {name: as_value(*scrap) for name, scrap in scraps.items()}
    (out / "scraps.json").write_text(json.dumps(values), encoding="utf-8")
    if "result-file" in scraps:
        copy_result_file(scraps["result-file"][1], home, out)
    elif scraps:
        write_result(*next(iter(scraps.values())), out)
    else:
        (out / "result.json").write_text("{}", encoding="utf-8")


def as_value(media_type, value):
    """A scrap in JSON: text and data as they are, anything else as a qualified value."""
    if media_type in ("application/json", "text/plain"):
        return value
    encoding = {} if is_text(media_type) else {"encoding": "base64"}
    return {"value": joined(value), "mediaType": media_type, **encoding}


def is_text(media_type):
    return media_type.startswith("text/") or media_type.endswith(("+xml", "+json", "/json", "/javascript"))


def joined(value):
    return "".join(value) if isinstance(value, list) else value


def write_result(media_type, value, out):
    if media_type == "application/json":
        return (out / "result.json").write_text(json.dumps(value), encoding="utf-8")
    file = out / f"result-file{mimetypes.guess_extension(media_type) or '.bin'}"
    if is_text(media_type):
        return file.write_text(str(joined(value)), encoding="utf-8")
    return file.write_bytes(base64.b64decode(str(joined(value))))


def copy_result_file(named, home, out):
    source = home / str(named)
    try:
        shutil.copyfile(source, out / f"result-file{source.suffix or '.bin'}")
    except OSError as error:
        print(f"the result file {source} can't be read: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
