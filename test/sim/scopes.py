"""Values: what a tag can refer to, and templates with their arguments filled in."""
import json

import expressions
import fate
import tags
from nodes import ABSENT_ARGUMENT, StepError


class Scopes:
    """Part of the model."""

    def global_values(self):
        """[setGlobalParameters]"""
        out = {"workflow.name": self.name, "workflow.namespace": "default",
               "workflow.mainEntrypoint": self.spec["entrypoint"]}
        for p in self.workflow_arguments():
            out["workflow.parameters." + p["name"]] = tags.any_string(p["value"])
        for name, value in self.global_outputs.items():
            out["workflow.outputs.parameters." + name] = value
        if self.status is not None:
            out["workflow.status"] = self.status
        return out

    def workflow_arguments(self):
        return (self.spec.get("arguments") or {}).get("parameters") or []

    def last_attempt(self, node):
        """[possiblyGetRetryChildNode]"""
        attempts = self.attempts(node)
        return attempts[-1] if node.type == "Retry" and attempts else None

    def attempts(self, node):
        return [self.nodes[c] for c in node.children if self.nodes[c].retried]

    def node_scope(self, prefix, node):
        """[buildLocalScope]"""
        node = self.last_attempt(node) or node
        scope = {prefix + ".id": node.id, prefix + ".status": node.phase}
        outputs = node.outputs or {}
        if "result" in outputs:
            scope[prefix + ".outputs.result"] = outputs["result"]
        if "exitCode" in outputs:
            scope[prefix + ".exitCode"] = outputs["exitCode"]
        for p in outputs.get("parameters", []):
            if "value" in p:
                scope["%s.outputs.parameters.%s" % (prefix, p["name"])] = p["value"]
        return scope

    def skipped_scope(self, prefix, node, step, library):
        """[addSkippedNodeOutputsToScope]"""
        if node.outputs is not None or node.phase not in ("Skipped", "Omitted"):
            return {}
        _, tmpl = self.resolve(step, library)
        scope = {}
        for p in ((tmpl or {}).get("outputs") or {}).get("parameters") or []:
            default = (p.get("valueFrom") or {}).get("default")
            scope["%s.outputs.parameters.%s" % (prefix, p["name"])] = \
                tags.ABSENT if default is None else tags.any_string(default)
            self.reach("skipped output")
        return scope

    def input_scope(self, tmpl):
        params = (tmpl.get("inputs") or {}).get("parameters") or []
        return {"inputs.parameters." + p["name"]: tags.any_string(p["value"]) for p in params if "value" in p}

    def template_outputs(self, tmpl, scope):
        """[getTemplateOutputsFromScope] None when the template declares none."""
        declared = (tmpl.get("outputs") or {}).get("parameters")
        if not declared:
            return None
        return {"parameters": [{"name": p["name"], "value": self.output_value(p["valueFrom"], scope),
                                "globalName": p.get("globalName")} for p in declared]}

    def output_value(self, source, scope):
        default = source.get("default")
        try:
            if "expression" in source:
                self.reach("valueFrom.expression")
                value = expressions.expr(source["expression"], expressions.environment(scope))
                if value is not None:
                    return expressions.to_text(value)
                raise StepError('failed to evaluate expression "%s"' % source["expression"])
            self.reach("valueFrom.parameter")
            key = source.get("parameter", "")
            if not key:
                return ""
            inner = key.strip()[2:-2].strip() if key.strip().startswith("{{") else key
            if scope.get(inner) is not None:
                return scope[inner]
            if not key.startswith("{{"):
                return key  # it was a tag of an input, already replaced by its value
            raise StepError("Unable to resolve: %s" % key)
        except (StepError, expressions.ExprError) as e:
            if default is not None:
                self.reach("valueFrom.default of a template")
                return tags.any_string(default)
            raise StepError(str(e))

    def resolve(self, holder, library):
        """[ResolveTemplate] (library where its local names resolve, template as written) or None."""
        if holder.get("inline"):
            self.reach("inline")
            return library, holder["inline"]
        if holder.get("templateRef"):
            self.reach("templateRef")
            library = holder["templateRef"]["name"]
            wanted, templates = holder["templateRef"]["template"], self.libraries.get(library, [])
        else:
            wanted = holder.get("template")
            templates = self.libraries[library] if library else self.spec["templates"]
        for t in templates:
            if t["name"] == wanted:
                return library, t
        return library, None

    def with_arguments(self, tmpl, args, local):
        """[ProcessArgs] Inputs get their values, then globals and inputs are replaced in the template's text."""
        given = {p["name"]: p for p in (args or {}).get("parameters") or []}
        inputs = []
        for p in (tmpl.get("inputs") or {}).get("parameters") or []:
            p = dict(p)
            if "value" not in p and "default" in p:
                p["value"] = p["default"]
            arg = given.get(p["name"])
            if arg is not None and arg.get("value") is ABSENT_ARGUMENT:
                if "value" not in p:
                    raise StepError("inputs.parameters.%s: argument references an absent optional "
                                    "(skipped/omitted node output with no default)" % p["name"])
                self.reach("skipped output: input default")
            elif arg is not None and "value" in arg:
                p["value"] = arg["value"]
            if "value" not in p:
                raise StepError("inputs.parameters.%s was not supplied" % p["name"])
            p["value"] = tags.any_string(p["value"])
            inputs.append(p)
        new = dict(tmpl)
        if inputs:
            new["inputs"] = dict(tmpl["inputs"], parameters=inputs)
        return self.substituted(new, local)

    def substituted(self, tmpl, local):
        """[SubstituteParams] Two passes: globals and locals, then the inputs too."""
        if "{{" not in self.json_of(self.keep(tmpl)):
            return tmpl
        values = dict(self.global_values(), **local)
        tmpl = tags.substitute(tmpl, values)
        values.update(self.input_scope(tmpl))
        return tags.substitute(tmpl, values)

    def keep(self, tmpl):
        """Keeps the object alive, so that its id stays its own."""
        self.__dict__.setdefault("_kept", []).append(tmpl)
        return tmpl
