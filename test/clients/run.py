#!/usr/bin/env python3
"""Argo's own clients against `skiff server`: Hera, the argo program, what Argo's page asks for, curl as its documentation has it.

The first run installs Hera and builds argo (argo_program.py); without a registry or Go their cases are skipped, the others are not.

usage: run.py [SKIFF [CASE...]]; without it, the program that SKIFF in the environment names"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "server"), os.path.join(HERE, "..", "crash")]
import argo_cases  # noqa: E402
import argo_program  # noqa: E402
import common  # noqa: E402
import packages  # noqa: E402
import page_cases  # noqa: E402
import server  # noqa: E402


class Here(server.Server):
    """A server, and what the cases ask of it beside their client."""

    wait_for = staticmethod(common.wait_for)

    def apply(self, kind, doc, ns="default"):
        status, _, said = self.ask("PUT", f"/api/v1/skiff/objects/{kind}/{ns}/{doc['metadata']['name']}", doc)
        if status != 200:
            raise RuntimeError(f"apply {kind}: {status} {said}")


# ---- suites: their cases, and the client of a server ----

def hera():
    site = packages.Python(os.path.join(HERE, "hera.txt")).site
    sys.path.insert(0, site)
    import hera_cases  # only here: it needs Hera
    return hera_cases.CASES, lambda s: hera_cases.Hera(s, site)


def argo():
    program = argo_program.build()
    return argo_cases.CASES, lambda s: argo_cases.Argo(s, program)


def page():
    return page_cases.CASES, lambda s: s


SUITES = {"Hera": hera, "the argo program": argo, "the page and curl": page}


def run(score, skiff, case, client):
    s = Here(skiff, getattr(case, "tier", common.host_tiers()[-1]))
    try:
        case(score, client(s.start()))
        score.check(s.stop() == 0, f"{case.__name__}: told to end: {s.said}")
    except Exception as e:  # the others still count
        score.check(False, f"{case.__name__}: {type(e).__name__}: {e}")
    finally:
        s.close()


def main():
    words, score = sys.argv[1:], common.Score()
    skiff = words[0] if words else os.environ["SKIFF"]
    for what, suite in SUITES.items():
        try:
            cases, client = suite()
        except packages.Unavailable as e:
            score.skip(f"{what} cannot be had: {e}")
            continue
        for case in cases:
            if not words[1:] or case.__name__ in words[1:]:
                run(score, skiff, case, client)
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
