"""Loops: the items of a step or task and what they make of it (operator.go expandSequence, processItem)."""
import json

import expressions
import tags


class LoopError(Exception):
    pass


def loops(step):
    return bool(step.get("withItems")) or bool(step.get("withParam")) or step.get("withSequence") is not None


def go_format(fmt, i):
    return fmt % i


def sequence_number(seq, key, otherwise):
    if seq.get(key) is None:
        return otherwise
    try:
        return int(tags.any_string(seq[key]))
    except ValueError:
        raise LoopError('strconv.Atoi: parsing "%s": invalid syntax' % seq[key])


def sequence(seq):
    start = sequence_number(seq, "start", 0)
    if seq.get("end") is not None:
        end = sequence_number(seq, "end", 0)
    elif seq.get("count") is not None:
        count = sequence_number(seq, "count", 0)
        if count == 0:
            return []
        end = start + count - 1
    else:
        raise LoopError("neither end nor count was specified in withSequence")
    numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    return [go_format(seq.get("format") or "%d", i) for i in numbers]


def param_list(step):
    text = step["withParam"]
    try:
        items = json.loads(text)
        if not isinstance(items, list):
            raise ValueError
    except ValueError:
        raise LoopError("withParam value could not be parsed as a JSON list: %s" % text.strip())
    return items


def runs(step):
    """Whether `when` lets the step run as far as it can be told; an error says yes."""
    try:
        return expressions.when(step.get("when") or "")
    except expressions.ExprError:
        return True


def items_of(step):
    if step.get("withItems"):
        items = step["withItems"]
        return json.loads(items) if isinstance(items, str) else items
    try:
        return param_list(step) if step.get("withParam") else sequence(step["withSequence"])
    except LoopError:
        if runs(step):
            raise
        return []  # the step will be skipped: what its list is does not matter


def compact(v):
    return json.dumps(v, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def item_text(item):
    """An item in a tag, as Go's %v of an Argo Item."""
    if isinstance(item, (dict, list)):
        return compact(item)
    return item if isinstance(item, str) else compact(item)


def go_value(item):
    if isinstance(item, list):
        return "[" + " ".join(go_value(x) for x in item) + "]"
    return item_text(item)


def description(item):
    if isinstance(item, dict):
        text = ",".join(sorted("%s:%s" % (k, item_text(v)) for k, v in item.items()))
    else:
        text = go_value(item)
    return text.replace("(", "").replace(")", "")


def item_values(item):
    values = {"item": item_text(item)}
    if isinstance(item, dict):
        values.update({"item." + k: item_text(v) for k, v in item.items()})
    return values


def expand(step, global_values):
    """One step for each item; each has its own name, the rest of the text with the item filled in."""
    out = []
    bare = {k: v for k, v in step.items() if k not in ("withItems", "withParam", "withSequence", "hooks")}
    for i, item in enumerate(items_of(step)):
        values = dict(global_values, **item_values(item))
        try:
            one = dict(tags.substitute(bare, values, "all" if runs(step) else ()))
        except (tags.Unresolved, tags.TagError) as e:
            raise LoopError(str(e))
        one["name"] = "%s(%d:%s)" % (step["name"], i, description(item))
        if "template" in step:
            one["template"] = step["template"]
        if "hooks" in step:
            one["hooks"] = tags.substitute(step["hooks"], values)
        one["called"] = step["name"]
        out.append(one)
    return out


# ---- fan-in: processAggregateNodeOutputs ----


def index_of(name):
    return int(name.split("(")[-1].split(":")[0])


def containers_only(values):
    """The values as JSON when every one is an object or a list, else as texts."""
    try:
        parsed = [json.loads(v) for v in values]
    except ValueError:
        return values
    return parsed if all(isinstance(p, (dict, list)) for p in parsed) else values


def aggregate(prefix, children):
    """Scope entries for a finished loop. Only succeeded items with outputs count."""
    items = sorted((c for c in children if not c.hooked and not c.retried), key=lambda c: index_of(c.name))
    params, by_name, results = [], {}, []
    for node in items:
        if node.outputs is None or node.phase != "Succeeded":
            continue
        values = {p["name"]: p.get("value", "") for p in node.outputs.get("parameters", [])}
        if values:
            params.append(values)
        for name, value in values.items():
            by_name.setdefault(name, []).append(value)
        if node.outputs.get("result") is not None:
            try:
                results.append(json.loads(node.outputs["result"]))
            except ValueError:
                raise LoopError("result of %s is not JSON" % node.name)
    scope = {prefix + ".outputs.result": json.dumps(results, separators=(",", ":"), ensure_ascii=False),
             prefix + ".outputs.parameters": compact(params)}
    for name, values in by_name.items():
        scope["%s.outputs.parameters.%s" % (prefix, name)] = compact(containers_only(values))
    return scope
