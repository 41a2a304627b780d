"""Who watches a server that may die at any time, and goes on where it was."""
import collections
import hashlib
import http.client
import json
import random
import threading
import time

from server import Stream, common

BREAKS = (OSError, http.client.HTTPException, ValueError)  # http.client has a ValueError for a chunk that ends in its size


class Told:
    """What was told of workflows, by any watcher: whoever waits for an end waits for it here."""

    def __init__(self, load):
        self.load = load
        self.ends = collections.defaultdict(list)  # uid -> final phases, each once
        self.phase, self.gone = {}, set()
        self.changed = threading.Condition()

    def note(self, uid, phase):
        with self.changed:
            if phase in common.PHASES_DONE and self.phase.get(uid) != phase:
                self.ends[uid].append(phase)
                self.changed.notify_all()
            self.phase[uid] = phase

    def note_gone(self, uid):
        with self.changed:
            self.gone.add(uid)
            self.changed.notify_all()

    def wait(self, holds, what):
        until = time.monotonic() + common.LIMIT_S
        with self.changed:
            while not holds():
                if self.load.broken or time.monotonic() > until:
                    raise RuntimeError(f"waited too long for {what}")
                self.changed.wait(0.5)


class Watcher(threading.Thread):
    """Reads a stream until it knows that `last` (a uid) is over, and something comes after; `restless`: leaves now and then by itself,
    but not where it came in: all events of a commit have one version, so whoever leaves among them gets them again (a second's deletions are one commit)."""

    def __init__(self, load, restless=False):
        super().__init__(daemon=True)
        self.load, self.last, self.over, self.wrong, self.breaks = load, None, set(), [], 0
        self.chance = random.Random(f"{load.seed}/{type(self).__name__}") if restless else None
        self.start()

    def run(self):
        while not self.load.broken:
            self.load.up.wait(1)
            try:
                stream = Stream(self.load.server.connect(), self.target(), self.load.headers)
                if stream.status == 503:
                    stream.close()
                    time.sleep(0.005)  # poll
                    continue
                if stream.status != 200:
                    self.wrong.append(f"{self.target()}: {stream.status} {stream.rest()}")
                    return
                if self.read(stream):
                    return
            except BREAKS:
                self.breaks += 1
                time.sleep(0.005)  # poll

    def read(self, stream):
        """True once all was seen."""
        left, begun = self.chance.randrange(1, 60) if self.chance else 1 << 60, self.at()
        try:
            while (left > 0 or self.at() == begun) and not self.load.broken:
                line = stream.reply.readline()
                if not line.endswith(b"\n"):
                    return False
                left -= 1
                self.take(json.loads(line))
                if self.last in self.over:
                    return True
        finally:
            stream.close()
        return False


class Deltas(Watcher):
    """Skiff's own stream: every change once, in order."""

    def __init__(self, load, restless=False, tell=False):
        self.seen, self.deleted, self.after, self.tell = [], {}, 0, tell
        super().__init__(load, restless)

    def at(self):
        return self.after

    def target(self):
        return f"/api/v1/skiff/changes?after={self.after}"

    def take(self, change):
        seq, uid = change["seq"], change["workflow"]["uid"]
        if seq <= self.after:
            self.wrong.append(f"change {seq} after {self.after}")
        if uid in self.deleted:
            self.wrong.append(f"change {seq} of a workflow that was deleted with {self.deleted[uid]}")
        self.after = seq
        del change["timeUs"]  # when it was sent
        self.seen.append((seq, uid, hashlib.md5(json.dumps(change).encode()).digest()))
        if change["type"] == "workflow":
            phase = change["status"].get("phase")
            if phase in common.PHASES_DONE:
                self.over.add(uid)
            if self.tell:
                self.load.told.note(uid, phase)
        if change["type"] == "deleted":
            self.deleted[uid] = seq
            if self.tell:
                self.load.told.note_gone(uid)


class States(Watcher):
    """Argo's watch: the latest state of each, the last one always."""

    def __init__(self, load, restless=False, tell=False):
        self.state, self.version, self.tell = {}, 0, tell
        super().__init__(load, restless)

    def at(self):
        return self.version

    def target(self):
        return f"/api/v1/workflow-events/default?listOptions.resourceVersion={self.version}"

    def take(self, frame):
        frame = frame["result"]
        meta = frame["object"]["metadata"]
        version, uid, phase = int(meta["resourceVersion"]), meta["uid"], frame["object"].get("status", {}).get("phase")
        if version < self.version:
            self.wrong.append(f"{frame['type']} {meta['name']} {phase} of version {version} after {self.version}")
        self.version = version
        self.state[uid] = "DELETED" if frame["type"] == "DELETED" else phase
        if self.tell and frame["type"] == "DELETED":
            self.load.told.note_gone(uid)
        if phase in common.PHASES_DONE:
            self.over.add(uid)
