"""The three little languages, as far as the generator and the cases use them.

when     govaluate with every bare identifier turned into a string
depends  boolean expression over task results
expr     expr-lang: names, literals, operators, ?? and ?:, a few functions

One small Pratt parser serves all; `Words` says what a bare identifier means.
"""
import datetime
import re


class ExprError(Exception):
    pass


TOKEN = r"""\s*(?:
    (?P<number>0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)
  | (?P<string>%s)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<bracketed>\[[^\]]*\])
  | (?P<op>\?\.|\?\?|\*\*|==|!=|>=|<=|&&|\|\||=~|!~|[-+*/%%<>!()?:,.\[\]]))"""
EXPR_TOKEN = re.compile(TOKEN % r"""  "(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'  """, re.X)
WHEN_TOKEN = re.compile(TOKEN % r"""  ["'](?:[^"'\\]|\\.)*["']  """, re.X)  # to govaluate every quote ends a text

BINARY = {"?": 1, "??": 2, "||": 3, "or": 3, "&&": 4, "and": 4, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
          "=~": 7, "!~": 7, "in": 7, "contains": 7, "startsWith": 7, "endsWith": 7, "matches": 7,
          "+": 8, "-": 8, "*": 9, "/": 9, "%": 9, "**": 10}
WORD_OPERATORS = {"or", "and", "contains", "startsWith", "endsWith", "matches"}


def tokens(text, word_operators):
    out, at = [], 0
    text = text.rstrip()
    while at < len(text):
        m = (EXPR_TOKEN if word_operators else WHEN_TOKEN).match(text, at)
        if not m:
            raise ExprError("Invalid token: '%s'" % text[at:].strip()[:2])
        kind = m.lastgroup
        value = m.group(kind)
        if kind == "bracketed":
            if word_operators:  # expr: a list or an index
                out.append(("op", "["))
                at = m.start(kind) + 1
                continue
            out.append(("string", value[1:-1]))  # govaluate: a name in brackets, and names are strings
            at = m.end()
            continue
        if kind == "name" and (value == "in" or (word_operators and value in WORD_OPERATORS | {"not"})):
            kind = "op"
        if kind == "string":
            value = re.sub(r"\\(.)", lambda c: {"n": "\n", "t": "\t"}.get(c.group(1), c.group(1)), value[1:-1])
        out.append((kind, value))
        at = m.end()
    return out


class Parser:
    """Precedence climbing; evaluates lazily: each rule gives a function without arguments."""

    def __init__(self, text, words, member, word_operators):
        self.toks = tokens(text, word_operators)
        self.at, self.words, self.member = 0, words, member

    def peek(self):
        return self.toks[self.at] if self.at < len(self.toks) else ("end", "")

    def take(self, op=None):
        tok = self.peek()
        if op is not None and tok != ("op", op):
            raise ExprError("expected %s" % op)
        self.at += 1
        return tok

    def parse(self):
        value = self.binary(0)
        if self.peek()[0] != "end":
            raise ExprError("unexpected token %s" % self.peek()[1])
        return value

    def binary(self, floor):
        left = self.unary()
        while True:
            kind, op = self.peek()
            if kind != "op" or BINARY.get(op, 0) <= floor:
                return left
            self.take()
            if op == "?":
                yes = self.binary(0)
                self.take(":")
                no = self.binary(0)
                left = lambda c=left, y=yes, n=no: y() if truth(c()) else n()
            else:
                left = operation(op, left, self.binary(BINARY[op]))

    def unary(self):
        if self.peek() in (("op", "!"), ("op", "not")):
            self.take()
            inner = self.unary()
            return lambda: not truth(inner())
        if self.peek() == ("op", "-"):
            self.take()
            inner = self.unary()
            return lambda: -number(inner(), "-")
        return self.postfix(self.primary())

    def postfix(self, value):
        while self.member and self.peek() in (("op", "."), ("op", "?."), ("op", "[")):
            op = self.take()[1]
            if op == "[":
                key = self.binary(0)
                self.take("]")
            else:
                kind, name = self.take()
                if kind not in ("name", "op"):
                    raise ExprError("expected a name")
                key = lambda n=name: n
            value = lambda v=value, k=key, soft=op == "?.": fetch(v(), k(), soft)
        return value

    def primary(self):
        kind, text = self.take()
        if kind == "number":
            n = int(text, 16) if text[:2] in ("0x", "0X") else float(text) if "." in text else int(text)
            return lambda: n
        if kind == "string":
            return lambda: text
        if kind == "name":
            if self.member and self.peek() == ("op", "("):
                return self.call(text)
            return self.words(text)
        if (kind, text) == ("op", "("):
            return self.group()
        if (kind, text) == ("op", "[") and self.member:
            return self.listing("]")
        raise ExprError("unexpected token %s" % text)

    def group(self):
        items = [self.binary(0)]
        while self.peek() == ("op", ","):
            self.take()
            items.append(self.binary(0))
        self.take(")")
        return items[0] if len(items) == 1 else lambda: [i() for i in items]

    def listing(self, closing):
        items = []
        while self.peek() != ("op", closing):
            items.append(self.binary(0))
            if self.peek() == ("op", ","):
                self.take()
        self.take(closing)
        return lambda: [i() for i in items]

    def call(self, name):
        self.take("(")
        args = self.listing(")")
        if name not in FUNCTIONS:
            raise ExprError("unknown function %s" % name)
        return lambda: FUNCTIONS[name](*args())


def truth(v):
    if not isinstance(v, bool):
        raise ExprError("not a bool: %r" % (v,))
    return v


def number(v, op):
    if isinstance(v, bool) or not isinstance(v, (int, float)):
        raise ExprError("Value '%s' cannot be used with '%s', it is not a number" % (v, op))
    return v


DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[-+]\d\d:\d\d))?")


def moment(v):
    """A quoted text that looks like a date is a time to govaluate."""
    if isinstance(v, str) and DATE.fullmatch(v):
        return datetime.datetime.fromisoformat(v.replace("Z", "+00:00") if "T" in v else v + "T00:00:00+00:00")
    return v


def same(a, b):
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    return a == b or (isinstance(a, str) and isinstance(b, str) and moment(a) == moment(b))


def ordered(a, b, op):
    if isinstance(a, str) and isinstance(b, str):
        return
    number(a, op), number(b, op)


def text_pair(a, b, op):
    if not (isinstance(a, str) and isinstance(b, str)):
        raise ExprError("invalid operation: %s" % op)


def plus(a, b):
    if isinstance(a, str) and isinstance(b, str):
        return a + b
    return number(a, "+") + number(b, "+")


def member_of(a, b):
    if not isinstance(b, list):
        raise ExprError("Value '%s' cannot be used with the comparator 'in'" % (b,))
    return any(same(a, x) for x in b)


def compare(op, a, b):
    ordered(a, b, op)
    return {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[op]


def string_operation(op, a, b):
    text_pair(a, b, op)
    return {"contains": b in a, "startsWith": a.startswith(b), "endsWith": a.endswith(b),
            "=~": re.search(b, a) is not None, "matches": re.search(b, a) is not None,
            "!~": re.search(b, a) is None}[op]


def arithmetic(op, a, b):
    a, b = number(a, op), number(b, op)
    return {"-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b, "%": lambda: a % b, "**": lambda: a ** b}[op]()


def operation(op, left, right):
    if op in ("&&", "and"):
        return lambda: truth(left()) and truth(right())
    if op in ("||", "or"):
        return lambda: truth(left()) or truth(right())
    if op == "??":
        return lambda: right() if left() is None else left()
    if op == "==":
        return lambda: same(left(), right())
    if op == "!=":
        return lambda: not same(left(), right())
    if op == "in":
        return lambda: member_of(left(), right())
    if op == "+":
        return lambda: plus(left(), right())
    if op in ("<", ">", "<=", ">="):
        return lambda: compare(op, left(), right())
    if op in ("=~", "!~", "contains", "startsWith", "endsWith", "matches"):
        return lambda: string_operation(op, left(), right())
    return lambda: arithmetic(op, left(), right())


def fetch(value, key, soft):
    if value is None:
        if soft:
            return None
        raise ExprError("cannot fetch %s from <nil>" % key)
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    raise ExprError("cannot fetch %s" % (key,))


def as_int(v):
    try:
        return int(v)
    except (ValueError, TypeError):
        raise ExprError("invalid operation: int(%s)" % (v,))


def as_float(v):
    try:
        return float(v)
    except (ValueError, TypeError):
        raise ExprError("invalid operation: float(%s)" % (v,))


def to_text(v):
    if v is None:
        return "null"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        return str(int(v)) if v == int(v) else repr(v)
    return str(v)


FUNCTIONS = {"asInt": as_int, "int": as_int, "asFloat": as_float, "float": as_float, "string": to_text,
             "len": lambda v: len(v), "upper": lambda v: v.upper(), "lower": lambda v: v.lower()}

# ---- when ----

HINT = ' (hint: try wrapping the affected expression in quotes ("))'


def bare_word(name):
    """govaluate variables are turned into strings (steps.go shouldExecute)."""
    return lambda: {"true": True, "false": False}.get(name, name)



def when(text):
    """True or False; ExprError carries the message that Argo would show, up to the part that the driver cuts."""
    if text == "":
        return True
    try:
        run = Parser(text, bare_word, False, False).parse()
    except ExprError as e:
        raise ExprError("Invalid 'when' expression '%s': %s" % (text, e))
    try:
        result = run()
    except (ExprError, ZeroDivisionError, re.error) as e:
        raise ExprError("Failed to evaluate 'when' expresion '%s': %s" % (text, e))
    if not isinstance(result, bool):
        raise ExprError("Expected boolean evaluation for '%s'. Got %s" % (text, result))
    return result


# ---- expr ----


def environment(values):
    """Nested map of the flat keys; a key is dropped when a longer one goes through it (template/expression_template.go)."""
    env = {}
    for key in sorted(values):
        at = env
        parts = key.split(".")
        for part in parts[:-1]:
            if not isinstance(at.get(part), dict):
                at[part] = {}
            at = at[part]
        at[parts[-1]] = values[key]
    return env


def expr(text, env):
    def word(name):
        if name in ("true", "false"):
            return lambda: name == "true"
        if name in ("nil", "null"):
            return lambda: None
        if name not in env:
            raise ExprError("unknown name %s" % name)
        return lambda: env[name]
    try:
        return Parser(text, word, True, True).parse()()
    except (TypeError, ZeroDivisionError, re.error) as e:
        raise ExprError(str(e))


def expr_bool(text, env):
    result = expr(text, env)
    if not isinstance(result, bool):
        raise ExprError("expected bool, got %s" % (result,))
    return result


# ---- depends: common/ancestry.go ----

NAME_OR_RESULT = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")


def bare_dependency(task):
    """A name alone: done well, skipped, daemon ready; continueOn adds the failures it forgives."""
    results = ["Succeeded", "Skipped", "Daemoned"]
    forgives = task.get("continueOn") or {}
    if forgives.get("error"):
        results.append("Errored")
    if forgives.get("failed"):
        results.append("Failed")
    return "(" + " || ".join("%s.%s" % (task["name"], r) for r in results) + ")"


def depends_logic(task, by_name):
    """(names of the tasks it depends on, expression with every bare name written out)"""
    text = task.get("depends") or " && ".join(bare_dependency(by_name[d]) for d in task.get("dependencies") or [])
    names = sorted({m.group(0).split(".")[0] for m in NAME_OR_RESULT.finditer(text)})
    full = NAME_OR_RESULT.sub(lambda m: m.group(1) or bare_dependency(by_name[m.group(2)]), text)
    return names, full


def depends(logic, results):
    """`results`: task name -> {result name: bool}. Every '-' becomes '_' in the whole text (dag.go)."""
    env = {name.replace("-", "_"): r for name, r in results.items()}
    return expr_bool(logic.replace("-", "_"), env)
