"""/openapi.json: valid, the whole table, and all of Argo's operations under Argo's names at Argo's paths."""
import glob
import json
import os
import re
import subprocess
import tempfile

import packages

HERE = os.path.dirname(os.path.abspath(__file__))
ROLES = {"OPEN": [], "VIEW": [{"bearer": ["view"]}], "RUN": [{"bearer": ["run"]}], "ADMIN": [{"bearer": ["admin"]}]}


def operations(doc):
    return {(m.upper(), path): op for path, item in doc["paths"].items() for m, op in item.items()}


def refs(value):
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        for v in value.values():
            yield from refs(v)
    elif isinstance(value, list):
        for v in value:
            yield from refs(v)


def parameters(op, where):
    return {p["name"]: p["schema"] for p in op.get("parameters", []) if p["in"] == where}


def asked_for():
    """Keys of queries that a handler reads by name."""
    for path in glob.glob(os.path.join(HERE, "..", "..", "src", "api", "*.c")):
        with open(path) as f:
            yield from re.findall(r'http_req_query\(r, "([^"]+)"', f.read())


def contents(score, doc):
    ops = operations(doc)
    ids = [op["operationId"] for op in ops.values()]
    score.check(len(set(ids)) == len(ids), "operation names stand once")
    lost = {r for r in refs(doc) if r.startswith("#/components/schemas/") and r.rsplit("/", 1)[1] not in doc["components"]["schemas"]}
    score.check(not lost, f"references to nothing: {lost}")
    left_out = set(asked_for()) - {name for op in ops.values() for name in parameters(op, "query")}
    score.check(not left_out, f"parameters that are not described: {left_out}")
    listed = parameters(ops["GET", "/api/v1/workflows/{namespace}"], "query")
    score.check(listed["listOptions.limit"] == {"type": "integer", "minimum": 0}, f"{listed.get('listOptions.limit')}")
    score.check(listed["nameFilter"]["enum"] == ["Exact", "Contains", "Prefix"] and "fields" in listed, f"{list(listed)}")
    create = ops["POST", "/api/v1/workflows/{namespace}"]["requestBody"]["content"]["application/json"]["schema"]
    request = doc["components"]["schemas"][create["$ref"].rsplit("/", 1)[1]]
    score.check(request["required"] == ["workflow"] and request["properties"]["workflow"]["$ref"].endswith("/Workflow"), f"{request}")
    log = ops["GET", "/api/v1/workflows/{namespace}/{name}/log"]["responses"]["200"]["content"]
    framed = log["application/json"]["schema"]["properties"]
    score.check(set(framed) == {"result", "error"} and "text/event-stream" in log, f"{log}")
    score.check(list(ops["DELETE", "/api/v1/sensors/{namespace}/{name}"]["responses"]) == ["501", "default"], "what is refused says so")


def check(score, doc, table):
    """`table`: (method, pattern, role) of routes.def."""
    ops = operations(doc)
    for method, pattern, role in table:
        op = ops.get((method, pattern.replace("...}", "}")))
        score.check(op is not None and op["security"] == ROLES[role], f"{method} {pattern}: {op and op['security']}")
    score.check(len(ops) == len(table), f"{len(ops)} operations, {len(table)} routes")
    with open(os.path.join(HERE, "argo-operations.txt")) as f:
        wanted = [line.split() for line in f if not line.startswith("#")]
    score.check(len(wanted) == 73, f"{len(wanted)} operations of Argo's")
    for method, path, name in wanted:
        score.check(ops.get((method, path), {}).get("operationId") == name, f"{method} {path} is {name}")
    contents(score, doc)
    try:
        python = packages.Python(os.path.join(HERE, "requirements.txt"))
    except packages.Unavailable as e:
        score.skip(f"the validator of OpenAPI documents: {e}")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(doc, f)
        f.flush()
        done = subprocess.run([*python.program("openapi-spec-validator"), f.name], capture_output=True, text=True)
    score.check(done.returncode == 0, f"valid: {done.stdout}{done.stderr}")
