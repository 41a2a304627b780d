#!/usr/bin/env python3
"""Argo's own clients against `skiff server`: Hera, the argo program, what Argo's page asks for, curl as its documentation has it.

The first run installs Hera and builds argo (install.py); without a registry or Go their cases are skipped, the others are not.

usage: run.py [SKIFF [CASE...]]; without it, the program that SKIFF in the environment names"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "server")]
import install  # noqa: E402
import page_cases  # noqa: E402
import server  # noqa: E402
from server import common  # noqa: E402


class Here(server.Server):
    """A server, and what the cases ask of it beside their client."""

    wait_for = staticmethod(common.wait_for)

    def apply(self, kind, doc, ns="default"):
        status, _, said = self.ask("PUT", f"/api/v1/skiff/objects/{kind}/{ns}/{doc['metadata']['name']}", doc)
        if status != 200:
            raise RuntimeError(f"apply {kind}: {status} {said}")


def tier_of(case):
    return getattr(case, "tier", common.host_tiers()[-1])


def hera_suite(score):
    try:
        site = install.hera()
    except install.Unavailable as e:
        score.skip(f"Hera cannot be installed: {e}")
        return ()
    sys.path.insert(0, site)
    import hera_cases  # only here: it needs Hera
    return tuple((case, lambda s: hera_cases.Hera(s, site)) for case in hera_cases.CASES)


def argo_suite(score):
    import argo_cases
    try:
        program = install.argo()
    except install.Unavailable as e:
        score.skip(f"the argo program cannot be built: {e}")
        return ()
    return tuple((case, lambda s: argo_cases.Argo(s, program)) for case in argo_cases.CASES)


def page_suite(score):
    return tuple((case, lambda s: s) for case in page_cases.CASES)


def main():
    words, score = sys.argv[1:], common.Score()
    skiff = words[0] if words else os.environ["SKIFF"]
    for suite in (hera_suite, argo_suite, page_suite):
        for case, client in suite(score):
            if words[1:] and case.__name__ not in words[1:]:
                continue
            s = Here(skiff, tier_of(case))
            try:
                case(score, client(s.start(*getattr(case, "words", ()))))
                score.check(s.stop() == 0, f"{case.__name__}: told to end: {s.said}")
            except Exception as e:  # the others still count
                score.check(False, f"{case.__name__}: {type(e).__name__}: {e}")
            s.close()
    return score.end()


if __name__ == "__main__":
    sys.exit(main())
