"""The fail-points of src/base/fail_points.def, and arming one of them for a command."""
import os
import re
import struct

# What no run of a workflow passes, and who tries it instead.
ELSEWHERE = {
    "BACKUP": "store/store_fault_test", "BACKUP_WRITTEN": "server/backup_cases.py", "RESTORE": "server/backup_cases.py", "MIGRATE": "store/store_fault_test",
    "CHECKPOINT": "upkeep.py", "CONTENT_COPIED": "artifact/artifact_test",
    "IMAGE_BLOB": "imagestore.py", "IMAGE_PARTIAL": "imagestore.py", "LAYER_BEFORE": "imagestore.py", "LAYER_AFTER": "imagestore.py",
    "IMAGE_RECORD": "imagestore.py", "IMAGE_REF": "imagestore.py", "IMAGE_SETTLE": "imagestore.py", "IMAGE_ASIDE": "imagestore.py",
}


def load():
    """Name -> who passes it."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/base/fail_points.def")
    with open(path) as f:
        return dict(re.findall(r"^FAIL_POINT\((\w+), (\w+),", f.read(), re.M))


class Armed:
    """One point for the commands that get its environment: the nth passage of all of them together counts."""

    def __init__(self, place, name, nth=1, action="kill"):
        self.name, self.nth = name, nth
        self.file = os.path.join(place.root, f"passed-{name}-{len(os.listdir(place.root))}")
        self.env = {"SKIFF_FAIL": f"{name}:{nth}={action}@{self.file}"}

    def passed(self):
        try:
            with open(self.file, "rb") as f:
                return struct.unpack("I", f.read(4))[0]
        except (OSError, struct.error):
            return 0

    def fired(self):
        return self.passed() >= self.nth
