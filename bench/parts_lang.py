"""Part of the bench about the languages: evaluations a second on one core, from the text to the value."""
import statistics

import measure

LEAST = 1_000_000


def lang(b):
    """Conditions and tags as a step has them; nothing is kept from one evaluation to the next but the arena."""
    if "langspeed" not in b.bin:
        return b.absent("evaluations a second", "bench/langspeed is not built")
    r = measure.interleave({"lang": lambda: measure.measure([b.bin["langspeed"], "100" if b.quick else "500"])}, b.rounds)["lang"]
    if not r.ok():
        return b.absent("evaluations a second", r.why)
    figures = {}
    for sample in r.samples:
        for line in sample.out.splitlines():
            name, value = line.split("\t")
            figures.setdefault(name, []).append(float(value))
    for name, values in figures.items():
        value = statistics.median(values)
        b.row("%s: evaluations a second on one core" % name, "≥ 1 million", "%.1f million" % (value / 1e6), value >= LEAST)
