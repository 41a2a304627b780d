"""Random texts of each language: mostly well formed and well typed, sometimes bent out of shape."""
import json
import random
import zoneinfo

ENV = {
    "inputs.parameters.a": "5", "inputs.parameters.b": "hello", "inputs.parameters.my-p": "x",
    "inputs.parameters.json": '{"k":[1,2],"s":"t","n":null,"m":{"x":1.5}}', "inputs.parameters": "[]",
    "steps.s.id": "id1", "steps.s.outputs.result": "heads", "steps.s.outputs.parameters.p": None,
    "tasks.t.status": "Succeeded", "workflow.status": "Running", "workflow.name": "wf",
    "workflow.parameters": "[]", "workflow.parameters.p1": "v1", "workflow.parameters.p2": "12",
    "retries": "1", "item.x": "1", "item.y": "b", "which": "b", "empty": "",
    "odd": "a\"b\\c\n{{which}}<&>é",
}
WORDS = ["a", "b", "foo", "Bar", "x1", "Succeeded", "été", "zz", "heads", "a b", "", "10", "9", "é", "-1", "A-b"]


class Gen:
    kept = False  # whether the cases become test data: then only what does not change with the host

    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, items):
        return self.r.choice(items)

    def chance(self, p):
        return self.r.random() < p

    def many(self, low, high, make):
        return [make() for _ in range(self.r.randint(low, high))]

    def bent(self, text, p=0.08):
        """The text, now and then with a piece lost, doubled or replaced."""
        while text and self.chance(p):
            i, j = sorted((self.r.randrange(len(text)), min(len(text), self.r.randrange(len(text)) + 1)))
            j = min(j, i + 3)
            text = self.pick([text[:i] + text[j:], text[:j] + text[i:], text[:i] + self.pick("()[]{}'\"?:.,#$@!~^&|=<>%*+-/\\ \t1aé") + text[j:]])
        return text


# ---- govaluate ----

class When(Gen):
    dates = ["2020-01-01", "2020-02-01", "2020-01-01T00:00:00Z", "2020-01-01 10:11", "2020-13-01", "Jan 2, 2020",
             "2014-01-02 14:12:22 MST", "2020-01-01T00:00:00.5Z", "1970-01-01", "10:11AM", "2020-01-01 10"]
    numbers = ["0", "1", "2", "3.5", "10", "05", "0x10", "0xFF", "100000000000", ".5", "1.", "1e3", "0x", "7", "1.2.3", "64", "-1"]

    def atom(self):
        k = self.r.random()
        if k < .28:
            return self.pick(self.numbers)
        if k < .5:
            q = self.pick("'\"")
            return q + self.pick(WORDS + self.dates) + q
        if k < .72:
            return self.pick(["a", "b", "foo", "heads", "tails", "a_b", "x1", "été", "Succeeded", "nil", "_z", "[a b]", "[x]", "a\\ b", "in", "foo.bar", "A", "a.b()"])
        if k < .86:
            return self.pick(["true", "false", "True", "2020-01-01"])
        return "(" + self.value(2) + ")"

    def value(self, depth):
        if depth <= 0 or self.chance(.35):
            return self.atom()
        k = self.r.random()
        if k < .4:
            return "%s %s %s" % (self.value(depth - 1), self.pick("+ - * / % ** & | ^ << >>".split()), self.value(depth - 1))
        if k < .55:
            return self.pick(["-", "!", "~", "-", "- ", "! "]) + self.value(depth - 1)
        if k < .7:
            return "(" + self.value(depth - 1) + ")"
        if k < .8:
            return "(" + ", ".join(self.many(0, 4, self.atom)) + ")"
        if k < .9:
            return "%s ? %s : %s" % (self.test(depth - 1), self.value(depth - 1), self.value(depth - 1))
        return "%s ?? %s" % (self.value(depth - 1), self.value(depth - 1))

    def test(self, depth):
        k = self.r.random()
        if depth <= 0 or k < .45:
            return "%s %s %s" % (self.value(depth - 1), self.pick("== != > < >= <= == != =~ !~ in".split()), self.value(depth - 1))
        if k < .75:
            return "%s %s %s" % (self.test(depth - 1), self.pick(["&&", "||"]), self.test(depth - 1))
        if k < .85:
            return "!(" + self.test(depth - 1) + ")"
        if k < .93:
            return "(" + self.test(depth - 1) + ")"
        return "%s in (%s)" % (self.atom(), ", ".join(self.many(1, 4, self.atom)))

    # typed, so that most of it has a value
    def number(self, d):
        if d <= 0 or self.chance(.4):
            return self.pick(["0", "1", "2", "3.5", "10", "05", "0x10", "7", "64", "100000000000", "0.1"])
        k = self.r.random()
        if k < .6:
            return "%s %s %s" % (self.number(d - 1), self.pick("+ - * / % ** & | ^ << >>".split()), self.number(d - 1))
        if k < .8:
            return self.pick(["-", "~", "-"]) + "(" + self.number(d - 1) + ")"
        inner = self.number(d - 1)
        return self.pick(["(" + inner + ")", "(" + inner + ")", "(" + self.truth(d - 1) + " ? " + inner + " : 1)", "(" + inner + " ?? 2)"])

    def text(self, d):
        if d <= 0 or self.chance(.6):
            return self.pick(["heads", "tails", "foo", "a_b", "été", "Succeeded", "'x y'", '"10"', "'9'", '"a"', "''", '"a\\"b"', "'A-b'"])
        return self.pick(["%s + 'z'" % self.text(d - 1), "'n' + %s" % self.number(d - 1), "(%s)" % self.text(d - 1), "(%s ? %s : %s)" % (self.truth(d - 1), self.text(d - 1), self.text(d - 1))])

    def truth(self, d):
        if d <= 0 or self.chance(.15):
            return self.pick(["true", "false", "heads == heads", "1 < 2"])
        k = self.r.random()
        if k < .22:
            return "%s %s %s" % (self.number(d - 1), self.pick("== != > < >= <=".split()), self.number(d - 1))
        if k < .42:
            return "%s %s %s" % (self.text(d - 1), self.pick("== != > < >= <= =~ !~".split()), self.text(d - 1))
        if k < .5:
            return "%s %s %s" % (self.pick("'\"") .join(["", self.pick(self.dates), ""]), self.pick("== != > <".split()), self.pick("'\"").join(["", self.pick(self.dates), ""]))
        if k < .6:
            return "%s in (%s)" % (self.text(0), ", ".join(self.many(2, 4, lambda: self.text(0))))
        if k < .66:
            return "%s in (%s)" % (self.number(0), ", ".join(self.many(2, 4, lambda: self.number(0))))
        if k < .85:
            return "%s %s %s" % (self.truth(d - 1), self.pick(["&&", "||"]), self.truth(d - 1))
        return self.pick(["!(%s)", "(%s)", "(%s) == true", "(%s) != false"]) % self.truth(d - 1)

    def case(self):
        if self.chance(.6):
            return ["when", self.bent(self.truth(self.r.randint(1, 4)), .03)]
        text = self.test(self.r.randint(0, 3)) if self.chance(.85) else self.value(self.r.randint(0, 3))
        if self.chance(.2):
            text = text.replace(" ", self.pick(["", "  "]))
        text = self.bent(text, .1)
        if self.chance(.8):
            return ["when", text]
        return ["params", text, {"a": self.pick([1, 2.5, "s", True]), "b": 2, "foo": "foo", "x": True, "heads": "tails"}]


# ---- expr ----

class Expr(Gen):
    names = ["inputs.parameters.a", "inputs.parameters.b", "inputs.parameters['my-p']", "steps.s.outputs.parameters.p",
             "steps.s.outputs.nope", "workflow.name", "workflow.parameters.p2", "item", "item.x", "retries", "empty",
             "fromJSON(inputs.parameters.json)", "fromJSON(inputs.parameters.json).k", "workflow.parameters", "nosuch"]

    def lit_str(self):
        w = self.pick(WORDS + ["a,b,c", "2020-01-01", "1h30m", '{"a":1}', "[1,2]", "YWJj", "x<y&z", "héllo wörld", "(a)", "1.5"])
        return self.pick(["'%s'", '"%s"', "`%s`"]) % w.replace("\\", "").replace("'", "").replace('"', '\\"') if '"' not in w else "'" + w + "'"

    def int(self, d):
        k = self.r.random()
        if d <= 0 or k < .3:
            return self.pick(["0", "1", "2", "3", "7", "10", "-1", "100", "0x1F", "1_000", "0b11", "0o17", "9223372036854775807"])
        if k < .55:
            return "%s %s %s" % (self.int(d - 1), self.pick("+ - * %".split()), self.int(d - 1))
        if k < .6:
            return "(" + self.int(d - 1) + ")"
        return self.pick([
            lambda: "len(%s)" % self.pick([self.str, self.list, self.map])(d - 1),
            lambda: "int(%s)" % self.any(d - 1), lambda: "abs(%s)" % self.int(d - 1),
            lambda: "count(%s, %s)" % (self.list(d - 1), self.pred(d - 1)), lambda: "sum(%s)" % self.ints(d - 1),
            lambda: "indexOf(%s, %s)" % (self.str(d - 1), self.str(d - 1)),
            lambda: "lastIndexOf(%s, %s)" % (self.str(d - 1), self.str(d - 1)),
            lambda: "findIndex(%s, %s)" % (self.list(d - 1), self.pred(d - 1)),
            lambda: "findLastIndex(%s, %s)" % (self.list(d - 1), self.pred(d - 1)),
            lambda: "%s(%s, %s)" % (self.pick("bitand bitor bitxor bitnand bitshl bitshr bitushr".split()), self.int(d - 1), self.int(d - 1)),
            lambda: "bitnot(%s)" % self.int(d - 1), lambda: "%s(%s)" % (self.pick(["max", "min"]), ", ".join(self.many(1, 3, lambda: self.num(d - 1)))),
            lambda: "%s[%s]" % (self.ints(d - 1), self.int(d - 1)), lambda: "reduce(%s, #acc + #)" % self.ints(d - 1),
            lambda: "reduce(%s, #acc + # * #index, %s)" % (self.ints(d - 1), self.int(d - 1)),
            lambda: "asInt(%s)" % self.any(d - 1), lambda: "(%s ? %s : %s)" % (self.bool(d - 1), self.int(d - 1), self.int(d - 1)),
        ])()

    def num(self, d):
        k = self.r.random()
        if k < .5:
            return self.int(d)
        if d <= 0 or k < .65:
            return self.pick(["1.5", "0.1", ".5", "1e3", "2.0", "1e-7", "1e21", "123456789.25", "-0.0", "3.", "1e400"])
        return self.pick([
            lambda: "%s %s %s" % (self.num(d - 1), self.pick("+ - * / ** ^".split()), self.num(d - 1)),
            lambda: "-(%s)" % self.num(d - 1), lambda: "+%s" % self.num(0), lambda: "float(%s)" % self.any(d - 1),
            lambda: "%s(%s)" % (self.pick("ceil floor round abs".split()), self.num(d - 1)),
            lambda: "%s(%s)" % (self.pick("mean median sum max min".split()), self.ints(d - 1)),
            lambda: "%s(%s, %s)" % (self.pick("mean median max min".split()), self.num(d - 1), self.pick([self.num, self.ints])(d - 1)),
            lambda: "asFloat(%s)" % self.any(d - 1), lambda: "%s(%s, %s)" % (self.pick(["sum", "map", "count"]), self.ints(d - 1), self.pred(d - 1)),
        ])()

    def str(self, d):
        k = self.r.random()
        if d <= 0 or k < .35:
            return self.pick([self.lit_str, lambda: self.pick(self.names)])()
        return self.pick([
            lambda: "%s + %s" % (self.str(d - 1), self.str(d - 1)),
            lambda: "%s(%s)" % (self.pick("upper lower trim string type toJSON toJson toBase64 fromBase64".split()), self.any(d - 1) if self.chance(.3) else self.str(d - 1)),
            lambda: "trim(%s, %s)" % (self.str(d - 1), self.str(0)), lambda: "trimPrefix(%s, %s)" % (self.str(d - 1), self.str(0)),
            lambda: "trimSuffix(%s, %s)" % (self.str(d - 1), self.str(0)),
            lambda: "replace(%s, %s, %s)" % (self.str(d - 1), self.str(0), self.str(0)),
            lambda: "replace(%s, %s, %s, %s)" % (self.str(d - 1), self.str(0), self.str(0), self.int(0)),
            lambda: "repeat(%s, %s)" % (self.str(0), self.pick(["0", "1", "3", "-1"])),
            lambda: "join(%s)" % self.strs(d - 1), lambda: "join(%s, %s)" % (self.strs(d - 1), self.str(0)),
            lambda: "%s[%s:%s]" % (self.str(d - 1), self.pick(["", "1", "-2", "0"]), self.pick(["", "2", "-1", "9"])),
            lambda: "%s[%s]" % (self.strs(d - 1), self.int(0)), lambda: "string(%s)" % self.any(d - 1), lambda: "type(%s)" % self.any(d - 1),
            lambda: "toJSON(%s)" % self.any(d - 1), lambda: "(%s ?? %s)" % (self.any(d - 1), self.str(d - 1)),
            lambda: "(%s ? %s : %s)" % (self.bool(d - 1), self.str(d - 1), self.str(d - 1)),
            lambda: "if %s { %s } else { %s }" % (self.bool(d - 1), self.str(d - 1), self.str(d - 1)),
            lambda: "%s | %s()" % (self.str(d - 1), self.pick(["upper", "trim", "lower", "len", "string"])),
            lambda: "%s | split(%s) | join(%s)" % (self.str(d - 1), self.str(0), self.str(0)),
            lambda: "string(date(%s))" % self.pick(["'2020-01-02'", "'2020-01-02 03:04:05'", "'2020-01-02T03:04:05+02:00'", self.str(0)]),
            lambda: "date('2020-03-04').Format(%s)" % self.pick(["'2006-01-02'", "'Mon Jan _2 15:04:05 2006'", "'02 January 06 3PM .000'"]),
            lambda: "string(duration(%s))" % self.pick(["'1h'", "'1.5s'", "'-3m2s'", "'1us'", self.str(0)]),
        ])()

    def bool(self, d):
        k = self.r.random()
        if d <= 0 or k < .1:
            return self.pick(["true", "false"])
        return self.pick([
            lambda: "%s %s %s" % (self.any(d - 1), self.pick("== != == < > <= >=".split()), self.any(d - 1)),
            lambda: "%s %s %s" % (self.num(d - 1), self.pick("== != < > <= >=".split()), self.num(d - 1)),
            lambda: "%s %s %s" % (self.str(d - 1), self.pick("== != < >= contains startsWith endsWith in matches".split()), self.str(d - 1)),
            lambda: "%s not %s %s" % (self.str(d - 1), self.pick("contains startsWith endsWith in matches".split()), self.str(d - 1)),
            lambda: "%s matches %s" % (self.str(d - 1), self.pick(["'^h'", "'l+o$'", "'[a-c]'", "'('", "'(?i)FOO'", "'\\\\d+'", "`\\w+é`"])),
            lambda: "%s %s %s" % (self.bool(d - 1), self.pick(["&&", "||", "and", "or"]), self.bool(d - 1)),
            lambda: "%s(%s)" % (self.pick(["!", "not "]), self.bool(d - 1)),
            lambda: "%s %s %s" % (self.any(d - 1), self.pick(["in", "not in"]), self.pick([self.list, self.map])(d - 1)),
            lambda: "%s(%s, %s)" % (self.pick("all any none one".split()), self.list(d - 1), self.pred(d - 1)),
            lambda: "%s(%s, %s)" % (self.pick(["hasPrefix", "hasSuffix"]), self.str(d - 1), self.str(0)),
        ])()

    def pred(self, d):
        return self.pick([
            lambda: "# > %s" % self.num(0), lambda: "# == %s" % self.any(0), lambda: "{# %% 2 == 0}", lambda: "{#index > 0}",
            lambda: "len(#) > 1", lambda: "# in %s" % self.list(0), lambda: ".a == 1", lambda: "{let y = #; y != 2}",
            lambda: "{any(%s, # == 1)}" % self.list(0), lambda: "# != nil && # > 0", lambda: "string(#) contains '1'", lambda: self.bool(d),
        ])().replace("%%", "%")

    def mapper(self, d):
        return self.pick(["# * 2", "{# + 1}", "string(#)", "{#index}", "[#, #index]", "{\"k\": #}", "#", "type(#)", "upper(#)", ".a", "#.a", "{let z = # ; [z]}",
                          "map(1..2, #)", "nil", "# ?? 'd'", "-#", "{# == 1 ? 'one' : #}"]) if self.chance(.8) else self.any(d - 1)

    def ints(self, d):
        k = self.r.random()
        if k < .4:
            return "%s..%s" % (self.pick(["1", "0", "-1", "3"]), self.pick(["3", "1", "5", "10"])) if k < .15 else "[" + ", ".join(self.many(0, 4, lambda: self.int(0))) + "]"
        if d <= 0:
            return "[3, 1, 2]"
        return "(" + self.list(d) + ")" if k < .5 else "map(%s, len(string(#)))" % self.list(d - 1) if k < .7 else "[" + ", ".join(self.many(1, 4, lambda: self.num(d - 1))) + "]"

    def strs(self, d):
        return self.pick([lambda: "split(%s, %s)" % (self.str(0), self.str(0)), lambda: "[" + ", ".join(self.many(0, 3, self.lit_str)) + "]",
                          lambda: "keys(%s)" % self.map(d - 1), lambda: "map(%s, string(#))" % self.list(d - 1), lambda: "splitAfter(%s, ',', %s)" % (self.str(0), self.int(0)),
                          lambda: "split(%s, ',', %s)" % (self.str(0), self.pick(["0", "1", "2", "-1"]))])()

    def list(self, d):
        k = self.r.random()
        if d <= 0 or k < .25:
            return self.pick(["[1, 2, 3]", "['b', 'a']", "[1, 'a', nil]", "[]", "1..3", "[[1], [2, [3]]]", "[{\"a\": 1}, {\"a\": 2, \"b\": 'x'}]", "[true, 1.5]", "[2, 1, 2]"])
        return self.pick([
            lambda: "[" + ", ".join(self.many(0, 4, lambda: self.any(d - 1))) + "]", lambda: self.ints(d - 1), lambda: self.strs(d - 1),
            lambda: "filter(%s, %s)" % (self.list(d - 1), self.pred(d - 1)), lambda: "map(%s, %s)" % (self.list(d - 1), self.mapper(d - 1)),
            lambda: "sort(%s)" % self.list(d - 1), lambda: "sort(%s, %s)" % (self.list(d - 1), self.pick(["'asc'", "'desc'", "'up'"])),
            lambda: "sortBy(%s, %s)" % (self.list(d - 1), self.mapper(d - 1)), lambda: "sortBy(%s, %s, 'desc')" % (self.list(d - 1), self.mapper(d - 1)),
            lambda: "%s(%s)" % (self.pick("reverse uniq flatten values toPairs".split()), self.list(d - 1)),
            lambda: "values(%s)" % self.map(d - 1), lambda: "toPairs(%s)" % self.map(d - 1), lambda: "concat(%s)" % ", ".join(self.many(0, 3, lambda: self.list(d - 1))),
            lambda: "take(%s, %s)" % (self.list(d - 1), self.int(0)), lambda: "%s[%s:%s]" % (self.list(d - 1), self.pick(["", "1", "-2"]), self.pick(["", "2", "-1", "5"])),
            lambda: "fromJSON('[1, 2.5, \"x\", null, {\"a\": 1}]')", lambda: "%s | filter(%s)" % (self.list(d - 1), self.pred(d - 1)), lambda: "%s | map(%s)" % (self.list(d - 1), self.mapper(d - 1)),
        ])()

    def map(self, d):
        k = self.r.random()
        if d <= 0 or k < .35:
            return self.pick(["{\"a\": 1, \"b\": 'x'}", "{}", "{a: 1}", "item", "workflow.parameters", "{\"x\": nil}", "fromJSON(inputs.parameters.json)", "{1: 2}", "{(\"a\" + \"b\"): 3}"])
        return self.pick([
            lambda: "{" + ", ".join(self.many(0, 3, lambda: "%s: %s" % (self.pick(['"a"', "b", "'c'", '"é"']), self.any(d - 1)))) + "}",
            lambda: "groupBy(%s, %s)" % (self.list(d - 1), self.mapper(d - 1)), lambda: "fromPairs(toPairs(%s))" % self.map(d - 1), lambda: "fromPairs([['k', %s]])" % self.any(d - 1),
            lambda: "fromJSON('{\"a\":[1,{\"b\":2}]}')",
        ])()

    def any(self, d):
        k = self.r.random()
        if k < .2:
            return self.pick(self.names)
        if d <= 0 or k < .7:
            return self.pick([self.int, self.num, self.str, self.bool, self.list, self.map])(d)
        return self.pick([
            lambda: "(%s ?? %s)" % (self.any(d - 1), self.any(d - 1)), lambda: "%s?.a" % self.map(d - 1), lambda: "%s.a" % self.map(d - 1), lambda: "%s?.a?.b" % self.any(d - 1),
            lambda: "%s(%s)" % (self.pick("first last".split()), self.list(d - 1)), lambda: "get(%s, %s)" % (self.pick([self.map, self.list])(d - 1), self.any(0)),
            lambda: "%s(%s, %s)" % (self.pick(["find", "findLast"]), self.list(d - 1), self.pred(d - 1)), lambda: "let v = %s; %s" % (self.any(d - 1), self.pick(["v", "v + v", "[v]", "v == v", "string(v)"])),
            lambda: "(let v = %s; %s)" % (self.any(d - 1), self.any(d - 1)), lambda: "%s[%s]" % (self.any(d - 1), self.any(0)), lambda: "%s?.[%s]" % (self.any(d - 1), self.any(0)),
            lambda: "nil", lambda: "%s ? %s : %s" % (self.bool(d - 1), self.any(d - 1), self.any(d - 1)), lambda: "%s ?: %s" % (self.any(d - 1), self.any(d - 1)),
            lambda: "%s %s %s" % (self.any(d - 1), self.pick("+ - * / % ** .. == < and or in ?? | ^".split()), self.any(d - 1)), lambda: "-%s" % self.any(d - 1), lambda: "!%s" % self.any(d - 1),
            lambda: "duration('1h') + duration('30m')", lambda: "date('2020-01-02') + duration('36h')", lambda: "date('2020-01-02') - date('2020-01-01')", lambda: "(%s)" % self.any(d - 1),
            lambda: "date('2020-01-02').%s()" % self.pick("Year Month Day Weekday YearDay Unix Hour UTC UnixNano Foo".split()), lambda: "duration('90m').%s()" % self.pick("Hours Minutes Seconds String Milliseconds Foo".split()),
            lambda: "%s(%s)" % (self.pick("len type keys values first last sort uniq reverse string int float abs toJSON toPairs flatten sum mean".split()), self.any(d - 1)),
        ])()

    def case(self):
        return ["expr", self.bent(self.any(self.r.randint(1, 4)), .06)]


# ---- sprig, from a table of argument kinds (src/lang/sprig.def) ----

class Sprig(Expr):
    musts = set("toJson toPrettyJson toRawJson fromJson first last rest initial append prepend reverse uniq without has slice chunk compact regexMatch regexFind regexFindAll regexReplaceAll regexSplit merge mergeOverwrite".split())
    skip = {"bcrypt", "htpasswd", "encryptAES", "genPrivateKey", "genCA", "genSelfSignedCert", "derivePassword", "randInt", "randAlphaNum", "randAlpha", "randNumeric", "randAscii", "randBytes", "shuffle", "uuidv4", "now", "ago"}

    def __init__(self, seed, table):
        super().__init__(seed)
        self.table = [row[:2] for row in table if row[0] not in self.skip and row[2] != "sprig_refused" and not row[0].startswith("must")]

    numbers = ["-9223372036854775808", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "-0x8000000000000000", "0x_f", "1_000", "1__0",
               "0b101", "0o17", "017", "09", "1.9", "-1.9", ".5", "1.", "1e3", "+7", "--7", "-1000000000000000000000", "1000000000000000000000", "0", "-0", "00", "0x", "１", " 1",
               "777777777777777777777", "777777777777777777777z", "1777777777777777777777", "-777777777777777777777", "inf", "nan", "0x1p-2", "1e400", "-1e400", "5e-324"]

    def arg(self, letter):
        if letter == "a" and self.chance(.15):
            return "'%s'" % self.pick(self.numbers)
        if letter != "t" and self.chance(.06):
            return self.any(1)
        return {"s": lambda: self.pick([self.lit_str(), self.lit_str(), "'foo bar baz'", "'a.b/c.txt'", "'1.2.3'", "'^1.2'", "'snake_case word'", "'CamelCase'", "'-1.5h'", "'2006-01-02'", "'12'", "'0x1f'", "'017'"]),
                "i": lambda: self.pick(["0", "1", "2", "3", "5", "-1", "7", "20"]), "f": lambda: self.pick(["0.5", "1.5", "2"]),
                "b": lambda: self.pick(["true", "false"]), "l": lambda: self.list(1), "m": lambda: self.pick(["{\"a\": 1, \"b\": 'x'}", "{}", "sprig.dict('a', 1)", "item", "{\"a\": {\"b\": 2}}"]),
                "c": lambda: self.pick(["nil", "item"]), "u": lambda: self.pick(["nil", "1"]),
                "t": lambda: self.pick(["date('2020-01-02 03:04:05')", "sprig.toDate('2006-01-02', '2021-05-06')"]),
                "a": lambda: self.pick([self.int, self.num, self.str, self.list, self.map, self.bool])(1 if self.chance(.3) else 0)}[letter]()

    def case(self):
        name, spec = self.pick(self.table)
        if self.chance(.05) and name in self.musts:
            name = "must" + name[0].upper() + name[1:]
        args = []
        for i, letter in enumerate(spec):
            if letter in "?*":
                continue
            mark = spec[i + 1] if i + 1 < len(spec) else ""
            if mark == "?" and self.chance(.5):
                break
            if letter == "a" and "date" in name.lower():
                letter = "t"  # anything else means the present time
            if letter == "s" and "zone" in name.lower() and i:
                args.append("'%s'" % self.pick(["UTC", "", "Local", "+02:00", "-0700", "../UTC", "/etc/localtime", "a b", "Utc", "GMT", "Europe/Berlin"]))
                continue
            args += [self.arg(letter) for _ in range(self.r.randint(0, 3) if mark == "*" else 1)]
        if self.chance(.02):
            args = args[:-1]
        return ["expr", "sprig.%s(%s)" % (name, ", ".join(args))]


# ---- sprig's versions, URLs, passwords and certificates ----

class Objects(Gen):
    """What gives the same answer each time."""
    words = ["alpha", "beta.1", "rc-1", "0", "01", "1", "10", "x", "a-b", "-", "a.b.c", "99999999999999999999", "", "a..b", "é"]

    def number(self):
        return self.pick(["0", "1", "1", "2", "2", "3", "10", "12", "01", "18446744073709551616", "4294967296"] if self.chance(.1) else ["0", "1", "2", "3", "10"])

    def version(self):
        text = self.pick(["", "", "", "v", "V", " "] if self.chance(.15) else [""]) + ".".join(self.number() for _ in range(self.pick([3, 3, 3, 2, 1, 4] if self.chance(.4) else [3])))
        if self.chance(.3):
            text += "-" + self.pick(self.words)
        return text + ("+" + self.pick(self.words) if self.chance(.15) else "")

    def constraint(self):
        k = self.r.random()
        if k < .12:
            return "%s%s%s" % (self.version(), self.pick([" - ", " - ", "  -  ", " -", "-"]), self.version())
        parts = [self.number() if self.chance(.8) else self.pick("xX*|") for _ in range(self.pick([3, 3, 2, 1]))]
        tail = "-" + self.pick(self.words) if self.chance(.15) else "+b" if self.chance(.05) else ""
        op = self.pick(["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^", "^", "~", "!=", ">", "<="] if self.chance(.97) else ["==", "><", "!", ">>"])
        return op + self.pick(["", "", " "]) + (self.pick(["v", ""]) if self.chance(.1) else "") + ".".join(parts) + tail

    def constraints(self):
        glue = lambda: self.pick([", ", " ", ",", " || ", "||", " , "] if self.chance(.97) else [";", "  ", " && ", ""])
        text = self.constraint()
        for _ in range(self.pick([0, 0, 1, 1, 2, 3])):
            text += glue() + self.constraint()
        return self.bent(text, .03)

    def quoted(self, text):
        return json.dumps(text, ensure_ascii=False)

    def semver(self):
        v = "sprig.semver(%s)" % self.quoted(self.bent(self.version(), .03))
        k = self.r.random()
        if k < .5:
            return v + "".join(".%s()" % self.pick(["IncMajor", "IncMinor", "IncPatch"]) for _ in range(self.pick([0, 0, 1, 2]))) + self.pick(["", ".%s()" % self.pick("String Prerelease Metadata Original Value Nope".split())])
        other = "sprig.semver(%s)" % self.quoted(self.version())
        if k < .8:
            return "%s.%s(%s)" % (v, self.pick("Compare Equal LessThan LessThanEqual GreaterThan GreaterThanEqual".split()), self.pick([other, other, other, "nil", "'1.2.3'", other + ".IncMajor()"]))
        if k < .9:
            return "%s.%s(%s)" % (v, self.pick(["SetPrerelease", "SetMetadata"]), self.quoted(self.pick(self.words)))
        return self.pick(["%s == %s", "[%s, %s]", "%s in [%s]", "{\"a\": %s, \"b\": string(%s)}", "sprig.toJson([%s, sprig.kindOf(%s)])", "sprig.deepEqual(%s, %s)", "%s < %s", "sprig.empty(%s) ? 1 : len(%s)"]) % (v, other)

    def url(self):
        piece = lambda: "".join(self.many(0, 4, lambda: self.pick(["a", "b", "x.y", "-", "_", "~", "!", "$", "&", "'", "(", "*", "+", ",", ";", "=", ":", "@", "%20", "%41", "%2f", "%e9", "é", " ", "%", "%zz", "[", "]", "|", "\"", "<", "^", "`", "{", "\t"] if self.chance(.5) else ["a", "b", "1", "c"])))
        host = self.pick(["host", "h.example", "127.0.0.1", "[::1]", "[fe80::1%25eth0]", "[::ffff:1.2.3.4]", "[1.2.3.4]", "[::1", "[x]", "[1::2::3]", "", "a:b", "::1", "é", "%C3%A9", "h%41", "[::1%25]", "[1:2:3:4:5:6:7:8]", "HOST"])
        port = self.pick(["", "", ":80", ":", ":x", ":8a"])
        text = self.pick(["http://", "https://", "s3://", "HTTP://", "//", "mailto:", "", "", "a+b-c.d:", "1a:", ":", "/", "///", "x:/", "postgres://"])
        if self.chance(.3):
            text += piece() + self.pick(["@", ":" + piece() + "@"])
        text += self.pick([host, host + port, piece()])
        if self.chance(.6):
            text += self.pick(["/", ""]) + piece() + self.pick(["", "/" + piece()])
        return text + self.pick(["", "", "?", "?" + piece(), "??"]) + self.pick(["", "", "#", "#" + piece()])

    def join(self):
        fields = {k: self.pick([self.url(), "http", "", "/a b", "x:y", "a@b:c", "*", "é/%"]) for k in self.r.sample("scheme host path query opaque fragment userinfo hostname".split(), self.r.randint(0, 6))}
        if self.chance(.6):
            fields.pop("opaque", None)
        text = ", ".join('"%s": %s' % (k, self.quoted(v) if self.chance(.98) else self.pick(["1", "nil", "[]"])) for k, v in fields.items())
        return "sprig.urlJoin({%s})" % text if self.chance(.7) else "sprig.urlJoin(sprig.urlParse(%s))" % self.quoted(self.url())

    def secret(self):
        text = lambda: self.quoted(self.pick(["", "a", "pass", "été", "a:b", "x" * 72, "long text of some blocks " * 3]))
        return self.pick([
            lambda: "sprig.derivePassword(%s, %s, %s, %s, %s)" % (self.pick(["nil"] * 12 + ["1"]), self.quoted(self.pick("maximum long medium short basic pin other".split())), text(), text(), text()),
            lambda: "sprig.decryptAES(%s, sprig.encryptAES(%s, %s))" % ((lambda w: (w, w, text()))(text())),
            lambda: "sprig.decryptAES(%s, %s)" % (text(), self.quoted(self.pick(["", "x", "MDEyMzQ1Njc4OWFiY2RlZg==", "IJWxfkhHCTX4FdRhzSwLoX5EIbXCDX63HrlMLqYsMGE=", "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=", "aGFsbG8=", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ=="]))),
            lambda: "sprig.htpasswd('a:b', %s)" % text(), lambda: "sprig.bcrypt(%s)" % self.quoted("y" * self.pick([73, 100])), lambda: "sprig.genPrivateKey('dh')",
            lambda: "sprig.buildCustomCert(%s, %s)" % (text(), text()), lambda: "sprig.genCAWithKey('a', 1, %s)" % text(), lambda: "sprig.genSignedCert('a', nil, nil, 1, %s)" % self.pick(["nil", "'x'", "{}", "1"]),
            lambda: "sprig.genSelfSignedCertWithKey('a', %s, %s, 1, sprig.genPrivateKey(%s)).%s" % (self.pick(["['x']", "[1]", "'x'", "['1.2.3']", "['::1%x']"]), self.pick(["nil", "[1]", "'y'", "['é']"]), self.quoted(self.pick(["ecdsa", "ed25519"])), self.pick(["Key", "key", "Cert"])),
        ])()

    def case(self):
        return ["expr", self.pick([lambda: "sprig.semverCompare(%s, %s)" % (self.quoted(self.constraints()), self.quoted(self.version()))] * 6
                                  + [self.semver] * 3 + [lambda: "sprig.urlParse(%s)" % self.quoted(self.url())] * 4 + [self.join] * 3 + [self.secret])()]


class Keys(Objects):
    """What is another each time: the oracle describes both answers. ["expr", TEXT, PASSWORD]"""

    def lists(self):
        ips = self.pick(["nil", "[]", "['10.0.0.1']", "['::1', '192.168.0.1']", "['::ffff:1.2.3.4', 'fe80::1']"])
        return "%s, %s" % (ips, self.pick(["nil", "[]", "['a.example']", "['b.example', '*.c']", "['a b', '']"]))

    def key(self):
        return "sprig.genPrivateKey('%s')" % self.pick(["ecdsa", "ed25519", "ed25519", "ecdsa"] if self.chance(.95) else ["dsa"])

    def cert(self):
        cn = self.quoted(self.pick(["ca", "My CA", "été", "a*b", "a&b", "", "x" * 100, "a_b"]))
        days = self.pick(["1", "365", "0", "-5", "9000", "40000", "106751", "200000", "-200000", "9223372036854775807"])
        args = "%s, %s, %s" % (cn, self.lists(), days)
        return self.pick([
            lambda: "sprig.genCAWithKey(%s, %s, %s)" % (cn, days, self.key()), lambda: "sprig.genSelfSignedCertWithKey(%s, %s)" % (args, self.key()),
            lambda: "let ca = sprig.genCAWithKey(%s, 30, %s); [ca, sprig.genSignedCertWithKey(%s, ca, %s)]" % (self.pick([cn, "'root'"]), self.key(), args, self.key()),
            lambda: "let ca = sprig.genSelfSignedCertWithKey('self', nil, nil, 30, %s); [ca, sprig.genSignedCertWithKey(%s, ca, %s)]" % (self.key(), args, self.key()),
            lambda: "let c = sprig.genCAWithKey(%s, 3, %s); sprig.buildCustomCert(sprig.b64enc(c.Cert), sprig.b64enc(c.Key))" % (cn, self.key()),
            lambda: self.pick(["sprig.genCA(%s, %s)" % (cn, days), "sprig.genSelfSignedCert(%s)" % args, "let ca = sprig.genCA('r', 2); [ca, sprig.genSignedCert(%s, ca)]" % args]) if self.chance(.2) else self.key(),
        ])()

    def case(self):
        word = self.pick(["pass", "", "été", "x" * 72, "\xff\xfe" * 3, "p" * 40])
        text = self.pick([self.cert] * 12 + [lambda: "sprig.bcrypt(%s)" % self.quoted(word), lambda: "sprig.htpasswd('user', %s)" % self.quoted(word),
                                            lambda: "sprig.encryptAES(%s, %s)" % (self.quoted(word), self.quoted(self.pick(["", "a", "16 bytes of text", "more " * 20]))),
                                            lambda: "sprig.genPrivateKey(%s)" % self.quoted(self.pick(["ecdsa", "ed25519", "nope"]) if self.chance(.95) else self.pick(["rsa", "", "dsa"])),
                                            lambda: "sprig.randBytes(%d)" % self.pick([0, 1, 12, 13]), lambda: "sprig.uuidv4()"])()
        return ["expr", text, word]


# ---- tags ----

class Tags(Expr):
    keys = list(ENV) + ["nope", "steps.x.outputs.result", "tasks.u.status", "steps.x.outputs.artifacts.a", "inputs.parameters.zz",
                        "workflow.failures", "item", "lastRetry.status"]

    def simple(self):
        return self.pick(["{{%s}}", "{{%s}}", "{{ %s }}", "{{%s }}"]) % self.pick(self.keys)

    def piece(self):
        k = self.r.random()
        if k < .25:
            return self.pick(["text", " ", "{", "}", "{{", "}}", "\"", "\\", "\n", "<&>", "é", "'", "{{}}", "{{=}}", "{{{", "}}}"])
        if k < .65:
            return self.simple()
        if k < .75:
            return self.pick(["{{inputs.parameters.{{which}}}}", "{{inputs.parameters.{{empty}}}}", "{{inputs.parameters.{{nope}}}}", "{{a {{which}} c}}", "{{inputs.parameters.{{steps.s.outputs.parameters.p}}}}",
                              "{{x{{y{{which}}}}}}", "{{ {{which}} }}"])
        name = self.pick(["inputs.parameters.a", "nope", "nope.x", "steps.x.y", "tasks.u", "item", "item.x", "item.z", "retries", "lastRetry.status", "workflow.status", "workflow.failures", "workflow.name",
                          "steps.s.outputs.parameters.p", "steps.s.outputs.result", "steps.s.nope.x", "which", "workflow.parameters", "odd", "inputs.parameters['my-p']"])
        return self.pick(["{{=%s}}", "{{= %s }}", "{{=%s ?? 'd'}}", "{{=%s?.q ?? 'd'}}", "{{=asInt(%s) + 1}}", "{{=%s == '5' ? 'y' : 'n'}}", "{{=[%s]}}", "{{=toJson(%s)}}", "{{=len(%s)}}",
                          "{{=%s + '\"<é'}}", "{{=true ? 'x' : %s}}", "{{={\"a\": %s}}}", "{{=sprig.upper(%s)}}", "{{=sprig.semver(%s)}}", "{{=sprig.semver('1.' + %s).IncPatch()}}", "{{=sprig.urlParse(%s)}}", "{{=sprig.genCA}}", "{{=1 / 2}}", "{{=nil}}", "{{=%s.x ?? nosuch ?? 'd'}}", "{{=map([%s], #)}}",
                          "{{=let q = %s; q}}", "{{=(%s ?? 'a').b}}", "{{=%s +}}"]).replace("%s", name)

    def case(self):
        return ["tags", "".join(self.many(1, 4, self.piece)), self.pick(["leave", "fail", "prefixes"])]


# ---- depends ----

class Depends(Gen):
    tasks = {"a": "Succeeded", "b": "Failed", "c-1": "Skipped", "d": "Error", "e": "Omitted", "f2": "Daemoned"}

    def term(self, d):
        k = self.r.random()
        if d <= 0 or k < .4:
            name = self.pick(list(self.tasks) if self.chance(.97) else ["true", "zz", "not", "and", "1a"])
            return name if self.chance(.4) else name + "." + self.pick("Succeeded Failed Errored Skipped Omitted Daemoned AnySucceeded AllFailed".split() if self.chance(.97) else ["Done", "succeeded", ""])
        if k < .55:
            return self.pick(["!", "! "]) + self.term(d - 1)
        if k < .7:
            return "(" + self.term(d - 1) + ")"
        return "%s%s%s" % (self.term(d - 1), self.pick([" && ", " || ", "&&", "||"] if self.chance(.98) else [" and ", " or ", " ", " == "]), self.term(d - 1))

    def case(self):
        return ["depends", self.bent(self.term(self.r.randint(0, 4)), .04), self.tasks]


# ---- paths ----

DOCS = ['{"kind":"List","n":1,"f":2.5,"t":true,"z":null,"s":"x y","items":[{"name":"a","age":3,"tags":["p","q"],"m":{"k":"v"}},{"name":"b","age":10},{"name":"c","age":7,"tags":[]}],"m":{"x.y":1,"k":"v","deep":{"name":"d"}},"e":[],"o":{}}']


class Path(Gen):
    def names(self):
        return self.pick(["items", "name", "age", "tags", "m", "k", "deep", "n", "f", "t", "z", "s", "e", "o", "nope", "kind"])

    def filter(self):
        left = self.pick(["@.name", "@.age", "@.tags", "@", "@.m.k", "$.n", "@.nope"])
        if self.chance(.25):
            return left
        return "%s%s%s" % (left, self.pick([" == ", "==", "!=", ">", "<", ">=", "<="]), self.pick(['"a"', "'b'", "3", "7", "true", "@.age", "2.5", "null", "-1"]))


class Kubectl(Path):
    def step(self):
        k = self.r.random()
        if k < .45:
            return "." + self.names()
        if k < .6:
            return "[%s]" % self.pick(["0", "1", "-1", "5", "*", "0:2", ":1", "-2:", "::2", "0,1", "1:", "a", "2:1", "0:3:2"])
        if k < .7:
            return "[?(%s)]" % self.filter()
        if k < .8:
            return self.pick(["['name']", "['name','age']", "['k']", "['x.y']", "[\"name\"]"])
        return self.pick(["..", "..name", ".*", "..age", ".x\\.y", "[*]"])

    def path(self):
        return self.pick(["", "", "$", "@"]) + "".join(self.many(1, 4, self.step))

    def block(self):
        k = self.r.random()
        if k < .7:
            return "{" + self.path() + "}"
        if k < .85:
            return "{range %s}%s{end}" % (self.pick([".items[*]", ".items", ".m", ".items[*].tags", ".e[*]"]), "".join(self.many(1, 2, self.inner)))
        return self.pick(['{"\\n"}', "{'x'}", "text", '{"a\\tb"}', "\\n", "{.n} {.s}", "{end}", "{1}", "{true}", "{.items[*]['name','age']}"])

    def inner(self):
        return self.pick(["{.name}", "{.age}", '{"\\n"}', "{.tags[*]}", "-", "{@}", "{.m.k}", "{$.n}", "{range .tags[*]}{@}{end}"])

    def case(self):
        return ["kubectl", self.bent("".join(self.many(1, 3, self.block)), .03), self.pick(DOCS)]


class Jsonpath(Path):
    def script(self, d=2):
        k = self.r.random()
        if d <= 0 or k < .35:
            return self.pick(["@.name", "@.age", "@.tags", "@", "@.m.k", "$.n", "@.nope", "'a'", '"b"', "3", "7", "true", "false", "null", "2.5", "@.length", "nil", "x", "@['age']", "[1,3,\"a\"]", "$.items[0].age", "-1"])
        if k < .75:
            return "%s%s%s" % (self.script(d - 1), self.pick([" == ", "==", "!=", ">", " < ", ">=", "<=", " && ", "||", " =~ ", " in ", " not in ", "+", " - ", "*", "/", "%", "**"]), self.script(d - 1))
        return self.pick(["!%s", "(%s)", "!(%s)", "%s"]) % self.script(d - 1)

    def step(self):
        k = self.r.random()
        if k < .45:
            return "." + self.names()
        if k < .65:
            return "[%s]" % self.pick(["0", "1", "-1", "5", "*", "0:2", ":1", "-2:", "::2", "0,1", "1:", "2:0:-1", "0:3:2", "-1:-3:-1", "1:2:0"])
        if k < .78:
            return "[?(%s)]" % self.pick([self.filter, self.script])()
        if k < .9:
            return self.pick(["['name']", "['name','age']", "['k']", "['x.y']", '["name"]', "[(@.length-1)]", "['items']", "[(%s)]" % self.script(1), "[(%s):2]" % self.script(1), "[0,(%s)]" % self.script(0)])
        return self.pick(["..name", ".*", "..age", "..*", ".length", "..tags[0]"])

    def case(self):
        start = self.pick(["$", "$.items", "$.items[*]", "$.items[0]", "$.m", "$..items", "@", ""])
        path = self.bent(start + "".join(self.many(1, 3, self.step)), .03)
        quoted = json.dumps(path, ensure_ascii=False)
        return ["expr", "jsonpath('%s', %s)" % (self.pick(DOCS), quoted)]


# ---- jq, over an object as resource templates have it ----

class Jq(Gen):
    docs = ['{"metadata":{"name":"a","generation":3,"labels":{"x":"1"},"uid":"u<1>"},"status":{"phase":"Bound","big":12345678901234567890,"odd":9007199254740993,"f":1.5,"s":0.1,'
            '"tiny":1e-9,"list":[3,1,2],"nil":null,"ok":true,"conds":[{"type":"Ready","status":"True"},{"type":"Other","status":"False","n":2}]},"e":{},"l":[]}']

    def path(self):
        return self.pick([".metadata.name", ".metadata.generation", ".status.phase", ".status.big", ".status.odd", ".status.f", ".status.s", ".status.list", ".status.list[]", ".status.list[1]", ".status.list.[0]",
                          ".status.conds[].type", ".status.conds", ".status.ok", ".status.nil", ".nope", ".nope.x", ".metadata.labels", ".metadata.labels.x", ".e", ".l", ".", ".status.tiny", ".metadata.uid", ".status.list[-1:]"])

    def number(self):
        return self.pick(["0", "1", "2", "10", "1.5", "0.1", "100", "1e3", "4503599627370496"])

    def value(self, d):
        k = self.r.random()
        if d <= 0 or k < .35:
            return self.pick([self.path, self.path, self.number, lambda: self.pick(['"a"', '"x<y"', '"12"', "null", "true", "[]", "{}"])])()
        return self.pick([
            lambda: "(%s %s %s)" % (self.value(d - 1), self.pick("+ - * / == != < <= > >= // and or , |".split()), self.value(d - 1)),
            lambda: "(%s | %s)" % (self.value(d - 1), self.pick(["length", "tostring", "type", "floor", "keys", "map(.)", "first", "last", "add", "sort", "unique", "reverse", "not", "tojson", "@json", "@text", "@base64",
                                                                "ascii_downcase", "select(. != null)", "tonumber", "to_entries", "max", "min", "any", "all", "flatten", "join(\",\")", "split(\",\")", "has(\"x\")", "test(\"a\")", "empty", "values", "trim", "abs", "toarray", "@csv", "@sh", "ascii", "isvalid(.x)"])),
            lambda: "[%s]" % self.value(d - 1), lambda: "{a: %s}" % self.value(d - 1), lambda: "(if %s then %s else %s end)" % (self.value(d - 1), self.value(d - 1), self.value(d - 1)), lambda: "(if %s then %s end)" % (self.value(d - 1), self.value(d - 1)),
            lambda: '"v=\\(%s)"' % self.value(d - 1), lambda: "(try %s catch 0)" % self.value(d - 1), lambda: "(%s)?" % self.value(d - 1), lambda: "(.status.conds[] | select(.type == \"Ready\") | %s)" % self.pick([".status", ".n", "."]),
            lambda: "(%s as $x | [$x, $x])" % self.value(d - 1), lambda: "[limit(2; %s)]" % self.value(d - 1), lambda: "reduce %s as $i (0; . + 1)" % self.path(),
        ])()

    def case(self):
        return ["jq", self.bent(self.value(self.r.randint(0, 3)), .01), self.pick(self.docs)]


# ---- regular expressions ----

class Regex(Gen):
    def piece(self, d):
        k = self.r.random()
        if d <= 0 or k < .45:
            return self.pick(["a", "b", ".", "^", "$", "\\d", "\\w", "\\s", "\\b", "\\B", "[a-c]", "[^a]", "[[:alpha:]]", "\\.", "é", "\\x41", "\\pL", "\\p{Lu}", "\\PN", "[\\d_]", "x", "\\n", " ", "\\z", "\\A", "\\D", "\\W",
                              "\\Qa.b\\E", "[]a]", "[a-]", "\\x{e9}", "\\S", "[^\\s]", "\\t", "\\Z", "\\1", "[z-a]", "\\C", "\\p{Greek}"])
        if k < .65:
            return self.piece(d - 1) + self.pick(["*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "*?", "+?", "??", "{2}?", "**", "*+"])
        if k < .85:
            return self.pick(["(", "(?:", "(?i)(", "(?P<n>", "(?<m>", "(?s:", "(?U:", "(?m:", "(?-i:", "(?=", "(?!", "(?>"]) + self.pattern(d - 1) + ")"
        return self.pattern(d - 1) + "|" + self.pattern(d - 1)

    def pattern(self, d):
        return "".join(self.many(0, 3, lambda: self.piece(d)))

    def case(self):
        text = "".join(self.many(0, 8, lambda: self.pick(["a", "b", "x", "é", "A", "1", " ", "\n", ".", "_", "C"])))
        return ["regex", self.bent(self.pattern(2), .03), text]


# ---- cron ----

class Cron(Gen):
    zones = ["UTC", "America/New_York", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran",
             "Europe/Dublin", "America/St_Johns", "Antarctica/Troll", "Asia/Gaza", "Atlantic/Azores", "Pacific/Chatham", "Nowhere/Land"]

    def field(self, low, high, names=()):
        def one():
            k = self.r.random()
            if k < .35:
                return "*"
            v = lambda: str(self.r.randint(low, high)) if not names or self.chance(.7) else self.pick(names)
            if k < .6:
                return v()
            if k < .75:
                return "%s-%s" % (v(), v())
            if k < .9:
                return self.pick(["*", v(), "%s-%s" % (low, high)]) + "/" + self.pick(["2", "5", "15", "1", "0", "7", "100"])
            return self.pick(["?", v(), str(high + 1), "", "x", "-1", "*-3", "1/2/3"])
        return ",".join(self.many(1, 2 if self.chance(.2) else 1, one))

    def case(self):
        k = self.r.random()
        days = ["sun", "MON", "Tue", "wed", "THU", "fri", "sat"]
        months = "jan FEB Mar apr may jun jul aug sep oct nov DEC".split()
        if k < .1:
            spec = self.pick(["@every 1h", "@every 90m", "@every 1.5s", "@every 500ms", "@every -1s", "@every", "@every x", "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@reboot", "@Daily"])
        elif k < .4:
            spec = "%s %s * * *" % (self.pick(["0", "30", "*/30", "15", "*/20", "45", "5"]), self.pick(["0", "1", "2", "3", "*", "*/2", "1-3", "23"]))
        else:
            spec = " ".join([self.field(0, 59), self.field(0, 23), self.field(1, 31), self.field(1, 12, months), self.field(0, 6, days)])
        if self.chance(.03):
            spec = self.pick([spec + " *", spec.rsplit(" ", 1)[0], " " + spec, spec.replace(" ", "  "), ""])
        if self.chance(.75):
            spec = self.pick(["CRON_TZ=", "TZ="]) + self.pick(self.zones if self.kept or self.chance(.6) else ZONES) + " " + spec
        at = self.r.choice([self.r.randint(1500000000, 1900000000), self.pick([1772953200, 1793509200, 1774746000, 1792890000, 1541300000, 1775311200, 1791036000]) + self.r.randint(-90000, 90000)])
        return ["cron", self.bent(spec, .01), at, 6]


ZONES = sorted(zoneinfo.available_timezones())
