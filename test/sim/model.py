"""The model: Argo's operator in plain Python, slow and obvious.

`operate` walks the workflow from its entry template again and again (Argo: one pass per reconcile), over a dictionary of
nodes by name, until a pass changes nothing. Then the clock goes to the next event. Names in brackets are Argo's functions
(workflow/controller). What differs from Argo on purpose stands in README.md section 3.
"""
import json

import dag
import fate
import gates
import steps
import tags
from hooks import Hooks
from nodes import (BAD, DAY_US, FAIL_FAST, FULFILLED, Held, Node, Place, POD_DEADLINE, STEP_DEADLINE, StepError, TYPES,
                   duration_us)
from retries import Retries
from scopes import Scopes


class Model(Scopes, Retries, Hooks, gates.Gates):
    def __init__(self, case):
        self.name, self.now = case["name"], case["now_us"]
        self.fate = dict(case["fate"], shell=case.get("shell"), pods=case.get("pods"))
        self.last_us = case["now_us"] + case.get("limit_us", DAY_US)
        self.spec = case["documents"][-1]["spec"]
        self.libraries = {d["metadata"]["name"]: d["spec"]["templates"] for d in case["documents"][:-1] if "spec" in d}
        self.init_gates(case)
        self.nodes, self.raw, self.json = {}, {}, {}
        self.phase, self.message, self.started, self.finished = "Running", "", self.now, None
        self.global_outputs, self.changed, self.status = {}, False, None
        self.watched = '"hooks"' in json.dumps(case["documents"])  # only hooks see that a pod is Pending: else it never is
        self.made = {}    # name -> its place in the order of creation
        self.attempt_limits = {}  # retried pods: when backoff.maxDuration ends them
        self.pods = {}    # running pods: name -> (end, deadline or None, fate)
        self.timers = {}  # back-off: name of the Retry node -> time
        self.sleeps = {}  # suspend nodes with a duration: name -> time
        ads = self.spec.get("activeDeadlineSeconds")
        self.commands, self.stop = list(case.get("commands") or []), None
        self.deadline = None if ads is None else self.now + int(ads) * 10**6
        self.trace, self.covered = [], set()
        self.rested = self.waits = self.place_free = False

    def reach(self, row):
        self.covered.add(row)

    # ---- clock ----

    def run(self):
        self.settle()
        while self.finished is None:
            events = self.events()
            if not events or min(events)[0] > self.last_us:
                break
            self.now, name, kind = min(events)
            self.happen(name, kind)
            self.settle()
        return self

    def events(self):
        """(time, node name, kind) of everything to come. README section 3."""
        out = [(end, name, 0) for name, (end, _, _) in self.pods.items()]
        out += [(at, name, 0) for name, at in self.sleeps.items()]
        out += [(at, name, 1) for name, at in self.waiting.items() if at is not None]
        out += [(dead, name, 1) for name, (_, dead, _) in self.pods.items() if dead is not None]
        out += [(at, name, 2) for name, at in self.timers.items()]
        if self.deadline is not None and self.now < self.deadline:
            out.append((self.deadline, "", 0))
        if self.commands:
            out.append((self.started + 1000 * self.commands[0]["at_ms"], "", -1))
        return out

    def happen(self, name, kind):
        if kind == -1:
            self.shut_down(self.commands.pop(0)["do"])
        elif name == "":
            self.workflow_deadline()
        elif kind == 2:
            del self.timers[name]
        elif name in self.sleeps:
            self.end_sleep(name)
        elif name in self.waiting:
            self.nodes[name].late = True
            self.mark(self.nodes[name], "Failed", "timeout")
        elif kind == 1:
            capped = self.attempt_limits.get(name, self.now + 1) <= self.now
            why = STEP_DEADLINE if capped else POD_DEADLINE
            self.end_pod(name, "Failed", why if self.nodes[name].type == "Pod" else "timeout", None)
        else:
            self.end_pod_by_fate(name)

    def settle(self):
        """Rest; then the pods that were made report one by one that they run, each followed by rest."""
        self.rest()
        while (name := self.first_pending()) is not None:
            self.mark(self.nodes[name], "Running")
            self.rest()

    def first_pending(self):
        ready = [n for n in self.pods if self.nodes[n].type == "Pod" and self.nodes[n].phase == "Pending"]
        return min(ready, key=self.made.get, default=None)

    def rest(self):
        """Passes until nothing changes. A place under a limit is given away only when all else has come to rest, one at a time."""
        self.rested = False
        for _ in range(10000):
            self.changed, self.waits, self.place_free = False, False, self.rested
            if self.finished is None:
                self.operate()
            if not self.changed and self.rested and not self.grant():
                return
            self.rested = not self.changed
        raise AssertionError("no fixpoint")

    def past_deadline(self):
        return self.deadline is not None and self.now >= self.deadline

    def shut_down(self, how):
        """[applyExecutionControl, failNodesWithoutCreatedPodsAfterDeadlineOrShutdown] stop leaves exit handlers alone, terminate does not."""
        self.reach(how)
        self.stop, self.changed = how.capitalize(), True
        for node in list(self.nodes.values()):
            if node.fulfilled() or not self.stopped(node):
                continue
            if node.name in self.waiting:
                self.mark(node, "Failed", "workflow shutdown with strategy: " + self.stop if node.type == "Pod" else self.stopped_message())
            elif node.type == "Pod":
                self.end_pod(node.name, "Failed", "workflow shutdown with strategy:  " + self.stop, None)
            elif node.type == "HTTP":
                self.end_pod(node.name, "Failed", self.stopped_message(), None)
            elif node.type == "Suspend":
                self.sleeps.pop(node.name, None)
                self.mark(node, "Failed", self.stopped_message())

    def stopped(self, place):
        """[ShutdownStrategy.ShouldExecute]"""
        return self.stop == "Terminate" or (self.stop == "Stop" and not place.on_exit)

    def stopped_message(self):
        return "Stopped with strategy '%s'" % self.stop

    def workflow_deadline(self):
        """[applyExecutionControl, failNodesWithoutCreatedPodsAfterDeadlineOrShutdown]"""
        self.reach("workflow activeDeadlineSeconds")
        for node in list(self.nodes.values()):
            if node.on_exit or node.fulfilled():
                continue
            if node.name in self.waiting:
                self.mark(node, "Failed", STEP_DEADLINE)
            elif node.type in ("Pod", "HTTP"):
                self.end_pod(node.name, "Failed", STEP_DEADLINE, None)
            elif node.type == "Suspend":
                self.sleeps.pop(node.name, None)
                self.mark(node, "Failed", STEP_DEADLINE)

    # ---- nodes ----

    def make(self, name, type_, phase, holder, place, message=""):
        """[initializeNode]"""
        assert name not in self.nodes, name
        waited = self.reborn.pop(name, None)
        display = name
        if place.boundary:
            display = name[len(place.boundary):] if name.startswith(place.boundary) else name
            if display.startswith("[") and "]." in display:
                display = display[display.index("].") + 2:]
            elif display.startswith("."):
                display = display[1:]
        ref = holder.get("templateRef")
        node = Node(name, self.node_id(name), display, type_, phase, holder.get("template") or "",
                    "%s/%s" % (ref["name"], ref["template"]) if ref else "", place.boundary, message,
                    self.now, self.now if phase in FULFILLED else None, hooked=place.hooked, on_exit=place.on_exit)
        if waited:
            node.started = waited.started
        if name in self.memo and type_ != "Skipped":
            node.memo = "miss"
        if phase in FULFILLED:
            self.holds.pop(name, None)
        self.nodes[name] = node
        self.made.setdefault(name, len(self.made))
        self.changed = True
        self.trace.append((self.now, "phase" if waited else "make", name, phase))
        return node

    def node_id(self, name):
        return name if name == self.name else "%s-%d" % (self.name, fate.fnv1a_32(name.encode()))

    def mark(self, node, phase, message=None):
        """[markNodePhase]"""
        if node.phase != phase:
            assert not node.fulfilled(), "%s: %s -> %s" % (node.name, node.phase, phase)
            node.phase, self.changed = phase, True
            self.trace.append((self.now, "phase", node.name, phase))
        if message is not None and node.message != message:
            node.message, self.changed = message, True
        if node.fulfilled() and node.finished is None:
            node.finished = self.now
            self.waiting.pop(node.name, None)
            self.holds.pop(node.name, None)
        return node

    def condemn(self, node, message):
        """[markNodeError] whatever it was before."""
        self.pods.pop(node.name, None)
        if node.phase != "Error":
            node.phase, node.message, self.changed = "Error", message, True
            node.finished = node.finished or self.now

    def link(self, parent, child):
        """[addChildNode]"""
        if child not in self.nodes[parent].children:
            self.nodes[parent].children.append(child)
            self.changed = True

    def outbound(self, name):
        """[getOutboundNodes] A steps or dag node that has none stands for itself."""
        node = self.nodes[name]
        if node.type in ("Pod", "HTTP", "Skipped", "Suspend"):
            return [name]
        if node.type == "TaskGroup":
            return [o for c in node.children for o in self.outbound(c)] if node.children else [name]
        if node.memo == "hit":
            return [name]
        if node.type == "Retry" and node.children:
            return [node.children[-1]]
        return [o for c in node.outbound for o in self.outbound(c)] or [name]

    # ---- pods ----

    def start_pod(self, name, tmpl, holder, place):
        http = "http" in tmpl
        type_, limited = ("HTTP", ("timeout",)) if http else ("Pod", ("activeDeadlineSeconds", "timeout"))
        if self.stopped(place):
            return self.make(name, type_, "Failed", holder, place,
                             self.stopped_message() if http else "workflow shutdown with strategy: " + self.stop)
        if self.past_deadline() and not place.on_exit:
            return self.make(name, type_, "Failed", holder, place, STEP_DEADLINE)
        node = self.make(name, type_, "Pending" if http or self.watched else "Running", holder, place)
        captured = self.captures_result(name, place.boundary)
        end = fate.fate_of(name, tmpl, captured, self.fate)
        limits = [(self.now if k == "activeDeadlineSeconds" else node.started) + duration_us(tmpl[k]) for k in limited if tmpl.get(k)]
        if name in self.attempt_limits and not http:
            limits.append(self.attempt_limits[name])
        self.pods[name] = (self.now + end.duration_us, min(limits) if limits else None, end)
        self.globals_of[name] = {p["name"]: p.get("globalName") for p in fate.parameter_files(tmpl)}
        return node

    globals_of = property(lambda self: self.__dict__.setdefault("_globals_of", {}))

    def end_pod_by_fate(self, name):
        end = self.pods[name][2]
        if end.exit_code is None:
            return self.end_pod(name, end.phase, end.message, None if end.result is None else {"result": end.result})
        outputs = {"exitCode": end.exit_code}
        if end.result is not None:
            outputs["result"] = end.result
        if end.parameters:
            outputs["parameters"] = [{"name": n, "value": v, "globalName": self.globals_of[name].get(n)}
                                     for n, v in end.parameters.items()]
        self.end_pod(name, end.phase, end.message, outputs)

    def end_pod(self, name, phase, message, outputs):
        if phase == "Failed" and message == POD_DEADLINE:
            self.reach("template deadline")
        self.pods.pop(name)
        node = self.nodes[name]
        node.outputs = outputs
        if phase == "Succeeded":
            try:
                self.save(node)
            except StepError as e:
                phase, message = "Error", str(e)
        self.mark(node, phase, message)
        self.publish(outputs)

    def captures_result(self, name, boundary):
        """[hasOutputResultRef] The parent's text, as written, mentions the result."""
        if not boundary:
            return False
        step = name[len(boundary):]
        while step and step[-1] in ")]":
            step = step[:step.rindex("(" if step[-1] == ")" else "[")]
        step = step[step.rfind(".") + 1:]
        text, kind = self.json_of(self.raw[boundary]), "tasks" if "dag" in self.raw[boundary] else "steps"
        forms = ["%s.%s.outputs.result", "%s['%s'].outputs.result", '%s[\\"%s\\"].outputs.result']
        return any(f % (kind, step) in text for f in forms)

    def json_of(self, raw):
        if id(raw) not in self.json:
            self.json[id(raw)] = json.dumps(raw, ensure_ascii=False)
        return self.json[id(raw)]

    def publish(self, outputs):
        """[addOutputsToGlobalScope]"""
        for p in (outputs or {}).get("parameters", []):
            if p.get("globalName") and "value" in p and self.global_outputs.get(p["globalName"]) != p["value"]:
                self.reach("globalName")
                self.global_outputs[p["globalName"]] = p["value"]
                self.changed = True

    # ---- executing templates ----

    def execute(self, name, holder, library, args, place):
        """[executeTemplate] The node; raises Held when nothing may be created, StepError when it is an error."""
        node = self.nodes.get(name)
        if node is not None and (node.fulfilled() or (node.type in ("Pod", "HTTP") and name not in self.waiting)):
            return node
        inner_library, raw = self.resolve(holder, library)
        try:
            if raw is None:
                raise StepError("template reference %s not found" % holder.get("template"))
            tmpl = self.with_arguments(raw, args, self.local_values(name, holder))
        except StepError as e:
            self.fail(name, node, holder, place, e)
            raise
        self.check_fail_fast(tmpl, node, place)
        if node is None:
            self.check_limits(place)
        retry = tmpl.get("retryStrategy", self.spec.get("retryStrategy"))  # {} means: for ever
        self.note_memo(name, tmpl)
        try:
            if not self.acquire(name, node, tmpl, self.type_of(tmpl, retry), holder, place):
                return self.nodes[name]
            node = self.nodes.get(name)
            if tmpl.get("memoize") and node is None:
                hit, outputs = self.cached(tmpl)
                if hit:
                    return self.hit(name, tmpl, retry, outputs, holder, place)
        except StepError as e:
            if name in self.reborn:  # it has waited: there is a node to show the error
                node = self.make(name, self.type_of(tmpl, retry), "Pending", holder, place)
            self.fail(name, node, holder, place, e)
            raise
        if retry is None:
            return self.execute_type(name, raw, tmpl, holder, inner_library, place)
        return self.execute_retried(name, node, raw, tmpl, retry, holder, library, inner_library, args, place)

    def type_of(self, tmpl, retry):
        if retry is not None:
            return "Retry"
        return {"steps": "Steps", "dag": "DAG", "suspend": "Suspend", "http": "HTTP"}.get(next((k for k in TYPES + ("http",) if k in tmpl), None), "Pod")

    def hit(self, name, tmpl, retry, outputs, holder, place):
        """[initializeCacheHitNode]"""
        node = self.make(name, self.type_of(tmpl, retry), "Succeeded", holder, place)
        node.outputs, node.memo = outputs, "hit"
        self.publish(outputs)
        return node

    def local_values(self, name, holder):
        local = {"node.name": name}
        local[holder.get("kind", "steps") + ".name"] = holder.get("name", "")
        return local

    def fail(self, name, node, holder, place, error):
        """[initializeNodeOrMarkError]"""
        if node is None:
            self.make(name, "Skipped", "Error", holder, place, str(error))
        else:
            self.mark(node, "Error", str(error))

    def execute_type(self, name, raw, tmpl, holder, library, place):
        self.raw[name] = self.keep(raw)
        self.note_memo(name, tmpl)
        try:
            if "steps" in tmpl:
                return steps.execute(self, name, tmpl, holder, library, place)
            if "dag" in tmpl:
                return dag.execute(self, name, tmpl, holder, library, place)
            if "suspend" in tmpl:
                return self.execute_suspend(name, tmpl, holder, place)
            self.reach(next(t for t in ("container", "script", "http", "resource", "data") if t in tmpl))
            return self.start_pod(name, tmpl, holder, place)
        except StepError as e:
            self.mark(self.nodes[name], "Error", str(e))
            raise

    def execute_suspend(self, name, tmpl, holder, place):
        """[executeSuspend] Without a duration it waits for a person."""
        if name in self.nodes:
            return self.nodes[name]
        if self.stopped(place):
            return self.make(name, "Suspend", "Failed", holder, place, self.stopped_message())
        if self.past_deadline() and not place.on_exit:
            return self.make(name, "Suspend", "Failed", holder, place, STEP_DEADLINE)
        self.reach("suspend")
        node = self.make(name, "Suspend", "Running", holder, place)
        supplied = (tmpl.get("outputs") or {}).get("parameters") or []
        if supplied:
            node.outputs = {"parameters": [{"name": p["name"], "default": p["valueFrom"].get("default"),
                                            "globalName": p.get("globalName")} for p in supplied]}
        if tmpl["suspend"].get("duration"):
            self.sleeps[name] = self.now + duration_us(tmpl["suspend"]["duration"])
        return node

    def end_sleep(self, name):
        """[executeSuspend, OverrideOutputParametersWithDefault]"""
        del self.sleeps[name]
        node = self.nodes[name]
        for p in (node.outputs or {}).get("parameters", []):
            if p["default"] is None:
                return self.mark(node, "Error", "raw output parameter '%s' has not been set and does not have "
                                                "a default value" % p["name"])
            p["value"] = tags.any_string(p["default"])
        self.mark(node, "Succeeded")

    # ---- limits: README 3.2 ----

    def active(self, types, boundary=None):
        pods_only = len(types) == 1  # who waits for a lock is no pod at work
        return sum(1 for n in self.nodes.values() if n.type in types and n.phase in ("Running", "Pending")
                   and (boundary is None or n.boundary == boundary) and not (pods_only and n.name in self.waiting))

    def check_limits(self, place):
        """[checkParallelism] for something that does not exist yet."""
        limit = self.spec.get("parallelism")
        inner = place.boundary and self.raw[place.boundary].get("parallelism")
        if (limit or inner) and not self.place_free:
            raise Held()
        if limit and self.active(("Pod",)) >= limit:
            self.reach("parallelism of the workflow")
            raise Held()
        if inner and self.active(("Pod", "Steps", "DAG"), place.boundary) >= inner:
            self.reach("parallelism of a template")
            raise Held()
        if limit or inner:
            self.place_free, self.rested, self.changed = False, False, True

    def check_fail_fast(self, tmpl, node, place):
        """[checkParallelism] template.failFast: nothing new once a child has failed; over when no pod is left."""
        if node is not None and ("steps" in tmpl or "dag" in tmpl) and node.type != "Retry":
            self.fail_fast(self.raw.get(node.name), node)
        if node is None and place.boundary:
            if self.raw[place.boundary].get("failFast") and not self.place_free:
                raise Held()  # an attempt that waits may come first
            self.fail_fast(self.raw[place.boundary], self.nodes[place.boundary])

    def fail_fast(self, raw, node):
        if not (raw or {}).get("failFast") or not self.bad_children(node.name):
            return
        self.reach("template failFast")
        if self.active(("Pod",), node.name) == 0:
            if "steps" in raw:
                group = self.last_group(node.name)
                if group is not None and not group.fulfilled():
                    self.mark(group, "Failed", FAIL_FAST)
            if not node.fulfilled():
                self.mark(node, "Failed", FAIL_FAST)
        raise Held()

    def bad_children(self, boundary):
        return any(n.boundary == boundary and n.type in ("Pod", "Steps", "DAG") and n.bad()
                   for n in self.nodes.values())

    def last_group(self, name):
        """The last step group that was made."""
        groups = [n for n in self.nodes.values() if n.boundary == name and n.type == "StepGroup"]
        return groups[-1] if groups else None

    # ---- the workflow ----

    def operate(self):
        """[operate] One pass."""
        self.candidates = []
        try:
            root = self.execute(self.name, {"template": self.spec["entrypoint"]}, None,
                                self.spec.get("arguments"), Place())
        except Held:
            return
        except StepError as e:
            return self.end("Error", "error in entry template execution: %s" % e)
        if root.late:
            return self.end("Error", "error in entry template execution: timeout")
        self.status = root.phase if root.completed() or root.phase in ("Pending", "Running") else "Succeeded"
        try:
            over = self.life_hooks(self.spec.get("hooks"), root, "", None, "", {})
        except StepError as e:
            self.condemn(root, str(e))
            over = True
        finally:
            if not root.fulfilled():
                self.status = None
        if not root.fulfilled() or not over:
            return
        status = root.phase if root.completed() else "Succeeded"
        self.status = status
        handler = self.exit_handler()
        if handler is False:
            return
        if status == "Succeeded" and handler is not None and handler.bad():
            self.reach("exit handler failed")
            return self.end(handler.phase, handler.message)
        message = self.stopped_message() if self.stop and root.bad() else root.message
        self.end(status, "" if status == "Succeeded" else message)

    def exit_handler(self):
        """None: there is none. False: it is not over. Otherwise its node."""
        hook = self.exit_hook({"onExit": self.spec.get("onExit"), "hooks": self.spec.get("hooks")})
        name = self.name + ".onExit"
        if hook is None or (self.stop == "Terminate" and name not in self.nodes):
            return None
        self.reach("exit handler of the workflow")
        try:
            args = tags.substitute(hook.get("arguments") or {}, self.global_values())
            node = self.execute(name, {k: hook[k] for k in ("template", "templateRef") if hook.get(k)}, None, args,
                                Place("", True, True))
        except Held:
            return False
        except StepError as e:
            self.end("Error", "error in exit template execution : %s" % e)
            return False
        if not node.fulfilled():
            return False
        return None if self.stop == "Terminate" else node  # what a terminated handler comes to is not looked at

    def end(self, phase, message):
        """[markWorkflowPhase]"""
        self.phase, self.message, self.finished, self.changed = phase, message, self.now, True
        self.trace.append((self.now, "done", self.name, phase))


def run(case):
    return Model(case).run()
