"""Tags: `{{name}}` and `{{=expression}}` in the JSON text of a step, task or template.

As Argo does it (util/template): the text is scanned for `{{`, then for the next `}}`; what stands between is the tag. A
value is inserted JSON-escaped, so the text stays JSON. A tag inside a tag is resolved first and the outer one in the next
pass, because the outer one is then written back with its braces.
"""
import decimal
import json

import expressions


class Unresolved(Exception):
    """A steps./tasks. reference that has no value yet: Argo queues the workflow again and waits."""


class TagError(Exception):
    """A reference that can never get a value: the node is an error."""


ABSENT = None  # value of an output that a skipped or omitted node did not produce and that has no default


def quote(value):
    return json.dumps(value, ensure_ascii=False)[1:-1]


def is_strict(tag, strict):
    if tag in ("steps.name", "tasks.name"):
        return False  # filled in by the template that is called
    if strict == "all":
        return True
    return any(tag.startswith(p) for p in strict)


def simple_tag(tag, values, strict):
    key = tag.strip()
    if key in values:
        if values[key] is ABSENT:
            raise TagError("unable to substitute {{%s}}: output is an absent optional "
                           "(skipped/omitted node with no default)" % tag)
        return quote(values[key])
    inner = tag.rfind("{{")
    if inner > 0 and tag[inner + 2:] in values:
        return "{{" + tag[:inner] + quote(values[tag[inner + 2:]])
    if is_strict(key, strict) and ".outputs.artifacts." not in key:
        raise Unresolved("failed to resolve {{%s}}" % tag)
    return "{{" + tag + "}}"


def expression_tag(tag, values, strict):
    text = json.loads('"%s"' % tag[1:])
    try:
        result = expressions.expr(text, expressions.environment(values))
    except expressions.ExprError as e:
        if strict == "all":
            raise TagError("failed to evaluate expression: %s" % e)
        return "{{" + tag + "}}"
    if result is None:
        if strict == "all":
            raise TagError("failed to evaluate expression %s" % text)
        return "{{" + tag + "}}"
    return quote(expressions.to_text(result))


def replace(text, values, strict=()):
    """`strict`: prefixes of tags that must have a value, or "all"."""
    if "{{" not in text:
        return text
    out, at = [], 0
    while True:
        start = text.find("{{", at)
        end = text.find("}}", start + 2) if start >= 0 else -1
        if start < 0 or end < 0:
            out.append(text[at:])
            return "".join(out)
        out.append(text[at:start])
        tag = text[start + 2:end]
        out.append(expression_tag(tag, values, strict) if tag.startswith("=") else simple_tag(tag, values, strict))
        at = end + 2


def substitute(obj, values, strict=()):
    """The object with the tags of its JSON text replaced."""
    text = json.dumps(obj, ensure_ascii=False)
    if "{{" not in text:
        return obj
    return json.loads(replace(text, values, strict))


def any_string(v):
    """Argo's AnyString: how a parameter value of any JSON type becomes text."""
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return format(decimal.Decimal(repr(float(v))).to_integral_value(), "f")  # decoded as a float64
    if isinstance(v, float):
        return str(int(v)) if v == int(v) else repr(v)
    if isinstance(v, str):
        return v
    return ""
