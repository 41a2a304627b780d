"""Locks and memoization: sync_manager.go, controller/cache, and what executeTemplate does with them. One workflow is alone
here, so it always stands first in each queue: only the room in a lock counts."""
import copy
import json
import re

import tags
from nodes import Held, StepError, duration_us

CACHE_LABEL = "workflows.argoproj.io/configmap-type"
KEY = re.compile(r"^[a-zA-Z0-9][-a-zA-Z0-9]*$")


def go_duration(text):
    """[time.ParseDuration] The unit is needed."""
    if not re.fullmatch(r"([0-9.]+(ms|us|h|m|s))+|0", text):
        raise StepError("invalid maxAge: %s" % text)
    return duration_us(text)


class Gates:
    """Part of the model."""

    def init_gates(self, case):
        self.config_maps = {d["metadata"]["name"]: copy.deepcopy(d) for d in case["documents"]
                            if d["kind"] == "ConfigMap"}
        self.holds = {}     # node name -> locks that it holds
        self.candidates, self.granted = [], None
        self.wants = {}     # node name -> (lock, limit) of each
        self.waiting = {}   # node name -> when its timeout is over, or None
        self.reborn = {}    # nodes that waited: name -> when they were made
        self.memo = {}      # node name -> (ConfigMap, key)

    # ---- locks ----

    def lock_names(self, sync):
        """[allSyncItems] (text, limit) of each, semaphores first."""
        out = []
        for kind in ("semaphore", "mutex"):
            items = ([sync[kind]] if sync.get(kind) else []) + (sync.get({"semaphore": "semaphores", "mutex": "mutexes"}[kind]) or [])
            for i, item in enumerate(items):
                if item in items[:i]:
                    raise StepError("requested configuration is invalid: Duplicate synchronization item found")
                ns = item.get("namespace") or "default"
                if kind == "mutex":
                    out.append(("%s/%s/%s" % (ns, "Database" if item.get("database") else "Mutex", item["name"]), 1))
                else:
                    ref = item["configMapKeyRef"]
                    text = "%s/ConfigMap/%s/%s" % (ns, ref["name"], ref["key"])
                    value = self.config_maps.get(ref["name"], {}).get("data", {}).get(ref["key"], "0")
                    if not int(value):
                        raise StepError("failed to initialize semaphore %s with limit" % text)
                    out.append((text, int(value)))
        return out

    def used(self, lock):
        return sum(1 for held in self.holds.values() if lock in held)

    def grant(self):
        """Nothing else happens any more: the first in the walk that can have its locks gets them. False: nobody."""
        self.granted = self.candidates[0] if self.candidates else None
        if self.granted is None:
            self.tell()
        return self.granted is not None

    def tell(self):
        """[markNodeWaitingForLock] The first lock that is not free."""
        for name in self.waiting:
            node = self.nodes[name]
            for lock, limit in self.wants[name]:
                if self.used(lock) >= limit and not node.message:
                    self.reach("waits for a lock")
                    node.message = self.wait_text(lock, limit)

    def acquire(self, name, node, tmpl, type_, holder, place):
        """[TryAcquire] True: it has its locks. False: its node waits; whose turn it is, the end of the pass says."""
        if not tmpl.get("synchronization") or name in self.holds:
            return True
        if self.stopped(place) or (self.past_deadline() and not place.on_exit):
            return True  # nothing of it starts
        locks = self.lock_names(tmpl["synchronization"])
        if node is None:
            self.make(name, type_, "Pending", holder, place)
            self.waiting[name] = self.now + duration_us(tmpl["timeout"]) if tmpl.get("timeout") else None
            self.wants[name] = locks
            return False
        if self.spec.get("parallelism") and self.active(("Pod",)) >= self.spec["parallelism"]:
            raise Held()
        if self.granted != name:
            if all(self.used(lock) < limit for lock, limit in locks):
                self.candidates.append(name)
            return False
        self.reach("a lock came" if node.message else "a lock was free")
        self.holds[name] = [lock for lock, _ in locks]
        del self.waiting[name], self.nodes[name]  # made anew by whatever it is
        self.granted, self.reborn[name], self.changed = None, node, True
        return True

    def wait_text(self, lock, limit):
        used = self.used(lock)
        if "/Database/" in lock:
            ns, _, name = lock.split("/")
            return "Waiting for %s lock (mtx/%s/%s). Lock status: %d/%d" % (lock, ns, name, used, limit)
        return "Waiting for %s lock. Lock status: %d/%d" % (lock, limit - used, limit)

    # ---- memoization ----

    def note_memo(self, name, tmpl):
        if tmpl.get("memoize"):
            self.memo[name] = (tmpl["memoize"]["cache"]["configMap"]["name"], tags.any_string(tmpl["memoize"]["key"]))

    def cached(self, tmpl):
        """[Load] (hit, outputs)."""
        memo = tmpl["memoize"]
        key, name = tags.any_string(memo["key"]), memo["cache"]["configMap"]["name"]
        if not KEY.match(key):
            raise StepError("invalid cache key: %s" % key)
        config_map, entry = self.config_maps.get(name), None
        if config_map is not None:
            self.check_label(config_map)
            text = config_map.get("data", {}).get(key)
            try:
                entry = json.loads(text) if text else None
            except ValueError:
                raise StepError("malformed cache entry: could not unmarshal JSON; unable to parse")
        hit = bool(entry and entry.get("nodeID"))
        if memo.get("maxAge"):
            hit = hit and self.now - self.created(entry) <= go_duration(memo["maxAge"])
            go_duration(memo["maxAge"])
        self.reach("cache hit" if hit else "cache miss")
        return hit, (entry.get("outputs") or None) if hit else None

    def created(self, entry):
        from datetime import datetime, timezone
        return int(datetime.strptime(entry["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(
            tzinfo=timezone.utc).timestamp()) * 10**6

    def check_label(self, config_map):
        label = (config_map["metadata"].get("labels") or {}).get(CACHE_LABEL)
        if label is None:
            raise StepError("memoization configmap doesn't have %s label, refusing to use it" % CACHE_LABEL)
        if label != "Cache":
            raise StepError("memoization configmap doesn't have label %s = Cache, refusing to use it" % CACHE_LABEL)

    def save(self, node):
        """[Save] after a success; StepError when it cannot be."""
        if node.name not in self.memo:
            return
        from datetime import datetime, timezone
        name, key = self.memo[node.name]
        now = datetime.fromtimestamp(self.now // 10**6, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        config_map = self.config_maps.get(name)
        if config_map is None:
            config_map = self.config_maps[name] = {"metadata": {"name": name, "labels": {CACHE_LABEL: "Cache"}}, "data": {}}
        self.check_label(config_map)
        self.reach("outputs kept")
        config_map.setdefault("data", {})[key] = json.dumps({
            "nodeID": node.id, "outputs": node.outputs, "creationTimestamp": now, "lastHitTimestamp": now})

    def save_quietly(self, node):
        """[executeSteps, executeDAG] What cannot be kept is only logged."""
        try:
            self.save(node)
        except StepError:
            pass
