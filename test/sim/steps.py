"""Steps templates, as workflow/controller/steps.go walks them. Names in brackets are Argo's functions."""
import expressions
import loops
import nodes as m
import tags

STRICT = ("steps.", "tasks.")


def execute(wf, name, tmpl, holder, library, place):
    """[executeSteps]"""
    wf.reach("steps")
    node = wf.nodes.get(name) or wf.make(name, "Steps", "Running", holder, place)
    scope = wf.input_scope(tmpl)
    for i, group in enumerate(tmpl["steps"]):
        group_name = "%s[%d]" % (name, i)
        if group_name not in wf.nodes:
            wf.make(group_name, "StepGroup", "Running", {}, m.Place(name, place.on_exit))
        connect(wf, name, i)
        group_node = execute_group(wf, group, group_name, name, library, scope, place)
        if not group_node.fulfilled():
            return node
        if group_node.bad():
            update_outbound(wf, node, i)
            return wf.mark(node, "Failed", group_node.message)
        for step in group:
            add_step_scope(wf, step, group_name, name, library, scope)
    update_outbound(wf, node, len(tmpl["steps"]) - 1)
    outputs = wf.template_outputs(tmpl, scope)
    if outputs is not None:
        node.outputs = outputs
        wf.publish(outputs)
    wf.save_quietly(node)
    return wf.mark(node, "Succeeded")


def connect(wf, name, i):
    """A group hangs on the ends of the group before it, the first one on its template's node."""
    group = "%s[%d]" % (name, i)
    if i == 0:
        return wf.link(name, group)
    before = wf.nodes["%s[%d]" % (name, i - 1)]
    if not before.children:
        return wf.link(before.name, group)
    for child in before.children:
        for end in wf.outbound(child):
            wf.link(end, group)


def update_outbound(wf, node, last):
    """[updateOutboundNodes]"""
    group = wf.nodes["%s[%d]" % (node.name, last)]
    node.outbound = [end for child in group.children for end in wf.outbound(child)]


def add_step_scope(wf, step, group_name, boundary, library, scope):
    """What later groups may refer to."""
    prefix, child = "steps." + step["name"], wf.nodes.get("%s.%s" % (group_name, step["name"]))
    if child is not None:
        scope.update(wf.node_scope(prefix, child))
        scope.update(wf.skipped_scope(prefix, child, step, library))
        return
    items = [n for n in wf.nodes.values() if n.boundary == boundary and n.type != "Skipped"
             and n.name.startswith("%s.%s(" % (group_name, step["name"]))]
    if items:
        wf.reach("fan-in of steps")
        try:
            scope.update(loops.aggregate(prefix, items))
        except loops.LoopError as e:
            raise m.StepError(str(e))


def resolve(wf, step, scope):
    """[resolveReferences] The step with its tags replaced. `when` first: a step that does not run is not resolved."""
    values = dict(wf.global_values(), **scope)
    body = {k: v for k, v in step.items() if k not in ("hooks", "when")}
    try:
        when = tags.substitute(step.get("when") or "", values, STRICT)
        runs = True
        try:
            runs = expressions.when(when)
        except expressions.ExprError as e:
            if not loops.loops(step):
                raise m.StepError(str(e))
        if runs:
            arguments = m.mark_absent(step.get("arguments") or {}, values)
            body = tags.substitute(dict(body, arguments=arguments), values, STRICT)
            body["arguments"] = m.unmark(body["arguments"])
        else:
            body = tags.substitute(body, {k: v for k, v in values.items() if v is not tags.ABSENT})
    except tags.TagError as e:
        raise m.StepError(str(e))
    if when:
        body["when"] = when
    if "hooks" in step:
        body["hooks"] = step["hooks"]
    return body


def execute_group(wf, group, group_name, boundary, library, scope, place):
    """[executeStepGroup]"""
    node = wf.nodes[group_name]
    if node.fulfilled():
        return node
    try:
        todo = expand_group(wf, [resolve(wf, s, scope) for s in group], group_name, boundary)
    except tags.Unresolved:
        wf.waits = True
        return node  # waits for what may come
    except m.StepError as e:
        return wf.mark(node, "Error", "failed to resolve references: %s" % e)
    except loops.LoopError as e:
        return wf.mark(node, "Error", str(e))
    started, held = {}, False
    for step in todo:
        child = "%s.%s" % (group_name, step["name"])
        try:
            runs = expressions.when(step.get("when") or "")
        except expressions.ExprError as e:
            wf.make(child, "Skipped", "Error", step, m.Place(boundary, place.on_exit), str(e))
            wf.link(group_name, child)
            wf.reach("when error")
            return wf.mark(node, "Error", str(e))
        wf.reach("when true" if step.get("when") and runs else "when false" if not runs else "steps: no when")
        if not runs:
            skip(wf, child, step, group_name, m.Place(boundary, place.on_exit), "when '%s' evaluated false" % step["when"])
            continue
        try:
            wf.execute(child, dict(step, kind="steps"), library, step.get("arguments"),
                       m.Place(boundary, place.on_exit))
        except m.Held:
            held = True
        except m.StepError as e:
            wf.link(group_name, child)
            return wf.mark(node, "Error", "step group deemed errored due to child %s error: %s" % (child, e))
        if child in wf.nodes:
            started[child] = step
            wf.link(group_name, child)
    if node.fulfilled():
        return node  # template failFast has ended it
    return judge_group(wf, node, started, held, boundary, library, scope)


def skip(wf, child, step, group_name, place, reason):
    if child not in wf.nodes:
        wf.make(child, "Skipped", "Skipped", step, place, reason)
        wf.link(group_name, child)


def expand_group(wf, group, group_name, boundary):
    """[expandStepGroup]"""
    out = []
    for step in group:
        if not loops.loops(step):
            out.append(step)
            continue
        note_loop(wf, step)
        expanded = loops.expand(step, wf.global_values())
        if not expanded:
            wf.reach("empty loop in steps")
            skip(wf, "%s.%s" % (group_name, step["name"]), step, group_name,
                 m.Place(boundary, wf.nodes[group_name].on_exit), "Skipped, empty params")
        out += expanded
    return out


def note_loop(wf, step):
    if step.get("withItems"):
        kinds = {"map" if isinstance(i, dict) else "list" if isinstance(i, list) else "scalar" for i in step["withItems"]}
        for kind in kinds:
            wf.reach("withItems " + kind)
    else:
        wf.reach("withParam" if step.get("withParam") else "withSequence")


def judge_group(wf, node, started, held, boundary, library, scope):
    """Exit hooks of the children that are done; then, all being done, the group's own phase."""
    complete = not held
    for child in [wf.nodes[c] for c in node.children]:
        step = started.get(child.name, {})
        scope["steps.%s.status" % child.display] = child.phase
        try:
            complete = wf.life_hooks(step.get("hooks"), child, boundary, library, "steps." + step.get("name", ""),
                                     scope) and complete
        except m.StepError as e:
            return wf.mark(node, "Error", str(e))
        if not child.fulfilled():
            complete = False
        elif child.completed():
            try:
                done = wf.run_exit_hook(step, child, boundary, library, "steps." + step.get("name", ""), scope)
            except m.StepError as e:
                return wf.mark(node, "Error", str(e))
            complete = complete and done
    if not complete:
        return node
    for child in [wf.nodes[c] for c in node.children]:
        if child.late:
            return wf.mark(node, "Failed", "child '%s' timedout" % child.name)
        if child.bad() and not forgives(started.get(child.name, {}), child.phase):
            return wf.mark(node, "Failed", "child '%s' failed" % child.id)
        if child.bad():
            wf.reach("continueOn " + child.phase.lower())
    return wf.mark(node, "Succeeded")


def forgives(step, phase):
    """[ContinuesOn]"""
    on = step.get("continueOn") or {}
    return bool(on.get("error")) if phase == "Error" else bool(on.get("failed")) if phase == "Failed" else False
