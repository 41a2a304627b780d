"""Python packages of tests, in virtual environments under the build directory, made once."""
import os
import subprocess
import sys
import venv

BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build"))


def ensure(name, *wanted):
    """The directory of the programs of an environment that has the packages; RuntimeError when they cannot be had."""
    place = os.path.join(BUILD, "venv-" + name)
    stamp, programs = os.path.join(place, "has"), os.path.join(place, "bin")
    text = "\n".join(wanted) + f"\n{sys.version}\n"
    if os.path.exists(stamp) and open(stamp).read() == text:
        return programs
    venv.create(place, clear=True, with_pip=True)
    done = subprocess.run([os.path.join(programs, "pip"), "install", "--quiet", "--disable-pip-version-check", *wanted],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip install {' '.join(wanted)}: {done.stderr.strip().splitlines()[-1:]}")
    with open(stamp, "w") as f:
        f.write(text)
    return programs
