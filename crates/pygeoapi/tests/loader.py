"""Reads texts, one JSON string a line, as pygeoapi reads its configuration; prints what they say, with types, a line each."""

import datetime
import io
import json
import sys

from pygeoapi.util import yaml_load


def typed(value):
    if isinstance(value, dict):
        return ["map", [[typed(key), typed(member)] for key, member in value.items()]]
    if isinstance(value, list):
        return ["list", [typed(item) for item in value]]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float, datetime.date)):
        return [type(value).__name__, str(value)]
    return value


for line in sys.stdin:
    text = json.loads(line)
    try:
        value = yaml_load(io.StringIO(text))
        print(json.dumps({"value": typed(value), "str": str(value)}))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
