"""Runs the line of a shell that a process is, with the variables that the caller gave.

Arguments: the line, and the settings as JSON. What the caller gave becomes variables and never part of the line.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

OUTPUT = pathlib.Path("/output-byoa")
RESULTS = pathlib.Path("/full-results-pvc")


def main():
    line, settings = sys.argv[1], json.loads(sys.argv[2])
    given = json.loads(pathlib.Path(os.environ["RUTTER_INPUTS_FILE"]).read_text(encoding="utf-8"))
    for name, value in (given.get("parameters_env") or {}).items():
        if name in settings["own"]:
            continue
        os.environ[name] = value if isinstance(value, str) else json.dumps(value)
    try:
        link(given.get("result_data_directory"))
        code = subprocess.run(["bash", "-i", "-c", line], check=False).returncode
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    if OUTPUT.is_dir():
        shutil.copytree(OUTPUT, pathlib.Path(os.environ["RUTTER_OUT"]) / "output", dirs_exist_ok=True)
    return code if 0 <= code < 256 else 1


def link(directory):
    """Results lie on a volume, where the caller says; the program knows them as /output-byoa."""
    if not directory:
        return
    folder = (RESULTS / directory.replace("{job_name}", os.environ.get("JOB_NAME", "job"))).resolve()
    if RESULTS not in folder.parents:
        raise ValueError(f"result_data_directory {directory!r} is not below {RESULTS}")
    folder.mkdir(parents=True, exist_ok=True)
    OUTPUT.unlink(missing_ok=True)
    OUTPUT.symlink_to(folder)


if __name__ == "__main__":
    sys.exit(main())
