#!/usr/bin/env python3
"""Turns schema files (gen/NAME.schema) into plain C structs and field tables.

usage: mkspec.py OUT.h OUT.c SCHEMA...
The form of a schema is described at the head of gen/argo.schema; the meaning of the tables in
src/doc/field.h. Any mistake in a schema stops the build with file and line.
"""
import re
import shlex
import sys

SCALARS = {  # kind: (enum, C type, C type of a list)
    "string": ("STRING", "struct str", "struct str_list"),
    "anystring": ("ANYSTRING", "struct str", "struct str_list"),
    "intorstring": ("INTORSTRING", "struct str", None),
    "quantity": ("QUANTITY", "struct str", None),
    "duration": ("DURATION", "struct str", None),
    "time": ("TIME", "struct str", None),
    "number": ("NUMBER", "struct str", "struct str_list"),
    "int": ("INT", "struct opt_i64", "struct i64_list"),
    "int64": ("INT64", "struct opt_i64", "struct i64_list"),
    "bool": ("BOOL", "struct opt_bool", None),
    "any": ("ANY", "const struct val *", None),
    "item": ("ITEM", None, "struct val_list"),
}
MAP_SCALARS = {"string", "quantity"}
C_WORDS = set("""auto break case char const continue default do double else enum extern float for goto
if inline int long register restrict return short signed sizeof static struct switch typedef union
unsigned void volatile while bool true false""".split())
IRREGULAR = {"OAuth2": "Oauth2", "WWNs": "Wwns"}
ROWS_MAX = 128


class Type:
    def __init__(self, name, doc, flags):
        self.name, self.doc, self.wrap, self.open = name, doc, "wrap" in flags, "open" in flags
        self.include, self.view, self.fields = None, None, []


class Field:
    def __init__(self, name, kind, shape, flags, doc):
        self.name, self.kind, self.shape, self.flags, self.doc = name, kind, shape, flags, doc


def snake(name):
    for odd, plain in IRREGULAR.items():
        name = name.replace(odd, plain)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return name + "_" if name in C_WORDS else name


def c_string(text):
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_field(words):
    doc = words.pop()
    name, kind = words[0], words[1]
    shape = "ONE"
    if kind.startswith("[]"):
        shape, kind = "LIST", kind[2:]
    elif kind.startswith("{}"):
        shape, kind = "MAP", kind[2:]
    flags = {}
    for word in words[2:]:
        key, _, value = word.partition("=")
        if key not in ("required", "ignored", "merge", "enum", "since", "was", "noted", "differs", "refused"):
            raise ValueError("unknown flag '%s'" % key)
        flags[key] = value or True
    return Field(name, kind, shape, flags, doc)


def parse(paths):
    types = {}
    for path in paths:
        current = None
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            try:
                if not line.strip() or line.startswith("#"):
                    continue
                words = shlex.split(line)
                if line.startswith("type "):
                    current = Type(words[1], words[-1], words[2:-1])
                    if current.name in types:
                        raise ValueError("type '%s' stands twice" % current.name)
                    types[current.name] = current
                elif words[0] == "include" and words[2] == "as":
                    current.include, current.view = words[1], words[3]
                else:
                    current.fields.append(parse_field(words))
            except (ValueError, IndexError, AttributeError) as problem:
                sys.exit("%s:%d: %s" % (path, number, problem))
    return types


def all_fields(types, t):
    inner = all_fields(types, types[t.include]) if t.include else []
    return inner + t.fields


def check(types):
    for t in types.values():
        rows = all_fields(types, t)
        names = [f.name.lower() for f in rows]
        twice = {n for n in names if names.count(n) > 1}
        if twice or len(rows) > ROWS_MAX:
            sys.exit("type %s: fields stand twice or are too many: %s" % (t.name, sorted(twice)))
        for f in rows:
            if f.kind not in SCALARS and f.kind not in types:
                sys.exit("%s.%s: no type '%s'" % (t.name, f.name, f.kind))
            if f.kind in SCALARS and c_type(f) is None:
                sys.exit("%s.%s: no such list or map" % (t.name, f.name))


def c_type(f):
    if f.kind in SCALARS:
        if f.shape == "MAP":
            return "struct str_map" if f.kind in MAP_SCALARS else None
        return SCALARS[f.kind][2 if f.shape == "LIST" else 1]
    base = "struct argo_" + snake_type(f.kind)
    return {"ONE": "const " + base + " *", "LIST": base + "_list", "MAP": base + "_map"}[f.shape]


def snake_type(name):
    return snake(name).rstrip("_")


def member(f):
    ctype = c_type(f)
    return "%s%s%s;" % (ctype, "" if ctype.endswith("*") else " ", snake(f.name))


def struct_body(types, t):
    lines = []
    if t.include:
        inner = types[t.include]
        lines += ["    union {", "        struct argo_%s %s;" % (snake_type(t.include), t.view),
                  "        struct {", "            const struct val *src;"]
        lines += ["            " + member(f) for f in all_fields(types, inner)]
        lines += ["        };", "    };"]
    else:
        lines.append("    const struct val *src;")
    return lines + ["    %s /* %s */" % (member(f), f.doc) for f in t.fields]


def in_order(types):
    """Types whose struct is embedded in another come first."""
    done = []

    def visit(t):
        if t in done:
            return
        if t.include:
            visit(types[t.include])
        done.append(t)

    for t in types.values():
        visit(t)
    return done


def write_header(types, path):
    used = {f.shape + f.kind for t in types.values() for f in all_fields(types, t)}
    out = ["/* Made by tools/mkspec.py from the schemas in gen; not edited by hand. */", "#pragma once",
           '#include "doc/field.h"', ""]
    for t in types.values():
        out.append("struct argo_%s;" % snake_type(t.name))
    for t in types.values():
        name = "struct argo_" + snake_type(t.name)
        if "LIST" + t.name in used:
            out += ["%s_list {" % name, "    %s *items;" % name, "    size_t n;", "};"]
        if "MAP" + t.name in used:
            out += ["%s_map {" % name, "    %s_entry *items;" % name, "    size_t n;", "};"]
    for t in in_order(types):
        name = "struct argo_" + snake_type(t.name)
        out += ["", "/* %s. */" % t.doc, name + " {"] + struct_body(types, t) + ["};"]
        out.append("extern const struct field_type argo_%s_type;" % snake_type(t.name))
    for t in types.values():
        name = "struct argo_" + snake_type(t.name)
        if "MAP" + t.name in used:
            out += ["%s_entry {" % name, "    struct str key;", "    %s v;" % name, "};"]
    out += ["", "/* Every type, NULL at the end: for documentation and tests. */",
            "extern const struct field_type *const argo_types[];", ""]
    open(path, "w", encoding="utf-8").write("\n".join(out))


def probe(name, mul):
    n = len(name)
    c = [ord(x) for x in name]
    return (n + c[0] * mul[0] + c[n // 2] * mul[1] + c[n * 3 // 4] * mul[2] + c[n - 1] * mul[3])


def perfect_hash(names):
    """Multipliers and table so that every name has a slot of its own (field.c: name_slot)."""
    size = 1
    while size < len(names) or size < 2:
        size *= 2
    seed = 12345
    while size <= 256:
        for _ in range(3000):
            mul = []
            for _ in range(4):
                seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
                mul.append((seed >> 16) % 255 + 1)
            if len({probe(n, mul) & (size - 1) for n in names}) == len(names):
                slots = [0] * size
                for i, n in enumerate(names):
                    slots[probe(n, mul) & (size - 1)] = i + 1
                return size - 1, mul, slots
        size *= 2
    sys.exit("no perfect hash for %s" % names)


def row(t, f):
    flags = [("FIELD_" + x.upper()) for x in ("required", "ignored") if x in f.flags]
    sub = "&argo_%s_type" % snake_type(f.kind) if f.kind not in SCALARS else "NULL"
    kind = SCALARS[f.kind][0] if f.kind in SCALARS else "STRUCT"
    support = next((x for x in ("noted", "differs", "refused") if x in f.flags), None)
    return "    {%s, %d, FIELD_%s, FIELD_%s, %s,\n     offsetof(struct argo_%s, %s), %s, %s, %s, %s, %s,\n     %s, FIELD_%s, %s}," % (
        c_string(f.name), len(f.name), kind, f.shape, " | ".join(flags) or "0", snake_type(t.name),
        snake(f.name), sub, c_string(f.flags.get("merge")), c_string(f.flags.get("enum")),
        c_string(f.flags.get("since")), c_string(f.flags.get("was")), c_string(f.doc),
        (support or "exact").upper(), c_string(f.flags.get(support) if support else None))


def write_tables(types, path):
    out = ["/* Made by tools/mkspec.py from the schemas in gen; not edited by hand. */",
           '#include "spec/argo_gen.h"', ""]
    for t in types.values():
        name = snake_type(t.name)
        rows = all_fields(types, t)
        mask, mul, slots = perfect_hash([f.name for f in rows]) if rows else (0, [1] * 4, [0])
        bits = [sum(1 << (i % 64) for i, f in enumerate(rows) if "required" in f.flags and i // 64 == w)
                for w in (0, 1)]
        if rows:
            out += ["static const struct field_row %s_rows[] = {" % name]
            out += [row(t, f) for f in rows] + ["};"]
        out.append("static const uint8_t %s_slots[] = {%s};" % (name, ", ".join(map(str, slots))))
        out += ["const struct field_type argo_%s_type = {" % name,
                "    %s, %s, %s, %d, sizeof(struct argo_%s), %s, %d," % (
                    c_string(t.name), c_string(t.doc), name + "_rows" if rows else "NULL",
                    len(rows), name, str(t.wrap).lower(), mask),
                "    {%s}, %s_slots, {0x%xu, 0x%xu}, %s," % (", ".join(map(str, mul)), name, *bits, str(t.open).lower()),
                "};", ""]
    out.append("const struct field_type *const argo_types[] = {")
    out += ["    &argo_%s_type," % snake_type(t.name) for t in types.values()]
    out += ["    NULL,", "};", ""]
    open(path, "w", encoding="utf-8").write("\n".join(out))


def main():
    types = parse(sys.argv[3:])
    check(types)
    write_header(types, sys.argv[1])
    write_tables(types, sys.argv[2])


if __name__ == "__main__":
    main()
