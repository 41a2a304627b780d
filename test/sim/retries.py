"""Retries and exit hooks: operator.go processNodeRetries, exit_handler.go."""
import json

import expressions
import tags
from nodes import BAD, Held, Place, StepError, duration_us, mark_absent, seconds, unmark


class Retries:
    """Part of the model."""

    def execute_retried(self, name, node, raw, tmpl, retry, holder, library, inner_library, args, place):
        """The Retry node and its attempts `name(0)`, `name(1)`…"""
        self.reach("retry")
        if node is None:
            node = self.make(name, "Retry", "Running", holder, place)
        try:
            if not self.may_go_on(node, retry):
                return node
        except StepError as e:
            self.mark(node, "Error", str(e))
            raise
        attempts = self.attempts(node)
        last = attempts[-1] if attempts else None
        if node.fulfilled():
            node.outputs = None if last is None or last.outputs is None else json.loads(json.dumps(last.outputs))
            return node
        running = last is not None and not last.fulfilled()
        if last is not None and not running:
            self.check_limits(place)
        number = len(attempts) - 1 if running else len(attempts)
        before = attempts[number - 1] if number else None
        longest = (retry.get("backoff") or {}).get("maxDuration")
        if number and longest:  # the first attempt is not bound by it
            self.attempt_limits["%s(%d)" % (name, number)] = attempts[0].started + duration_us(longest)
        self.execute_attempt(node, number, self.attempt_values(number, before), raw, tmpl, holder, inner_library, place)
        if self.nodes["%s(%d)" % (name, number)].fulfilled():
            return self.execute(name, holder, library, args, place)
        return node

    def attempt_values(self, number, last):
        outputs = (last.outputs or {}) if last else {}
        return {"retries": str(number), "lastRetry.exitCode": outputs.get("exitCode", "0"),
                "lastRetry.status": last.phase if last else "", "lastRetry.message": last.message if last else "",
                "lastRetry.duration": seconds(last) if last else "0"}

    def execute_attempt(self, node, number, local, raw, tmpl, holder, library, place):
        attempt = "%s(%d)" % (node.name, number)
        if attempt in self.nodes and self.nodes[attempt].type in ("Pod", "HTTP"):
            return
        tmpl = self.substituted(tmpl, local)
        try:
            self.execute_type(attempt, raw, tmpl, holder, library, place)
        except StepError:
            pass  # the attempt is an Error; the strategy decides what that means
        if attempt in self.nodes:
            self.nodes[attempt].retried = True
            self.link(node.name, attempt)

    def may_go_on(self, node, retry):
        """[processNodeRetries] False: waiting. True: the node is fulfilled, or an attempt runs or shall be made."""
        attempts = self.attempts(node)
        if node.fulfilled() or not attempts or not attempts[-1].fulfilled():
            return True
        last, first = attempts[-1], attempts[0]
        if not last.bad():
            node.outputs = None if last.outputs is None else json.loads(json.dumps(last.outputs))
            self.mark(node, "Succeeded")
            return True
        if self.stopped(node):
            self.mark(node, last.phase, self.stopped_message())
            return True
        if self.past_deadline() and not node.on_exit:
            self.mark(node, last.phase, "retry exceeded workflow deadline")
            return True
        limit = None if retry.get("limit") is None else int(tags.any_string(retry["limit"]))
        if retry.get("backoff") is not None and not self.backed_off(node, retry["backoff"], attempts, limit):
            return node.fulfilled()
        stop = self.retry_verdict(retry, node, attempts, limit)
        if stop is not None:
            self.reach("retry: " + (stop or "policy"))
            self.mark(node, last.phase, stop or last.message)
        return True

    def backed_off(self, node, backoff, attempts, limit):
        """False: the node has ended or must wait."""
        first, last, longest = attempts[0], attempts[-1], None
        if backoff.get("maxDuration"):
            longest = first.started + duration_us(backoff["maxDuration"])
            if self.now >= longest:
                self.reach("retry: maxDuration")
                self.mark(node, last.phase, "Max duration limit exceeded")
                return False
        if not backoff.get("duration"):
            raise StepError("no base duration specified for retryStrategy")
        wait = duration_us(backoff["duration"])
        factor = int(tags.any_string(backoff.get("factor") or 0))
        if factor > 0:
            wait *= factor ** (len(attempts) - 1)
        if backoff.get("cap"):
            wait = min(wait, duration_us(backoff["cap"]))
        until = last.finished + wait
        if longest is not None and until > longest:
            self.reach("retry: maxDuration")
            self.mark(node, last.phase, "Backoff would exceed max duration limit")
            return False
        if (self.now < until or node.name in self.timers) and limit is not None and len(attempts) <= limit:
            self.reach("retry: backoff")
            self.timers[node.name] = until
            return False
        return True

    def retry_verdict(self, retry, node, attempts, limit):
        """The message with which the node ends ("" = that of the last attempt), None to try again."""
        last = attempts[-1]
        policy = retry.get("retryPolicy") or ("Always" if retry.get("expression") else "OnFailure")
        if policy not in ("Always", "OnFailure", "OnError", "OnTransientError"):
            raise StepError("%s is not a valid RetryPolicy" % policy)
        if last.phase not in {"Always": BAD, "OnFailure": ("Failed",), "OnError": ("Error",)}.get(policy, ()):
            return ""
        if limit is not None and len(attempts) > limit:
            return "No more retries left"
        if retry.get("expression"):
            values = self.attempt_values(len(attempts) - 1, last)
            values["lastRetry.exitCode"] = (last.outputs or {}).get("exitCode", "-1")
            try:
                again = expressions.expr_bool(retry["expression"], expressions.environment(values))
            except expressions.ExprError as e:
                raise StepError(str(e))
            if not again:
                return "retryStrategy.expression evaluated to false"
        return None

    # ---- exit hooks ----

    def exit_hook(self, step):
        hook = (step.get("hooks") or {}).get("exit")
        if step.get("onExit"):
            return {"template": step["onExit"], "arguments": {"parameters": self.workflow_arguments()}}
        if hook and not hook.get("arguments"):
            return dict(hook, arguments={"parameters": self.workflow_arguments()})
        return hook

    def run_exit_hook(self, step, node, boundary, library, prefix, scope):
        """[runOnExitNode] True when there is nothing (more) to wait for."""
        hook = self.exit_hook(step)
        if hook is None or self.stop == "Terminate":
            return True
        values = dict(self.global_values(), **scope)
        if hook.get("expression"):
            self.reach("exit hook with expression")
            try:
                if not expressions.expr_bool(hook["expression"], expressions.environment(values)):
                    return True
            except expressions.ExprError as e:
                raise StepError(str(e))
        self.reach("exit hook of a step or task")
        name = node.name + ".onExit"
        outputs = (self.last_attempt(node) or node).outputs or {}
        for p in outputs.get("parameters", []):
            values["%s.outputs.parameters.%s" % (prefix, p["name"])] = p.get("value", "")
        try:
            args = tags.substitute(mark_absent(hook.get("arguments") or {}, values), values)
            args = unmark(args)
            child = self.execute(name, hook, library, args, Place(boundary, True, True))
        except Held:
            return False
        except tags.TagError as e:
            raise StepError(str(e))
        finally:
            if name in self.nodes:
                self.link(node.name, name)
        return child.fulfilled()
