"""DAG templates, as workflow/controller/dag.go walks them. Names in brackets are Argo's functions."""
from collections import deque

import expressions
import loops
import nodes as m
import steps
import tags


class Context:
    """[dagContext]"""

    def __init__(self, name, tmpl, library, place):
        self.name, self.tmpl, self.library, self.place = name, tmpl, library, place
        self.by_name = {t["name"]: t for t in tmpl["dag"]["tasks"]}
        self.logic = {n: expressions.depends_logic(t, self.by_name) for n, t in self.by_name.items()}
        self.visited, self.held = set(), False

    def dependencies(self, task):
        return self.logic[task][0]

    def node_name(self, task):
        return "%s.%s" % (self.name, task)

    def inner(self):
        return m.Place(self.name, self.place.on_exit)


def execute(wf, name, tmpl, holder, library, place):
    """[executeDAG]"""
    wf.reach("dag")
    node = wf.nodes.get(name) or wf.make(name, "DAG", "Running", holder, place)
    d = Context(name, tmpl, library, place)
    targets = find_targets(wf, d)
    for task in targets:
        execute_task(wf, d, task)
        end_target(wf, d, task)
    if node.fulfilled() or d.held:
        return node  # ended by template failFast, or a limit holds something back: not to be judged yet
    phase = assess(wf, d, targets)
    if phase == "Running":
        return node
    update_outbound(wf, d, targets, node)
    if phase in m.BAD:
        return wf.mark(node, phase)
    node.outputs = wf.template_outputs(tmpl, all_outputs(wf, d))
    wf.save_quietly(node)
    return wf.mark(node, "Succeeded")


def find_targets(wf, d):
    """[findLeafTaskNames] The tasks that nothing depends on, unless they are named."""
    if d.tmpl["dag"].get("target"):
        wf.reach("dag target")
        return d.tmpl["dag"]["target"].split(" ")
    needed = {dep for t in d.by_name for dep in d.dependencies(t)}
    return sorted(t for t in d.by_name if t not in needed)


def end_target(wf, d, task):
    """Exit hook of a target: nothing comes after it, so it is looked at here."""
    node = wf.nodes.get(d.node_name(task))
    if node is not None:
        life_hooks(wf, d, d.by_name[task], node)
    if node is not None and node.completed():
        run_hook(wf, d, d.by_name[task], node)


def run_hook(wf, d, task, node):
    """[runOnExitNode] with the scope of the task."""
    scope = task_scope(wf, d, task["name"])
    scope["tasks.%s.status" % task["name"]] = node.phase
    try:
        return wf.run_exit_hook(task, node, d.name, d.library, "tasks." + task["name"], scope)
    except m.StepError:
        return False


def life_hooks(wf, d, task, node):
    """Hooks of the task itself, running or over. Argo looks at nothing else of the task meanwhile; here work goes on."""
    scope = task_scope(wf, d, task["name"])
    scope["tasks.%s.status" % task["name"]] = node.phase
    try:
        return wf.life_hooks(task.get("hooks"), node, d.name, d.library, "tasks." + task["name"], scope)
    except m.StepError as e:
        wf.condemn(node, str(e))
        return True


def all_outputs(wf, d):
    scope = wf.input_scope(d.tmpl)
    for task in d.tmpl["dag"]["tasks"]:
        node = wf.nodes.get(d.node_name(task["name"]))
        if node is None:
            continue  # not an ancestor of a target
        add_task_scope(wf, d, task["name"], node, scope)
        wf.publish(node.outputs)
    return scope


def update_outbound(wf, d, targets, node):
    """[updateOutboundNodesForTargetTasks]"""
    ends = [d.node_name(t) for t in targets if d.node_name(t) in wf.nodes]
    node.outbound = [o for e in ends for o in wf.outbound(e)]


def assess(wf, d, targets):
    """[assessDAGPhase] The phase of the targets. An omitted or skipped one inherits that of its branch, failures first."""
    phases = {d.node_name(t): "" for t in targets}
    queue, seen = deque((c, "Succeeded") for c in wf.nodes[d.name].children), set()
    while queue:
        at = queue.popleft()
        if at in seen:
            continue
        seen.add(at)
        node, branch = wf.nodes[at[0]], at[1]
        if not node.fulfilled():
            return "Running"
        if node.completed():
            branch = node.phase
        if node.name in phases and phases[node.name] not in m.BAD:
            phases[node.name] = branch
        queue.extend((c, branch) for c in next_nodes(wf, node))
    fail_fast = d.tmpl["dag"].get("failFast") is not False
    wf.reach("dag failFast " + str(fail_fast).lower())
    return verdict(wf, d, targets, phases, fail_fast)


def next_nodes(wf, node):
    """[getRetryNodeChildrenIds] Attempts do not count: the look goes on behind them."""
    if node.type != "Retry" or node.memo == "hit":
        return node.children
    out = []
    for c in reversed(node.children):
        out += [c] if wf.nodes[c].hooked else wf.nodes[c].children
    return out


def verdict(wf, d, targets, phases, fail_fast):
    result = "Succeeded"
    for t in targets:
        phase = phases[d.node_name(t)]
        if phase == "":
            result = "Running"
            if not fail_fast:
                break
        elif phase in m.BAD:
            if steps.forgives(d.by_name[t], phase):
                wf.reach("continueOn of a dag target")
                continue
            result = phase
            if fail_fast:
                break
    return result


def execute_task(wf, d, name):
    """[executeDAGTask]"""
    if name in d.visited:
        return
    d.visited.add(name)
    task, node = d.by_name[name], wf.nodes.get(d.node_name(name))
    if node is not None and not life_hooks(wf, d, task, node) and node.fulfilled():
        return
    if node is not None and node.fulfilled():
        if node.completed():
            run_hook(wf, d, task, node)
        return
    if d.logic[name][1]:
        for dep in d.dependencies(name):
            execute_task(wf, d, dep)
        go = depends(wf, d, name, node)
        if go is None:
            return
        if go is False:
            wf.reach("omitted")
            born(wf, d, task, "Omitted", "omitted: depends condition not met")
            return life_hooks(wf, d, task, wf.nodes[d.node_name(name)])
    try:
        todo = expand(wf, d, task)
    except tags.Unresolved:
        wf.waits = True
        return
    except (m.StepError, loops.LoopError) as e:
        return born(wf, d, task, "Error", str(e))
    execute_expanded(wf, d, task, todo)
    node = wf.nodes.get(d.node_name(name))
    if node is not None and node.fulfilled():
        life_hooks(wf, d, task, node)


def born(wf, d, task, phase, message):
    """A task whose node never runs."""
    node = wf.nodes.get(d.node_name(task["name"]))
    if node is not None:
        return wf.mark(node, phase, message)
    wf.make(d.node_name(task["name"]), "Skipped", phase, task, d.inner(), message)
    connect(wf, d, task["name"], d.node_name(task["name"]), None)


def connect(wf, d, task, node_name, group):
    """A task hangs on the ends of its dependencies, a root on the dag, an item on its group."""
    if group is not None:
        wf.link(group.name, node_name)
    elif not d.dependencies(task):
        wf.link(d.name, node_name)
    else:
        for dep in d.dependencies(task):
            for end in wf.outbound(d.node_name(dep)):
                wf.link(end, node_name)


def hooks_over(wf, node):
    """[CheckAllHooksFullfilled]"""
    return all(wf.nodes[c].fulfilled() for c in node.children if wf.nodes[c].hooked)


def depends(wf, d, name, node):
    """[evaluateDependsLogic] None: its dependencies are not over. False: it is omitted."""
    if node is not None:
        return True
    results = {}
    for dep in d.dependencies(name):
        of = wf.nodes.get(d.node_name(dep))
        if of is None or not of.fulfilled() or not hooks_over(wf, of):
            return None
        results[dep] = task_results(wf, of)
    for dep in d.dependencies(name):
        for result in results[dep]:
            if "%s.%s" % (dep, result) in (d.by_name[name].get("depends") or ""):
                wf.reach("depends %s %s" % (result, str(results[dep][result]).lower()))
    for op in ("&&", "||", "!"):
        if op in (d.by_name[name].get("depends") or ""):
            wf.reach("depends operator " + op)
    return expressions.depends(d.logic[name][1], results)


def task_results(wf, node):
    phases = [wf.nodes[c].phase for c in node.children] if node.type == "TaskGroup" else []
    return {"Succeeded": node.phase == "Succeeded", "Failed": node.phase == "Failed",
            "Errored": node.phase == "Error", "Skipped": node.phase == "Skipped",
            "Omitted": node.phase == "Omitted", "Daemoned": False,
            "AnySucceeded": "Succeeded" in phases,
            "AllFailed": bool(phases) and all(p == "Failed" for p in phases)}


def ancestors(d, name):
    """[GetTaskAncestry]"""
    out = set()
    for dep in d.dependencies(name):
        out |= {dep} | ancestors(d, dep)
    return out


def task_scope(wf, d, name):
    """[buildLocalScopeFromTask] Outputs of all ancestors."""
    scope = wf.input_scope(d.tmpl)
    for ancestor in sorted(ancestors(d, name)):
        node = wf.nodes.get(d.node_name(ancestor))
        if node is not None:
            add_task_scope(wf, d, ancestor, node, scope)
    return scope


def add_task_scope(wf, d, task, node, scope):
    prefix = "tasks." + task
    if node.type == "TaskGroup":
        wf.reach("fan-in of tasks")
        items = [n for n in wf.nodes.values() if n.boundary == d.name and n.name.startswith(node.name + "(")]
        try:
            scope.update(loops.aggregate(prefix, items) if items else {})
        except loops.LoopError as e:
            raise m.StepError(str(e))
    scope.update(wf.node_scope(prefix, node))
    scope.update(wf.skipped_scope(prefix, node, d.by_name[task], d.library))


def expand(wf, d, task):
    """[resolveDependencyReferences, expandTask]"""
    resolved = steps.resolve(wf, task, task_scope(wf, d, task["name"]))
    if not loops.loops(resolved):
        return [resolved]
    steps.note_loop(wf, resolved)
    return loops.expand(resolved, wf.global_values())


def execute_expanded(wf, d, task, todo):
    """The second half of executeDAGTask: the node, or the group and its items."""
    name, group = d.node_name(task["name"]), None
    if loops.loops(task):
        if not todo:
            wf.reach("empty loop in a dag")
            return born(wf, d, task, "Skipped", "Skipped, empty params")
        group = wf.nodes.get(name)
        if group is None:
            group = wf.make(name, "TaskGroup", "Running", task, d.inner())
            connect(wf, d, task["name"], name, None)
    for one in todo:
        if not execute_item(wf, d, task, one, group):
            return
    if group is None:
        return
    phase = "Succeeded"
    for node in (wf.nodes.get(d.node_name(one["name"])) for one in todo):
        if node is None or not node.fulfilled():
            return
        if node.bad():
            phase = node.phase
    wf.mark(group, phase)


def execute_item(wf, d, task, one, group):
    """False: nothing more of this task in this pass."""
    name = d.node_name(one["name"])
    if name not in wf.nodes:
        try:
            runs = expressions.when(one.get("when") or "")
        except expressions.ExprError as e:
            wf.reach("when error")
            wf.make(name, "Skipped", "Error", task, d.inner(), str(e))
            connect(wf, d, task["name"], name, group)
            return True
        wf.reach("when true" if one.get("when") and runs else "when false" if not runs else "dag: no when")
        if not runs:
            wf.make(name, "Skipped", "Skipped", task, d.inner(), "when '%s' evaluated false" % one["when"])
            connect(wf, d, task["name"], name, group)
            return True
    elif wf.nodes[name].fulfilled() and wf.nodes[name].type == "Skipped":
        return True
    try:
        wf.execute(name, dict(one, kind="tasks"), d.library, one.get("arguments"), d.inner())
    except m.Held:
        d.held = True
    except m.StepError as e:
        error = wf.nodes.get(name)
        if error is not None:
            error.message = "task '%s' errored: %s" % (name, e)
    if name in wf.nodes:
        connect(wf, d, task["name"], name, group)
    node = wf.nodes.get(name)
    if node is None or not node.completed():
        return node is not None or group is None
    if group is None and not life_hooks(wf, d, task, node) and task["name"] not in find_targets(wf, d):
        return True  # the exit hook comes after the others
    return run_hook(wf, d, dict(task, hooks=one.get("hooks", task.get("hooks"))), node)
