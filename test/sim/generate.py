"""Random workflows from a seed. `case(seed)` is a pure function.

Every workflow is valid, and no reference waits for ever: a reference is made only to what is there when its user starts
(or to an output of a skipped node, which has rules of its own). Left out are the corners in which Argo itself never ends;
README.md section 3.4 names those that the model straightens.
"""
import random

import generate_gates
import generate_more

START_US = 1700000000000000
IMAGE = {"container": {"image": "busybox", "command": ["true"]}}
SCRIPT = {"script": {"image": "python:3.11", "command": ["python"], "source": "print(1)"}}
HTTP = {"http": {"url": "http://127.0.0.1/"}}
RESOURCE = {"resource": {"action": "create", "manifest": "kind: Workflow"}}
DATA = {"data": {"source": {"artifactPaths": {"name": "in", "s3": {"key": "in"}}}, "transformation": [{"expression": "data"}]}}
ITEM_LISTS = (["x", "y"], [1, 2, 3], [True, "z"], [{"k": 1, "n": "a"}, {"k": 2, "n": "b"}], [[1, 2], ["p", "q"]], ["one"],
              ["f(x)", "a:b"], [7])


class Made:
    """A template and what its callers must know."""

    def __init__(self, tmpl, size=1, inputs=(), outs=(), result=False, sure=False, coded=False, leaf=True, library=None):
        self.tmpl, self.size, self.inputs, self.outs = tmpl, size, list(inputs), list(outs)
        self.result = result      # prints a JSON number
        self.sure = sure          # always succeeds
        self.coded = coded        # never Error: its exit code is given, so its outputs are always there
        self.leaf, self.library = leaf, library
        self.lists = False        # prints a JSON list


class Called:
    """A step or task and what later ones may refer to."""

    def __init__(self, name, made):
        self.name, self.made = name, made
        self.loop = self.maybe_empty = self.skippable = self.forgiven = False


class Generator:
    def __init__(self, seed):
        self.r = random.Random("workflow/%d" % seed)
        self.asks = random.Random("requests/%d" % seed)  # of their own: what else a seed stands for stays the same
        self.acts = random.Random("objects/%d" % seed)
        self.seed, self.count, self.budget = seed, 0, self.r.randint(5, 40)
        self.templates, self.library, self.globals = [], [], []
        self.limits = self.chance(0.25)
        self.long = self.chance(0.12)
        self.in_library = self.hooked = False

    def chance(self, p):
        return self.r.random() < p

    def fresh(self, prefix):
        self.count += 1
        return "%s%d" % (prefix, self.count)

    def add(self, made):
        (self.library if self.in_library else self.templates).append(made.tmpl)
        made.library = "lib" if self.in_library else None
        return made

    # ---- leaves ----

    def leaf(self):
        kinds = ["plain"] * 4 + ["sure"] * 2 + ["echo"] * 3 + ["number"] * 3 + ["list", "coded", "files", "suspend", "retried",
                                                                              "retried", "slow"]
        return self.add(getattr(self, "leaf_" + self.r.choice(kinds))())

    def base(self, prefix, notes, body=None):
        tmpl = {"name": self.fresh(prefix)}
        if self.long and "sim/duration-ms" not in notes and self.chance(0.5):
            notes = dict(notes, **{"sim/duration-ms": str(self.r.choice((400, 900, 1700, 2600)))})
        if notes:
            tmpl["metadata"] = {"annotations": notes}
        tmpl.update(body or self.r.choice((IMAGE, SCRIPT)))
        return tmpl

    def request(self, made):
        """Some leaves ask a server instead."""
        if self.asks.random() < 0.25:
            for kind in ("container", "script"):
                made.tmpl.pop(kind, None)
            made.tmpl.update(HTTP)
        return made

    def acting(self, made, body=RESOURCE):
        """Some leaves act on objects, or list artifacts: outputs come from the object, not from files."""
        if self.acts.random() < 0.25 and "http" not in made.tmpl:
            for kind in ("container", "script"):
                made.tmpl.pop(kind, None)
            made.tmpl.update(body)
            for p in (made.tmpl.get("outputs") or {}).get("parameters") or []:
                p["valueFrom"][self.acts.choice(("jsonPath", "jqFilter"))] = p["valueFrom"].pop("path")
        return made

    def leaf_plain(self):
        return self.request(Made(self.base("leaf", {})))

    def leaf_sure(self):
        return Made(self.base("sure", {"sim/exit": "0"}), sure=True, coded=True)

    def leaf_coded(self):
        code = self.r.choice(("0", "1", "7"))
        return Made(self.base("coded", {"sim/exit": code}), coded=True, sure=code == "0")

    def leaf_echo(self):
        notes = {"sim/out-said": "{{inputs.parameters.m}}"}
        sure = self.chance(0.7)
        if sure:
            notes["sim/exit"] = "0"
        tmpl = self.base("echo", notes)
        param = {"name": "m"}
        if self.chance(0.5):
            param["default"] = "dflt"
        tmpl["inputs"] = {"parameters": [param]}
        source = {"path": "/tmp/said"}
        if self.chance(0.4):
            source["default"] = "none"
        tmpl["outputs"] = {"parameters": [{"name": "said", "valueFrom": source}]}
        return self.acting(Made(tmpl, inputs=[param], outs=["said"], sure=sure, coded=sure))

    def leaf_number(self):
        sure = self.chance(0.6)
        made = Made(self.base("number", {"sim/exit": "0"} if sure else {}, SCRIPT), result=True, sure=sure, coded=sure)
        return self.request(made) if sure else made  # without an answer there is no result

    def leaf_list(self):
        text = self.r.choice(("[]", "[1]", "[1,2]", '["a","b","c"]', '[{"k":1},{"k":2}]'))
        made = Made(self.base("list", {"sim/exit": "0", "sim/result": text}, SCRIPT), sure=True, coded=True)
        made.lists = True
        return self.acting(made, DATA)

    def leaf_files(self):
        """Output files, some missing, some with a default."""
        notes, params, sure = {}, [], True
        for name in ("p", "q")[:self.r.randint(1, 2)]:
            source = {"path": "/tmp/" + name}
            if self.chance(0.5):
                source["default"] = "d-" + name
            if self.chance(0.25):
                notes["sim/missing-" + name] = "true"
                sure = sure and "default" in source
            params.append({"name": name, "valueFrom": source})
        if self.chance(0.6):
            notes["sim/exit"] = "0"
        tmpl = self.base("files", notes)
        tmpl["outputs"] = {"parameters": params}
        good = sure and "sim/exit" in notes
        return self.acting(Made(tmpl, outs=[p["name"] for p in params], sure=good, coded=good))

    def leaf_suspend(self):
        tmpl = {"name": self.fresh("wait"), "suspend": {"duration": self.r.choice(("1", "500ms", "20ms", "2s"))}}
        outs = []
        if self.chance(0.3):
            tmpl["outputs"] = {"parameters": [{"name": "given", "valueFrom": {"supplied": {}, "default": "auto"}}]}
            outs = ["given"]
        return Made(tmpl, outs=outs, sure=True, coded=True)

    def leaf_slow(self):
        """A pod with a deadline of its own."""
        tmpl = self.base("slow", {"sim/duration-ms": str(self.r.choice((700, 1500, 2500, 4500)))})
        if self.chance(0.6):
            tmpl["activeDeadlineSeconds"] = self.r.choice((1, 2, "2", 3))
        if self.chance(0.5):
            tmpl["timeout"] = self.r.choice(("2s", "3s", "4s"))
        return self.acting(self.request(Made(tmpl)))

    def leaf_retried(self):
        notes, strategy = {}, self.strategy()
        if self.chance(0.6) or "limit" not in strategy:
            notes["sim/fail-attempts"] = str(self.r.randint(0, 3))
        tmpl = self.base("retried", notes)
        tmpl["retryStrategy"] = strategy
        made = Made(tmpl, size=2)
        if self.chance(0.4):
            notes = tmpl.setdefault("metadata", {}).setdefault("annotations", {})
            notes["sim/out-try"] = "{{retries}}/{{lastRetry.exitCode}}/{{lastRetry.status}}"
            tmpl["outputs"] = {"parameters": [{"name": "try", "valueFrom": {"path": "/tmp/try"}}]}
            made.outs = ["try"]
        return self.acting(made)

    def strategy(self):
        s = {}
        if self.chance(0.9):
            s["limit"] = self.r.choice((0, 1, 2, "1", "3"))
        if self.chance(0.5):
            s["retryPolicy"] = self.r.choice(("Always", "OnFailure", "OnError", "OnTransientError"))
        if self.chance(0.35) and "limit" in s:
            s["backoff"] = {"duration": self.r.choice(("1", "500ms", "2s"))}
            for key, values in (("factor", (2, "3")), ("cap", ("1500ms", "3s")), ("maxDuration", ("2s", "5s", "1m"))):
                if self.chance(0.4) and not (key == "maxDuration" and self.limits):
                    s["backoff"][key] = self.r.choice(values)
        if self.chance(0.2) and "limit" in s:
            s["expression"] = self.r.choice(("asInt(lastRetry.exitCode) > 1", "lastRetry.status == 'Failed'",
                                             "asInt(retries) < 1", "lastRetry.exitCode != '2'"))
        return s

    # ---- composites ----

    def template(self, depth):
        """A new or an old template, small enough for what is left."""
        if depth > 0 and self.budget > 6 and self.chance(0.3):
            return self.composite(depth - 1)
        return self.leaf()

    def composite(self, depth, kind=None):
        kind = kind or self.r.choice(("steps", "dag"))
        return self.steps(depth) if kind == "steps" else self.dag(depth)

    def shape(self, tmpl, depth):
        """Inputs, limits and retries of a composite."""
        inputs = []
        if self.chance(0.4):
            inputs = [{"name": "m", "default": self.r.choice(("x", "3", "yes"))}]
            tmpl["inputs"] = {"parameters": inputs}
        if self.limits and self.chance(0.4):
            tmpl["parallelism"] = self.r.randint(1, 2)
        return inputs

    def steps(self, depth, top=False):
        tmpl = {"name": self.fresh("steps")}
        inputs = self.shape(tmpl, depth)
        fail_fast = top and self.limits and self.chance(0.4)
        before, groups, size = [], [], 2
        for _ in range(self.r.randint(1, 3)):
            group, called = [], []
            width = self.r.choice((1, 1, 2, 3))
            for _ in range(width):
                step, c = self.call("s", depth, before, inputs, "steps", fail_fast, alone=width == 1)
                group.append(step)
                called.append(c)
                size += c.made.size
            if len(group) == 1 and self.chance(0.02):
                group[0]["when"] = "a/b == x"
                group[0].pop("hooks", None)
            groups.append(group)
            before = before + called
        tmpl["steps"] = groups
        outs = self.outputs_of(tmpl, before, "steps")
        if fail_fast:
            tmpl["failFast"] = True
        elif self.chance(0.08):
            tmpl["retryStrategy"] = {"limit": 1}
            size *= 2
        return self.add(Made(tmpl, size, inputs, outs, leaf=False))

    def dag(self, depth, top=False):
        tmpl = {"name": self.fresh("dag")}
        inputs = self.shape(tmpl, depth)
        fancy, tasks, before, size = self.chance(0.6), [], [], 1
        for _ in range(self.r.randint(1, 6)):
            needs = self.r.sample(before, min(len(before), self.r.choice((0, 1, 1, 2))))
            refer = needs
            extra = {}
            if fancy and needs:
                extra["depends"], refer = self.depends(needs)
            elif needs:
                extra["dependencies"] = [n.name for n in needs]
            task, c = self.call("t", depth, refer, inputs, "tasks", False, dag_depends=fancy)
            task.update(extra)
            tasks.append(task)
            before.append(c)
            size += c.made.size
        self.drop_hooks_of_loops(tasks)
        tmpl["dag"] = {"tasks": tasks}
        if self.chance(0.3):
            tmpl["dag"]["failFast"] = self.chance(0.5)
        if self.chance(0.1):
            tmpl["dag"]["target"] = " ".join(sorted(c.name for c in self.r.sample(before, 1)))
        outs = [] if "target" in tmpl["dag"] else self.outputs_of(tmpl, before, "tasks")
        if self.chance(0.08):
            tmpl["retryStrategy"] = {"limit": 1}
            size *= 2
        return self.add(Made(tmpl, size, inputs, outs, leaf=False))

    def drop_hooks_of_loops(self, tasks):
        for t in tasks:
            if {"withItems", "withParam", "withSequence"} & set(t):
                t.pop("hooks", None)

    def depends(self, needs):
        """(expression, tasks that have surely succeeded when it holds)"""
        if self.chance(0.5):
            good = [n for n in needs]
            return " && ".join(n.name if self.chance(0.6) else n.name + ".Succeeded" for n in good), good
        parts = []
        for n in needs:
            results = ["Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned"]
            if n.loop:
                results += ["AnySucceeded", "AllFailed"] * 2
            part = n.name + "." + self.r.choice(results)
            if self.chance(0.3):
                part = "(%s || %s.%s)" % (part, n.name, self.r.choice(results[:5]))
            parts.append("!" + part if self.chance(0.2) else part)
        return self.r.choice((" && ", " || ")).join(parts), []

    # ---- steps and tasks ----

    def call(self, prefix, depth, before, inputs, kind, plain, dag_depends=False, alone=False):
        """`plain`: pods only, without retries and hooks (below template.failFast)."""
        made = self.add(self.r.choice((self.leaf_plain, self.leaf_echo))()) if plain else self.template(depth)
        step, called = {"name": self.fresh(prefix)}, Called("", made)
        called.name = step["name"]
        self.budget -= made.size
        self.loop(step, called, before, kind)
        self.refer(step, made)
        self.arguments(step, made, before, inputs, kind, called, alone)
        self.when(step, called, before, inputs, kind)
        if not dag_depends and self.chance(0.15):
            step["continueOn"] = self.r.choice(({"failed": True}, {"error": True}, {"failed": True, "error": True}))
            called.forgiven = True
        if not plain and not self.limits and self.chance(0.1):
            self.hook(step, made, kind, called)
        return step, called

    def refer(self, step, made):
        if made.library and not self.in_library:
            step["templateRef"] = {"name": made.library, "template": made.tmpl["name"]}
        elif made.leaf and not made.inputs and not made.outs and self.chance(0.05):
            step["inline"] = {k: v for k, v in made.tmpl.items() if k != "name"}
        else:
            step["template"] = made.tmpl["name"]

    def loop(self, step, called, before, kind):
        made = called.made
        if made.size > 4 or self.budget < 4 or not self.chance(0.25):
            return
        called.loop = True
        lists = [b for b in before if b.made.lists and self.safe_result(b)]
        numbers = [b for b in before if b.made.result and self.safe_result(b) and not b.loop]
        choice = self.r.random()
        if choice < 0.15 and lists:
            step["withParam"] = "{{%s.%s.outputs.result}}" % (kind, self.r.choice(lists).name)
            called.maybe_empty, size = True, 2
        elif choice < 0.3 and numbers and self.budget > 12:
            step["withSequence"] = {"count": "{{%s.%s.outputs.result}}" % (kind, self.r.choice(numbers).name)}
            called.maybe_empty, size = True, 5
        elif choice < 0.45:
            step["withSequence"] = self.r.choice(({"count": "2"}, {"count": 3, "start": "4"}, {"start": 2, "end": "0"},
                                                  {"count": "2", "format": "n%02X"}, {"count": "0"}))
            called.maybe_empty, size = step["withSequence"].get("count") == "0", 3
        elif choice < 0.6:
            step["withParam"] = self.r.choice(('["a","b"]', "[1,2,3]", "[]", '[{"k":"v"}]'))
            called.maybe_empty, size = step["withParam"] == "[]", 2
        else:
            step["withItems"] = self.r.choice(ITEM_LISTS)
            size = len(step["withItems"])
        self.budget -= made.size * size

    def safe_result(self, b):
        """Its outputs.result is there when what comes after it runs."""
        return not (b.skippable or b.maybe_empty or b.loop) and (b.made.coded or not b.forgiven)

    def values(self, before, inputs, kind, called):
        """Texts for an argument."""
        out = ["lit%d" % self.r.randint(0, 3), "{{workflow.parameters.p}}", "{{workflow.name}}"]
        out += ["{{inputs.parameters.%s}}" % p["name"] for p in inputs]
        if called.loop:
            out += ["{{item}}"] * 3
        for g in self.globals:
            out.append("{{workflow.outputs.parameters.%s}}" % g)
        for b in before:
            out += self.references(b, kind)
        return out

    def references(self, b, kind):
        if b.maybe_empty or (b.forgiven and not b.made.coded):
            return []
        ref, out = "%s.%s" % (kind, b.name), []
        if not b.skippable:
            if kind == "tasks" or not b.loop:
                out.append("{{%s.status}}" % ref)
            out += ["{{%s.outputs.parameters.%s}}" % (ref, o) for o in b.made.outs] * 2
            if b.loop and b.made.outs:
                out.append("{{%s.outputs.parameters}}" % ref)
            if b.made.result and not b.made.lists:
                out += ["{{%s.outputs.result}}" % ref] * 2
            if b.made.leaf and not {"suspend", "http"} & set(b.made.tmpl) and not b.loop:
                out.append("code {{%s.exitCode}}" % ref)
        elif not b.loop:
            out += ["{{=%s['%s'].outputs.parameters.%s ?? 'fb'}}" % (kind, b.name, o) for o in b.made.outs] * 2
        return out

    def maybe_absent(self, before, kind):
        """References to outputs of steps that may have been skipped. Without a default anywhere they are errors."""
        return ["{{%s.%s.outputs.parameters.%s}}" % (kind, b.name, o) for b in before for o in b.made.outs
                if b.skippable and not b.loop and not b.maybe_empty and (b.made.coded or not b.forgiven)]

    def arguments(self, step, made, before, inputs, kind, called, alone):
        """An argument may be an error only where nothing else of its group can have been started."""
        params = []
        for p in made.inputs:
            if "default" in p and self.chance(0.3):
                continue
            values = self.values(before, inputs, kind, called)
            if "default" in p or kind == "tasks" or (alone and not called.loop):
                values += self.maybe_absent(before, kind) * 4
            params.append({"name": p["name"], "value": self.r.choice(values)})
        if params:
            step["arguments"] = {"parameters": params}

    def when(self, step, called, before, inputs, kind):
        if called.maybe_empty or not self.chance(0.35 if called.made.outs else 0.18):
            return
        called.skippable = True
        choices = ["1 == 1", "1 == 2", "lit == lit && true != false", "\"a\" == 'b' || 2 >= 3", "{{workflow.name}} == wf",
                   "!(x == y)", "{{workflow.parameters.p}} =~ \"^p\"", "a in (a, b)"]
        bare = "{{inputs.parameters.%s}} == x" if kind == "tasks" or not called.loop else "'{{inputs.parameters.%s}}' == x"
        choices += [bare % p["name"] for p in inputs] * 2
        scalars = step.get("withSequence") or step.get("withParam") in ('["a","b"]', "[1,2,3]", "[]") \
            or (step.get("withItems") and not isinstance(step["withItems"][0], (dict, list)))
        if called.loop and scalars:
            choices += ["\"{{item}}\" != \"2\"", "'{{item}}' == 'x'"]
        numbers = [b for b in before if b.made.result and self.safe_result(b)]
        choices += ["{{%s.%s.outputs.result}} > 4" % (kind, b.name) for b in numbers] * 3
        step["when"] = self.r.choice(choices)

    def hook(self, step, made, kind, called):
        hooked = self.add(self.r.choice((self.leaf_plain, self.leaf_sure, self.leaf_echo))())
        hook = {"template": hooked.tmpl["name"]}
        if self.in_library and hooked.library is None:
            return
        if hooked.inputs:
            value = "bye {{workflow.name}}"
            if made.outs and made.sure and not called.loop:
                value = "{{%s.%s.outputs.parameters.%s}}" % (kind, step["name"], made.outs[0])
            hook["arguments"] = {"parameters": [{"name": "m", "value": value}]}
        if not called.loop and self.chance(0.3):
            hook["expression"] = "%s['%s'].status == '%s'" % (kind, step["name"], self.r.choice(("Failed", "Succeeded")))
        step["hooks"] = {"exit": hook}
        self.hooked = True

    def outputs_of(self, tmpl, before, kind):
        """Outputs of a composite that are there whenever it succeeds. In a dag only what must have succeeded counts."""
        good = [b for b in before if b.made.sure and not b.skippable and not b.loop and (kind == "steps")]
        params, names = [], []
        for b in good:
            for o in b.made.outs:
                ref = "%s.%s.outputs.parameters.%s" % (kind, b.name, o)
                source = {"parameter": "{{%s}}" % ref} if self.chance(0.7) else {"expression": ref + " + '!'"}
                names.append("o%d" % len(names))
                params.append({"name": names[-1], "valueFrom": source})
        if not params and before and not before[0].loop and self.chance(0.2):
            names = ["o"]
            params = [{"name": "o", "valueFrom": {"parameter": "{{%s.%s.outputs.parameters.nope}}" % (kind, before[0].name),
                                                  "default": "dd"}}]
        if not params or not self.chance(0.6):
            return []
        tmpl["outputs"] = {"parameters": params}
        return names

    # ---- the workflow ----

    def recursion(self):
        """A template that calls itself until a counter is down."""
        body, name = self.leaf(), self.fresh("rec")
        tmpl = {"name": name, "inputs": {"parameters": [{"name": "n", "default": str(self.r.randint(1, 3))}]}, "steps": [
            [{"name": "body", "template": body.tmpl["name"],
              "arguments": {"parameters": [{"name": "m", "value": "{{inputs.parameters.n}}"}]}}],
            [{"name": "again", "template": name, "when": "{{inputs.parameters.n}} > 0",
              "arguments": {"parameters": [{"name": "n", "value": "{{=asInt(inputs.parameters.n) - 1}}"}]}}]]}
        return self.add(Made(tmpl, 8, leaf=False))

    def make_library(self):
        """A WorkflowTemplate whose templates call each other by name."""
        self.in_library = True
        made = self.steps(0) if self.chance(0.5) else self.leaf()
        self.in_library = False
        return made

    def global_output(self, entry):
        """A globalName on a pod of the entry template that is called once and no more."""
        calls = [s for group in entry.tmpl.get("steps", []) for s in group] or entry.tmpl.get("dag", {}).get("tasks", [])
        for call in calls:
            by_name = [t for t in self.templates if t["name"] == call.get("template")]
            if by_name and by_name[0].get("outputs") and not {"steps", "dag", "retryStrategy", "suspend"} & set(by_name[0]) \
                    and not {"withItems", "withParam", "withSequence"} & set(call):
                by_name[0]["outputs"]["parameters"][0]["globalName"] = "glob"
                return

    def spec(self):
        entry = self.entry()
        spec = {"entrypoint": entry.tmpl["name"], "arguments": {"parameters": [{"name": "p", "value": self.r.choice(("p1", "q2"))}]}}
        if self.chance(0.15):
            self.global_output(entry)
        if self.limits and self.chance(0.6):
            spec["parallelism"] = self.r.randint(1, 3)
        if self.chance(0.04) and not self.hooked:
            spec["retryStrategy"] = {"limit": 1}
        if self.long and self.chance(0.6):
            spec["activeDeadlineSeconds"] = self.r.randint(1, 4)
        if self.chance(0.2):
            self.exit_handler(spec)
        spec["templates"] = self.templates
        return spec

    def entry(self):
        roll = self.r.random()
        if roll < 0.04:
            return self.leaf_without_inputs()
        if roll < 0.1:
            return self.recursion()
        if roll < 0.55:
            return self.steps(2, top=True)
        return self.dag(2, top=True)

    def leaf_without_inputs(self):
        made = self.leaf()
        return made if all("default" in p for p in made.inputs) else self.add(self.leaf_plain())

    def exit_handler(self, spec):
        if self.chance(0.3):
            made = self.steps(0)
        else:
            made = self.add(self.r.choice((self.leaf_echo, self.leaf_plain, self.leaf_sure))())
        hook = {"template": made.tmpl["name"]}
        if made.inputs:
            hook["arguments"] = {"parameters": [{"name": "m", "value": "ended {{workflow.status}}"}]}
            spec["hooks"] = {"exit": hook}
        elif self.chance(0.5):
            spec["hooks"] = {"exit": hook}
        else:
            spec["onExit"] = made.tmpl["name"]

    def case(self):
        library = self.make_library() if self.chance(0.12) else None
        if library is not None:
            original = self.template
            self.template = lambda depth: library if self.chance(0.2) and not self.in_library else original(depth)
        docs = []
        spec = self.spec()
        if self.library:
            docs.append({"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate",
                         "metadata": {"name": "lib", "namespace": "default"}, "spec": {"templates": self.library}})
        docs.append({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
                     "metadata": {"name": "wf", "namespace": "default"}, "spec": spec})
        return {"seed": self.seed, "now_us": START_US, "name": "wf", "documents": docs,
                "fate": {"seed": self.seed, "fail_pct": self.r.choice((0, 5, 10, 25)), "error_pct": self.r.choice((0, 0, 3, 10))}}


class HookSower:
    """Life cycle hooks on a finished case, from a stream of their own. Not where a limit or template.failFast holds
    things back, nor on loops (their names differ) or where the whole workflow is retried."""

    def __init__(self, seed, spec):
        self.r, self.spec = random.Random(seed * 31 + 7), spec

    def sow(self):
        templates = self.spec["templates"]
        limited = "parallelism" in self.spec or "retryStrategy" in self.spec or "activeDeadlineSeconds" in self.spec
        if limited or self.r.random() > 0.2 or any("parallelism" in t or t.get("failFast") for t in templates):
            return
        calls = [("steps", s) for t in templates for g in t.get("steps", []) for s in g]
        calls += [("tasks", s) for t in templates for s in t.get("dag", {}).get("tasks", [])]
        for kind, call in calls:
            if self.r.random() < 0.25 and not {"withItems", "withParam", "withSequence", "inline"} & set(call):
                self.hook(kind, call)
        if self.r.random() < 0.4:
            self.spec.setdefault("hooks", {})["noted"] = {
                "template": "noted", "expression": "workflow.status == '%s'" % self.r.choice(("Running", "Succeeded", "Failed"))}
        templates.append({"name": "noted", "container": {"image": "busybox", "command": ["true"]}})

    def hook(self, kind, call):
        hooks = call.setdefault("hooks", {})
        for name, status in (("begun", "Running"), ("well", "Succeeded"), ("ill", "Failed"), ("left", "Omitted")):
            if self.r.random() < 0.4:
                hooks[name] = {"template": "noted", "expression": "%s['%s'].status == '%s'" % (kind, call["name"], status)}


def case(seed):
    made = Generator(seed).case()
    HookSower(seed, made["documents"][-1]["spec"]).sow()
    return generate_gates.decorate(generate_more.decorate(made))
