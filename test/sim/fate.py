"""What becomes of a pod: a pure function of seed, node name and template. README.md section 2."""
import re
from dataclasses import dataclass, field

import shell

MASK = (1 << 64) - 1


def fnv1a_64(data):
    h = 0xcbf29ce484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001b3) & MASK
    return h


def fnv1a_32(data):
    h = 0x811c9dc5
    for byte in data:
        h = ((h ^ byte) * 0x01000193) & 0xffffffff
    return h


class Draws:
    """splitmix64"""

    def __init__(self, seed, name):
        self.state = fnv1a_64(("%d/%s" % (seed, name)).encode())

    def draw(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)


@dataclass
class Fate:
    duration_us: int
    phase: str
    message: str = ""
    exit_code: str = None
    result: str = None
    parameters: dict = field(default_factory=dict)  # name -> value


def attempt_of(name):
    """The number in the last (digits) of the node name."""
    found = re.findall(r"\((\d+)\)", name)
    return int(found[-1]) if found else 0


def drawn_outcome(p, code, fate):
    error, fail = fate.get("error_pct", 0), fate.get("fail_pct", 0)
    if p < error:
        return "Error", None
    if p < error + fail:
        return "Failed", code
    return "Succeeded", 0


def forced_outcome(name, notes):
    attempts, code = notes.get("sim/fail-attempts"), notes.get("sim/exit")
    if attempts:
        return ("Failed", 1) if attempt_of(name) < int(attempts) else ("Succeeded", 0)
    if code == "error":
        return "Error", None
    if code:
        return ("Failed", int(code)) if int(code) else ("Succeeded", 0)
    return None


def parameter_files(tmpl):
    declared = (tmpl.get("outputs") or {}).get("parameters") or []
    return [p for p in declared if {"path", "jsonPath", "jqFilter"} & set(p.get("valueFrom") or {})]


def parameter_value(p, notes, drawn):
    """The value, or None when the file is missing and there is no default."""
    if notes.get("sim/missing-" + p["name"]) == "true":
        default = p["valueFrom"].get("default")
        return None if default is None else str(default)
    return notes.get("sim/out-" + p["name"], drawn)


def http_fate(duration, phase, code, result):
    """A request always has a result when it has an answer, and never an exit code."""
    if phase == "Error":
        return Fate(duration, "Failed", "sim: no answer")
    message = "" if phase == "Succeeded" else "received non-2xx response code: %d" % code
    return Fate(duration, phase, message, result=result)
def without_newline(text):
    return text[:-1] if text.endswith("\n") else text


def written_value(p, run):
    """The value of an output file, or None when it is missing and there is no default."""
    if p["valueFrom"]["path"] in run.files:
        return without_newline(run.files[p["valueFrom"]["path"]])
    default = p["valueFrom"].get("default")
    return None if default is None else str(default)


def finish(got, values):
    """What the output files do to the outcome."""
    got.parameters = {n: v for n, v in values if v is not None}
    missing = [n for n, v in values if v is None]
    if missing and got.phase == "Succeeded":
        got.phase, got.message = "Error", "output parameter '%s' is missing" % missing[0]
    return got


def outcome(duration, phase, code):
    return Fate(duration, phase, "" if phase == "Succeeded" else "main: Error (exit code %d)" % code, str(code))


def fate_commanded(name, tmpl, captured, given):
    """What its command says, unless the case knows better. README.md section 2.1."""
    run, known = shell.run_template(tmpl), (given or {}).get(name) or {}
    duration = known.get("takes_us", run.took_us or 10**6)
    if "error" in known:
        return Fate(duration, "Error", known["error"])
    code = known.get("exit", run.code)
    got = outcome(duration, "Failed" if code else "Succeeded", code)
    if captured:
        got.result = str(known.get("result", without_newline(run.out)))
    return finish(got, [(p["name"], written_value(p, run)) for p in parameter_files(tmpl)])


def fate_of(name, tmpl, captured, fate):
    if fate.get("shell"):
        return fate_commanded(name, tmpl, captured, fate.get("pods"))
    return fate_drawn(name, tmpl, captured, fate)


def fate_drawn(name, tmpl, captured, fate):
    draws = Draws(fate["seed"], name)
    duration, p = 1000 * (1 + draws.draw() % 50), draws.draw() % 100
    code, result = 1 + draws.draw() % 3, str(draws.draw() % 10)
    values = [(f, "v%d" % (draws.draw() % 5)) for f in parameter_files(tmpl)]
    notes = (tmpl.get("metadata") or {}).get("annotations") or {}
    if notes.get("sim/duration-ms"):
        duration = 1000 * int(notes["sim/duration-ms"])
    phase, code = forced_outcome(name, notes) or drawn_outcome(p, code, fate)
    if "http" in tmpl:
        return http_fate(duration, phase, code, notes.get("sim/result", result))
    if phase == "Error":
        return Fate(duration, "Error", "sim: infrastructure error")
    got = outcome(duration, phase, code)
    if captured or "data" in tmpl:
        got.result = notes.get("sim/result", result)
    return finish(got, [(f["name"], parameter_value(f, notes, drawn)) for f, drawn in values])
