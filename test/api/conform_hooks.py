"""What schemathesis is told about this server (see conform.py): names that are there, so that not every request ends in 404."""
import json
import os
import zlib

import schemathesis
from schemathesis.core.parameters import ParameterLocation

KNOWN = json.loads(os.environ["CONFORM_KNOWN"])  # parameter -> values that mean something
DOCUMENTS = json.loads(os.environ["CONFORM_DOCUMENTS"])  # member of a body -> a document that is accepted


def pick(value, choices):
    """One of the choices in two of three cases, else the value; always the same for a value."""
    n = zlib.crc32(repr(value).encode())
    return value if n % 3 == 0 or not choices else choices[n // 3 % len(choices)]


def negative(case, location):
    return case.meta is not None and case.meta.is_negative_at(location)


@schemathesis.hook
def map_case(context, case):
    if not negative(case, ParameterLocation.PATH):
        case.path_parameters = {k: pick(v, KNOWN.get(k)) for k, v in (case.path_parameters or {}).items()}
    # without `fields`: what an answer leaves out then may be what its schema requires, as the document says
    case.query = {k: v for k, v in (case.query or {}).items() if k != "fields"}
    if isinstance(case.body, dict) and not negative(case, ParameterLocation.BODY):
        case.body = {k: pick(v, [DOCUMENTS[k]]) if k in DOCUMENTS else v for k, v in case.body.items()}
    return case


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whoever shows wrong tokens again and again is told 429, where 401 is expected."""
    return "429 Too Many Requests" not in failure.message
