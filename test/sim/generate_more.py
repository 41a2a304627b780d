"""What is put on top of a finished random case, from a random stream of its own, so that a seed stays what it was without it:
commands from outside, and arguments that use more of the variables and of the expression language."""
import json
import random

# Expressions and tags that may stand for a plain text in an argument.
TEXTS = ("{{workflow.mainEntrypoint}}/{{workflow.namespace}}", "{{= asInt('4') + 1 }}", "{{=workflow.name + '-x'}}",
         "{{= workflow.parameters.p == 'p1' ? 'one' : 'two' }}", "{{=upper(workflow.parameters['p'])}}", "{{unknown}} {{ workflow.name }}",
         "{{=unknown.name}}", "{{= nil ?? 'none' }}", "{{=1/2}}", "{{=2**3}}", "<&>'{{workflow.name}}", "{{workflow.outputs.parameters.glob}}", "{{=workflow.outputs.parameters.glob}}")
# What a pod may say of itself.
SELF = ("{{node.name}}", "{{inputs.parameters.m}}/{{=inputs.parameters.m}}", "{{=inputs.parameters['m'] + '!'}}")
RETRIED = ("{{lastRetry.message}}", "{{retries}} {{=asInt(retries) + 1}}", "{{= lastRetry.status == '' ? 'first' : lastRetry.status }}", "{{node.name}}")


class More:
    def __init__(self, case):
        self.r = random.Random("more/%d" % case["seed"])
        self.case, self.specs = case, [d["spec"] for d in case["documents"]]

    def chance(self, p):
        return self.r.random() < p

    def decorate(self):
        text = json.dumps(self.specs)
        if self.chance(0.15) and "supplied" not in text and "continueOn" not in text:
            self.commands()  # what is stopped has no outputs, and a reference to them would wait for ever
        if self.chance(0.3):
            for spec in self.specs:
                for tmpl in spec["templates"]:
                    self.template(tmpl)
            self.targets()
        return self.case

    def commands(self):
        late = self.chance(0.3)
        stop = {"do": self.r.choice(("stop", "stop", "terminate")), "at_ms": self.r.randint(0, 3000 if late else 90)}
        self.case["commands"] = [stop]
        if stop["do"] == "stop" and self.chance(0.3):
            self.case["commands"].append({"do": "terminate", "at_ms": stop["at_ms"] + self.r.randint(0, 40)})

    def template(self, tmpl):
        notes = (tmpl.get("metadata") or {}).get("annotations") or {}
        if "sim/out-said" in notes and self.chance(0.5):
            notes["sim/out-said"] = self.r.choice(SELF)
        if "sim/out-try" in notes and self.chance(0.7):
            notes["sim/out-try"] = self.r.choice(RETRIED)
        for call in [s for group in tmpl.get("steps", []) for s in group] + tmpl.get("dag", {}).get("tasks", []):
            self.bounds(call, tmpl)
            for p in (call.get("arguments") or {}).get("parameters") or []:
                if isinstance(p.get("value"), str) and p["value"].startswith("lit") and self.chance(0.5):
                    p["value"] = self.r.choice(TEXTS)

    def bounds(self, call, tmpl):
        """A sequence whose bounds are computed, from an input that is not always a number."""
        inputs = [p["name"] for p in (tmpl.get("inputs") or {}).get("parameters") or [] if p.get("default") == "3"]
        if call.get("withSequence", {}).get("count") in ("2", 3) and self.chance(0.5):
            call["withSequence"]["count"] = "{{inputs.parameters.%s}}" % inputs[0] if inputs else "{{= 1 + 1 }}"

    def targets(self):
        """Two targets of one dag."""
        for tmpl in self.specs[-1]["templates"]:
            dag = tmpl.get("dag") or {}
            if "target" in dag and self.chance(0.5):
                other = self.r.choice(dag["tasks"])["name"]
                dag["target"] = " ".join(dict.fromkeys([dag["target"], other]))


def decorate(case):
    return More(case).decorate()
