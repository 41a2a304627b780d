"""The commands of simulated steps: a shell so small that both judges can have it. README.md section 2.1; shell.c is the other."""
import re

END = ";\n&|"


class Run:
    """One command at work: what it printed, wrote and slept."""

    def __init__(self):
        self.took_us, self.code, self.out, self.files = 0, 0, "", {}


class Reader:
    def __init__(self, text):
        self.text, self.at = text, 0

    def more(self):
        return self.at < len(self.text)

    def blanks(self):
        while self.more() and self.text[self.at] in " \t":
            self.at += 1

    def quoted(self, quote):
        out = ""
        while self.more() and self.text[self.at] != quote:
            c = self.text[self.at]
            self.at += 1
            if c == "\\" and quote == '"' and self.more() and self.text[self.at] in '"\\$`':
                c = self.text[self.at]
                self.at += 1
            out += c
        self.at += 1
        return out

    def word(self):
        out = ""
        while self.more() and self.text[self.at] not in " \t>" + END:
            c = self.text[self.at]
            self.at += 1
            if c in "'\"":
                out += self.quoted(c)
            elif c == "\\" and self.more():
                out += self.text[self.at]
                self.at += 1
            else:
                out += c
        return out

    def simple(self):
        """(words, file its output goes to or None, whether it is appended)"""
        words, to, append = [], None, False
        self.blanks()
        while self.more() and self.text[self.at] not in END:
            if self.text[self.at] == ">":
                self.at += 1
                append = self.text[self.at:self.at + 1] == ">"
                self.at += append
                self.blanks()
                to = self.word()
            else:
                words.append(self.word())
            self.blanks()
        return words, to, append

    def separator(self):
        if not self.more():
            return ""
        c = self.text[self.at]
        self.at += 2 if c in "&|" and self.text[self.at + 1:self.at + 2] == c else 1
        return ";" if c == "\n" else c


def duration_us(text):
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], None)
    return int(float(text[:-1] if unit else text) * (unit or 1) * 1e6 + 0.5)


def command(run, words):
    """(status, output)"""
    name, rest = words[0], words[1:]
    if name in ("true", ":", "false"):
        return int(name == "false"), ""
    if name == "sleep":
        run.took_us += duration_us(rest[0]) if rest else 0
        return 0, ""
    if name in ("echo", "printf"):
        bare = name == "printf" or rest[:1] == ["-n"]
        return 0, " ".join(rest[1:] if rest[:1] == ["-n"] else rest) + ("" if bare else "\n")
    if name == "cat" and rest:
        return (0, run.files[rest[0]]) if rest[0] in run.files else (1, "")
    if name == "test" and len(rest) == 3:
        return int((rest[0] == rest[2]) == (rest[1] == "!=")), ""
    return 127, ""


def execute(run, words, to, append):
    run.code, out = command(run, words)
    if to is None:
        run.out += out
    else:
        run.files[to] = (run.files.get(to, "") if append else "") + out


def script(run, text):
    reader, before = Reader(text), ";"
    while before:
        words, to, append = reader.simple()
        goes = before == ";" or (run.code == 0) == (before == "&")
        if words and goes and words[0] == "exit":
            run.code = int(words[1]) if len(words) > 1 and re.fullmatch(r"\d+", words[1]) else run.code
            return
        if words and goes:
            execute(run, words, to, append)
        before = reader.separator()


def run_template(tmpl):
    run = Run()
    if "script" in tmpl:
        script(run, tmpl["script"]["source"])
        return run
    words = [str(w) for key in ("command", "args") for w in tmpl["container"].get(key) or []]
    if len(words) == 3 and words[0] in ("sh", "/bin/sh", "bash") and words[1] == "-c":
        script(run, words[2])
    elif words:
        execute(run, words, None, False)
    return run
