"""Nodes, and what everything here is made of."""
from dataclasses import dataclass, field

import expressions
import tags

DAY_US = 86400 * 10**6
COMPLETED = ("Succeeded", "Failed", "Error")
FULFILLED = COMPLETED + ("Skipped", "Omitted")
BAD = ("Failed", "Error")
TYPES = ("container", "script", "resource", "data", "steps", "dag", "suspend")
FAIL_FAST = "template has failed or errored children and failFast enabled"
POD_DEADLINE = "Pod was active on the node longer than the specified deadline"
STEP_DEADLINE = "Step exceeded its deadline"


class Held(Exception):
    """A limit holds the node back (ErrParallelismReached)."""


class StepError(Exception):
    """A template could not be executed; its node is already an Error."""


@dataclass
class Node:
    name: str
    id: str
    display: str
    type: str
    phase: str
    template: str = ""
    template_ref: str = ""
    boundary: str = ""
    message: str = ""
    started: int = None
    finished: int = None
    outputs: dict = None  # parameters: [{name, value, globalName}], result, exitCode
    children: list = field(default_factory=list)
    outbound: list = field(default_factory=list)
    hooked: bool = False
    retried: bool = False
    on_exit: bool = False
    late: bool = False  # its timeout was over while it waited for a lock
    memo: str = ""  # "hit" or "miss" of a memoized template

    def fulfilled(self):
        return self.phase in FULFILLED

    def completed(self):
        return self.phase in COMPLETED

    def bad(self):
        return self.phase in BAD


@dataclass
class Place:
    """Where a template is executed: its boundary and what it inherits."""
    boundary: str = ""
    on_exit: bool = False
    hooked: bool = False


def duration_us(text):
    """A bare number is seconds, else a Go duration."""
    text = tags.any_string(text)
    if text.lstrip("-").isdigit():
        return int(text) * 10**6
    units = {"h": 3600 * 10**6, "m": 60 * 10**6, "s": 10**6, "ms": 1000, "us": 1}
    total, number, at = 0, "", 0
    while at < len(text):
        if text[at].isdigit() or text[at] == ".":
            number, at = number + text[at], at + 1
            continue
        unit = text[at:at + 2] if text[at:at + 2] in ("ms", "us") else text[at]
        total, number, at = total + float(number) * units[unit], "", at + len(unit)
    return int(round(total))


def seconds(node):
    """Duration of a node as Go prints it."""
    return expressions.to_text((node.finished - node.started) / 10**6)


class AbsentArgument(str):
    """Marks an argument that is nothing but a reference to an absent output [markAbsentOptionalArgs]."""


ABSENT_ARGUMENT = AbsentArgument("\0absent")


def mark_absent(args, values):
    if not args.get("parameters"):
        return args
    return dict(args, parameters=[dict(p, value="\0absent") if absent_reference(p.get("value"), values) else p
                                  for p in args["parameters"]])


def unmark(args):
    """After substitution: the mark is the one object that with_arguments knows."""
    if not args.get("parameters"):
        return args
    return dict(args, parameters=[dict(p, value=ABSENT_ARGUMENT) if p.get("value") == "\0absent" else p
                                  for p in args["parameters"]])


def absent_reference(value, values):
    if not (isinstance(value, str) and value.startswith("{{") and value.endswith("}}")):
        return False
    key = value[2:-2].strip()
    return "{{" not in key and key in values and values[key] is tags.ABSENT
