"""Parts of the bench about size: large DAGs, many steps at once, large documents, large artifacts."""
import json
import os
import signal
import statistics
import subprocess
import time

import gen
import measure


def dag(b):
    """The engine alone on 100,000 and 1,000,000 nodes; steps end as soon as they start."""
    if "dagscale" not in b.bin:
        return b.absent("large DAG", "bench/dagscale is not built")
    small, large = (10_000, 100_000) if b.quick else (100_000, 1_000_000)
    every = {n: lambda n=n: measure.measure([b.bin["dagscale"], str(n)]) for n in (small, large)}
    r = measure.interleave(every, min(b.rounds, 3), warm_up=False)
    for n in (small, large):
        if not r[n].ok():
            return b.absent("DAG of %d nodes" % n, r[n].why)
    figures = {n: [list(map(float, s.out.split())) for s in r[n].samples] for n in (small, large)}
    took = {n: statistics.median(f[3] for f in figures[n]) for n in (small, large)}
    for n in (small, large):
        per_node = figures[n][0][2]
        b.row("DAG of %d nodes: bytes of the engine a node" % n, "≤ 256", "%.0f" % per_node, per_node <= 256)
        print("    %d nodes: %.2f s, %.2f µs a node" % (n, took[n], took[n] / n * 1e6))
    b.row("time(%d) / time(%d)" % (large, small), "≤ 11", "%.1f" % (took[large] / took[small]), took[large] <= 11 * took[small])


def yaml(b):
    """Parse and validate a document of 10 MB (33,000 tasks), against libyaml's events alone."""
    tasks = 3_300 if b.quick else 33_000
    file = b.write("large.yaml", gen.large_yaml(tasks))
    r = measure.interleave({
        "skiff lint": lambda: measure.measure([b.bin["skiff"], "lint", file], b.dir, b.env("root")),
        "libyaml's events": lambda: measure.measure([b.bin["yamlfloor"], file]),
    }, max(b.rounds, 5) if not b.quick else 1)
    print("    %.1f MB, per document" % (os.path.getsize(file) / 1e6))
    b.times(r, 1)
    b.ratio("YAML of %d tasks: parse and validate / libyaml's bare events" % tasks, r["skiff lint"], r["libyaml's events"], 1.5)


def output_ns(workflow, step):
    node = next(n for n in workflow["status"]["nodes"].values() if n["displayName"] == step)
    return int(next(p["value"] for p in node["outputs"]["parameters"] if p["name"] == "when"))


def artifact(b):
    """From the producer's last act to the consumer's first, with a file of 128 MiB between them."""
    mib = 8 if b.quick else 128
    for user in b.users():
        work = "artifact of %d MiB, %s: producer finished → consumer runs" % (mib, user)
        file = b.write("artifact.yaml", gen.artifact(mib, b.programs()))
        command = [b.bin["skiff"], "run", file, "--state", b.state(user, "artifact"), "-o", "json"]
        run = lambda command=command, user=user: measure.measure(b.as_user(user, command), b.dir, b.env(user))  # noqa: E731
        r = measure.interleave({"run": run}, b.rounds)["run"]
        if not r.ok():
            b.absent(work, r.why)
            continue
        gaps = []
        for sample in r.samples:
            workflow = json.loads(sample.out)
            gaps.append((output_ns(workflow, "consume") - output_ns(workflow, "produce")) / 1e6)
        gap = statistics.median(gaps)
        b.row(work, "≤ 5 ms", "%.1f ms" % gap, gap <= 5)


# ---- many at once ----

def processes():
    """(pid, parent, executable, words) of everything that can be looked at."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name) as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
            with open("/proc/%s/cmdline" % name) as f:
                words = f.read().split("\0")
            yield int(name), parent, os.readlink("/proc/%s/exe" % name), words
        except OSError:
            continue


def pss_kib(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def wait_for_sleepers(engine, seconds, count, limit_s):
    """True once `count` processes sleep so long; False when the engine ends or time runs out."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until and engine.poll() is None:
        asleep = sum(1 for _, _, _, words in processes() if words[:2] == ["sleep", seconds])
        if asleep >= count:
            return True
        time.sleep(0.5)
    return False


def end(engine, program, seconds):
    """Stops the engine, then whatever of this run is still there."""
    for _ in range(2):
        if engine.poll() is None:
            engine.send_signal(signal.SIGINT)
            try:
                engine.wait(10)
            except subprocess.TimeoutExpired:
                continue
    if engine.poll() is None:
        engine.kill()
        engine.wait()
    for pid, _, exe, words in processes():
        if exe == program or words[:2] == ["sleep", seconds]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    measure.reap_orphans()


def sleepers(b):
    """Memory while 4,000 steps run at once."""
    count = 100 if b.quick else 4_000
    user, seconds = b.users()[0], "613.%d" % (os.getpid() % 1000)
    work = "%d steps at once" % count
    file = b.write("sleepers.yaml", gen.sleepers(count, seconds))
    command = [b.bin["skiff"], "run", file, "--state", b.state(user, "sleepers"), "--parallel", str(count),
               "--progress", "quiet"]
    log = open(b.path("sleepers.log"), "w+")
    started = time.monotonic()
    engine = subprocess.Popen(b.as_user(user, command), cwd=b.dir, env=b.env(user), stdin=subprocess.DEVNULL,
                              stdout=log, stderr=log)
    try:
        if not wait_for_sleepers(engine, seconds, count, 300):
            asleep = sum(1 for _, _, _, words in processes() if words[:2] == ["sleep", seconds])
            log.seek(0)
            return b.absent(work, "only %d of them started: %s" % (asleep, (log.read().splitlines() or [""])[-1][:100]))
        print("    all asleep after %.1f s" % (time.monotonic() - started))
        others = [pid for pid, _, exe, _ in processes() if exe == b.bin["skiff"] and pid != engine.pid]
        own, rest = pss_kib(engine.pid) / 1024, sum(map(pss_kib, others)) / count
        b.row(work + ": PSS of the engine", "≤ 16 MB", "%.1f MB" % own, own <= 16)
        b.row(work + ": PSS of a supervisor", "≤ 300 KiB", "%.0f KiB" % rest, rest <= 300)
    finally:
        end(engine, b.bin["skiff"], seconds)
        log.close()


def descriptors(pid):
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return 0


def adoption(b):
    """A new engine takes over steps that run: from its start until it holds the journal and the connection of each."""
    count = 50 if b.quick else 1_000
    user, seconds = b.users()[0], "617.%d" % (os.getpid() % 1000)
    work = "re-adoption of %d running steps" % count
    file = b.write("adopted.yaml", gen.sleepers(count, seconds))
    tail = ["--state", b.state(user, "adoption"), "--parallel", str(count), "--progress", "quiet"]

    def start(*words):
        return subprocess.Popen(b.as_user(user, [b.bin["skiff"], "run", *words, *tail]), cwd=b.dir, env=b.env(user), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    engine, took = start(file, "--name", "adopted"), []
    try:
        if not wait_for_sleepers(engine, seconds, count, 300):
            return b.absent(work, "they did not start")
        for _ in range(b.rounds):
            engine.kill()
            engine.wait()
            started = time.monotonic()
            engine = start("--resume", "adopted")
            while descriptors(engine.pid) < 2 * count and engine.poll() is None and time.monotonic() < started + 60:
                time.sleep(0.002)
            if descriptors(engine.pid) < 2 * count:
                return b.absent(work, "it ended, or knows %d descriptors" % descriptors(engine.pid))
            took.append(time.monotonic() - started)
        b.row(work, "≤ 1 s", "%.2f s" % statistics.median(took), statistics.median(took) <= 1)
    finally:
        end(engine, b.bin["skiff"], seconds)
