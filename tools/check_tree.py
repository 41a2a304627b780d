#!/usr/bin/env python3
"""Checks the source tree against the house rules; prints every breach as file:line: text.

Rules: who may include whom (tools/deps.txt), third-party headers in their one folder, private headers,
sizes of files and functions (tools/size-allow.txt may only shrink), banned calls, variable-length
arrays, sleeps in tests, head comments, tests that nobody runs, notes left behind, paths of a
developer's machine, links that lead nowhere, and what the program is linked with. Ends with `N passed, N failed`, a rule
being one test.

usage: check_tree.py [--build DIR] [RULE...]
"""
import argparse
import ast
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILE_LINES, FUNCTION_LINES = 800, 70

# Header (or its directory) of a library: the folders of src that may include it.
LIBRARY_FOLDERS = {
    "sqlite3.h": {"store"}, "uv.h": {"loop"}, "yaml.h": {"doc"}, "microhttpd.h": {"http"}, "gnutls/": {"http"},
    "archive.h": {"artifact", "image"}, "archive_entry.h": {"artifact", "image"}, "pcre2.h": {"lang", "logs"},
    "openssl/": {"artifact", "image", "lang", "net", "auth", "s3"}, "crypt.h": {"lang"}, "sodium.h": {"auth"}, "jose/": {"sso"}, "jansson.h": {"sso"}, "zlib.h": {"http"}, "curl/": {"net"}, "jq.h": {"helper"}, "lua.h": {"helper"},
}
BANNED = """strcpy strcat sprintf vsprintf strtok gets alloca atoi atol localtime gmtime system popen tmpnam""".split()
SLEEPS = re.compile(r"\b(sleep|usleep|nanosleep|clock_nanosleep)\s*\(")
NOTES = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work/(main|shared|\.)|tmp/(b-|bash_jobs|briefs)|farm/|root/|home/\w+/)")

# What the program may load at start, and what must never be among it, even through another library.
LINKED = {"libc.so", "libm.so", "libuv.so", "libyaml-0.so", "libsqlite3.so", "libcrypto.so", "libarchive.so",
          "libpcre2-8.so", "libz.so", "ld-linux", "libasan.so", "libubsan.so"}
NEVER_LOADED = re.compile(r"lib(curl|microhttpd|gnutls|sodium|jose|jansson|jq|lua|json-c)")


# ---- files ----

def tracked():
    """Files of the tree, by git when this is a clone: ignored and built files are left out."""
    done = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if done.returncode == 0:
        names = done.stdout.splitlines()
    else:
        names = [os.path.relpath(os.path.join(d, f), ROOT) for d, _, files in os.walk(ROOT) for f in files
                 if not os.path.relpath(d, ROOT).startswith(("build", ".git"))]
    return sorted(n for n in names if os.path.isfile(os.path.join(ROOT, n)))


def read(name):
    try:
        with open(os.path.join(ROOT, name), encoding="utf-8") as f:
            return f.read()
    except UnicodeDecodeError:
        return None


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


C_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
C_LINE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)


class Tree:
    """The files, each read once; `code` is C without comments, texts and preprocessor lines, same line numbers."""

    def __init__(self, build):
        self.build = build
        self.names = tracked()
        self.text = {n: t for n in self.names if (t := read(n)) is not None}
        self.code = {n: C_LINE.sub(blank, C_TEXT.sub(blank, t)) for n, t in self.text.items() if n.endswith((".c", ".h"))}

    def c_files(self, under=""):
        return [n for n in self.code if n.startswith(under)]


def line_of(text, at):
    return text.count("\n", 0, at) + 1


# ---- includes ----

def allowed_includes():
    table = {}
    for line in read("tools/deps.txt").splitlines():
        if ":" in line and not line.startswith("#"):
            folder, others = line.split(":")
            table[folder.strip()] = set(others.split())
    return table


def includes(tree, under):
    for name in tree.names:
        if name.startswith(under) and name.endswith((".c", ".h", ".def")):
            for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', tree.text[name], re.M):
                yield name, line_of(tree.text[name], m.start()), m.group(1) == '"', m.group(2)


def rule_layers(tree):
    """a folder includes only what tools/deps.txt allows it; a test may use every folder of lower rank"""
    table = allowed_includes()
    ranks = list(table)
    for name, line, own, path in includes(tree, "src/"):
        if not own:
            continue
        folder, target = name.split("/")[1], path.split("/")[0]
        if "/" not in path:
            yield name, line, 'write "%s/%s"' % (folder, path)
        elif folder not in table:
            yield name, line, "folder %s is not in tools/deps.txt" % folder
        elif target == folder or "*" in table[folder] or target in table[folder]:
            continue
        elif not name.endswith("_test.c") or target not in ranks[:ranks.index(folder)]:
            yield name, line, "%s may not include %s" % (folder, path)


def rule_private(tree):
    """a private header (*_p.h) is included only by its folder"""
    for name, line, own, path in includes(tree, ""):
        if own and path.endswith("_p.h") and "/" in path and os.path.dirname(path) != name.removeprefix("src/").rsplit("/", 1)[0]:
            yield name, line, "%s is private" % path


def rule_libraries(tree):
    """a library's header is included only by the folders that wrap it"""
    for name, line, own, path in includes(tree, "src/"):
        for header, folders in LIBRARY_FOLDERS.items():
            if not own and path.startswith(header) and name.split("/")[1] not in folders:
                yield name, line, "<%s> belongs to %s" % (path, ", ".join(sorted(folders)))
        if not own and path == "cmocka.h" and "test" not in name:
            yield name, line, "<cmocka.h> belongs to tests"


# ---- sizes ----

def c_functions(code):
    """(name, first line, last line) of each function: a `{` after `)` outside of everything."""
    depth, parens, before, start = 0, 0, "", 0
    name = opened = None
    for m in re.finditer(r"[A-Za-z_]\w*|[{}();=,]|\n", code):
        t = m.group()
        if t == "\n":
            continue
        if t == "{":
            if depth == 0 and before == ")" and name:
                opened = (name, start)
            depth += 1
        elif t == "}":
            depth -= 1
            if depth == 0 and opened:
                yield opened[0], line_of(code, opened[1]), line_of(code, m.start())
                opened = None
        elif depth == 0:
            if t == "(":
                if parens == 0 and re.match(r"\w", before):
                    name, start = before, last
                parens += 1
            elif t == ")":
                parens -= 1
            elif t in ";=":
                name = None
        before, last = t, m.start()


def py_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def sizes(tree):
    """{"path" or "path:function": (lines, limit, line)} of everything that has a size limit."""
    found = {}
    for name in tree.names:
        if name.endswith((".c", ".h", ".py", ".sh", ".def")):
            found[name] = (tree.text[name].count("\n"), FILE_LINES, 1)
        functions = c_functions(tree.code[name]) if name.endswith(".c") else \
            py_functions(tree.text[name]) if name.endswith(".py") else ()
        for function, first, last in functions:
            found["%s:%s" % (name, function)] = (last - first + 1, FUNCTION_LINES, first)
    return found


def rule_sizes(tree):
    """files up to 800 lines, functions up to 70; tools/size-allow.txt lists the exceptions with their exact size"""
    exceptions = {}
    for number, line in enumerate(read("tools/size-allow.txt").splitlines(), 1):
        if line and not line.startswith("#"):
            what, lines = line.split()
            exceptions[what] = (int(lines), number)
    found = sizes(tree)
    for what, (lines, limit, line) in found.items():
        allowed = exceptions.get(what, (limit, 0))[0]
        if lines > max(limit, allowed):
            yield what.split(":")[0], line, "%s has %d lines, the limit is %d" % (what.split(":")[-1], lines, allowed)
    for what, (lines, number) in exceptions.items():
        if what not in found or found[what][0] <= found[what][1]:
            yield "tools/size-allow.txt", number, "%s needs no exception" % what
        elif found[what][0] < lines:
            yield "tools/size-allow.txt", number, "%s has shrunk to %d lines" % (what, found[what][0])


# ---- calls and words ----

def matches(tree, names, pattern, texts):
    for name in names:
        for m in pattern.finditer(texts[name]):
            yield name, line_of(texts[name], m.start()), m


def rule_banned(tree):
    """no call of a function that has no safe use"""
    pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
    for name, line, m in matches(tree, tree.c_files(), pattern, tree.code):
        yield name, line, "%s is banned" % m.group(1)


def rule_arrays(tree):
    """no array whose size is known only at run time"""
    pattern = re.compile(r"^[ \t]+(?:(?:const|unsigned|static|struct|enum)\s+)*[A-Za-z_]\w*[ *]+\w+\[([^\]\n]+)\][^\n;=]*[;=]", re.M)
    for name, line, m in matches(tree, tree.c_files(), pattern, tree.code):
        words = re.findall(r"(?<![\w.])[a-z_]\w*", re.sub(r"\b(sizeof|ARRAY_LEN)\b\s*(\([^()]*\)|\w+)", "", m.group(1)))
        if words and not m.group().lstrip().startswith(("return", "goto", "case", "else", "do ")):
            yield name, line, "array of %s elements" % m.group(1)


def rule_sleeps(tree):
    """no test waits for time to pass; a sleep in a polling loop with a deadline says `# poll`,
    one before a random instant `# chance`"""
    tests = [n for n in tree.text if n.endswith("_test.c") or n.startswith("test/") and n.endswith((".c", ".py"))]
    for name, line, _ in matches(tree, tests, SLEEPS, {**tree.text, **tree.code}):
        if not re.search(r"(#|//|/\*) *(poll|chance)\b", tree.text[name].splitlines()[line - 1]):
            yield name, line, "a test does not sleep: wait for what must happen"


def rule_heads(tree):
    """every C file and header, script and table begins by saying what it is for"""
    for name in tree.names:
        if name.endswith((".c", ".h", ".def", ".py", ".sh")):
            first = re.sub(r"\A#![^\n]*\n", "", tree.text[name]).lstrip()
            if first and not first.startswith(("/*", '"""', "#", "//", 'r"""')):
                yield name, 1, "no head comment"


def rule_tests(tree):
    """every foo_test.c stands in its folder's meson.build"""
    for name in tree.names:
        if name.startswith("src/") and name.endswith("_test.c"):
            build = tree.text.get(os.path.dirname(name) + "/meson.build", "")
            if "'%s'" % os.path.basename(name)[:-2] not in build:
                yield name, 1, "not listed in %s/meson.build" % os.path.dirname(name)


def rule_notes(tree):
    """nothing is left for later in the code"""
    names = [n for n in tree.text if n.startswith(("src/", "test/", "bench/", "tools/")) and n.endswith((".c", ".h", ".py", ".sh", ".def"))
             and n != "tools/check_tree.py"]
    for name, line, m in matches(tree, names, NOTES, tree.text):
        yield name, line, "%s: do it or drop it" % m.group(1)


def rule_paths(tree):
    """no path of a developer's machine"""
    for name, line, m in matches(tree, [n for n in tree.text if n != "tools/check_tree.py"], MACHINE_PATHS, tree.text):
        yield name, line, "path of one machine: %s…" % m.group()


def rule_links(tree):
    """every link of a page leads to a file"""
    for name, line, m in matches(tree, [n for n in tree.text if n.endswith(".md")], re.compile(r"\]\((?![a-z]+:)([^)#\s]+)[^)]*\)"), tree.text):
        if not os.path.exists(os.path.join(ROOT, os.path.dirname(name), m.group(1))):
            yield name, line, "%s is not there" % m.group(1)


# ---- the program ----

def rule_linked(tree):
    """the program starts with few libraries"""
    program = os.path.join(tree.build, "skiff")
    if not os.path.exists(program):
        program = os.path.join(tree.build, "src/app/skiff")
    if not os.path.exists(program):
        return
    env = dict(os.environ, LC_ALL="C")
    needed = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, env=env).stdout
    for library in re.findall(r"\(NEEDED\).*\[(.*)\]", needed):
        if library.split(".so")[0] + ".so" not in LINKED and not library.startswith("ld-linux"):
            yield program, 1, "is linked with %s" % library
    loaded = subprocess.run(["ldd", program], capture_output=True, text=True, env=env).stdout
    for library in re.findall(r"^\s*(\S+)", loaded, re.M):
        if NEVER_LOADED.match(library):
            yield program, 1, "loads %s at start" % library


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("rules", nargs="*", help="names of rules; default: all")
    args = p.parse_args()
    rules = {n[len("rule_"):]: f for n, f in globals().items() if n.startswith("rule_")}
    tree = Tree(args.build)
    failed = 0
    todo = args.rules or list(rules)
    for rule in todo:
        breaches = list(rules[rule](tree))
        failed += bool(breaches)
        if breaches:
            print("%s: %s" % (rule, rules[rule].__doc__))
        for name, line, text in breaches:
            print("    %s:%d: %s" % (name, line, text))
    print("%d passed, %d failed" % (len(todo) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
