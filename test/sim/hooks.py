"""Life cycle hooks other than `exit`, as workflow/controller/hooks.go runs them. Names in brackets are Argo's functions."""
import expressions
import tags
from nodes import Held, Place, StepError, mark_absent, unmark


class Hooks:
    def life_hooks(self, hooks, node, boundary, library, prefix, scope):
        """[executeTmplLifeCycleHook, executeWfLifeCycleHook] True when those that were triggered are over."""
        over = True
        for name, hook in (hooks or {}).items():
            if name == "exit":
                continue
            child = "%s.hooks.%s" % (node.name, name)
            if not hook.get("expression"):
                raise StepError("Expression required for hook %s" % child)
            values = dict(self.global_values(), **scope)
            try:
                go = expressions.expr_bool(tags.substitute(hook["expression"], values), expressions.environment(values))
            except (expressions.ExprError, tags.TagError) as e:
                raise StepError(str(e))
            if go or child in self.nodes:
                self.reach("life cycle hook")
                over = self.run_life_hook(child, hook, node, boundary, library, prefix, values) and over
        return over

    def run_life_hook(self, child, hook, node, boundary, library, prefix, values):
        outputs = (self.last_attempt(node) or node).outputs or {}
        for p in outputs.get("parameters", []):
            values["%s.outputs.parameters.%s" % (prefix, p["name"])] = p.get("value", "")
        try:
            args = unmark(tags.substitute(mark_absent(hook.get("arguments") or {}, values), values))
            self.execute(child, {k: hook[k] for k in ("template", "templateRef") if hook.get(k)}, library, args,
                         Place(boundary, node.on_exit, True))
        except (StepError, Held):
            pass
        if child not in self.nodes:
            return False  # a limit holds it back
        self.link(node.name, child)
        return self.nodes[child].fulfilled()
