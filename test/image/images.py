"""Makes images for the tests: layers written by Python's tarfile around busybox-static, packed as asked for."""
import ctypes
import gzip
import hashlib
import io
import json
import os
import tarfile

OCI, DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
BUSYBOX = next((p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p)), None)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def zstd(data):
    """By the library that libarchive brings along."""
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = ctypes.c_size_t
    room = lib.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    n = lib.ZSTD_compress(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:n]


PACKINGS = {"": lambda b: b, "gzip": lambda b: gzip.compress(b, 1, mtime=0), "zstd": zstd}


def tar(*entries, xattrs=None, uid=0):
    """An entry: (name, content) a file; (name, None) a directory; (name, "->x") a symlink; (name, "=>x") a hard link.
    A third item is the mode. Or a TarInfo. `xattrs`, `uid`: of each."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                t.addfile(entry)
                continue
            name, what, *mode = entry
            i = tarfile.TarInfo(name)
            i.uid = uid
            i.pax_headers = {"SCHILY.xattr." + k: v for k, v in (xattrs or {}).items()}
            i.mtime = 1000000000
            i.mode = mode[0] if mode else 0o755 if what is None else 0o644
            if what is None:
                i.type = tarfile.DIRTYPE
            elif isinstance(what, str) and what[:2] in ("->", "=>"):
                i.type, i.linkname = tarfile.SYMTYPE if what[0] == "-" else tarfile.LNKTYPE, what[2:]
            else:
                what = what.encode() if isinstance(what, str) else what
                i.size = len(what)
            t.addfile(i, io.BytesIO(what) if i.isreg() else None)
    return out.getvalue()


def sparse(name, parts, size):
    """A file with holes, as GNU tar writes it (format 1.0): the map of what there is comes before the data."""
    numbers = "%d\n" % len(parts) + "".join("%d\n%d\n" % (at, len(data)) for at, data in parts)
    body = numbers.encode() + bytes(-len(numbers) % 512) + b"".join(data for _, data in parts)
    i = tarfile.TarInfo("GNUSparseFile.0/" + name)
    i.size = len(body)
    i.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name, "GNU.sparse.realsize": str(size)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        t.addfile(i, io.BytesIO(body))
    return out.getvalue()


class Image:
    def __init__(self, *layers, packing=("gzip",), arch="amd64", config=None, docker=False):
        """`packing` is gone through in turns."""
        self.tars = layers
        self.packings = [packing[i % len(packing)] for i in range(len(layers))]
        self.layers = [PACKINGS[p](t) for t, p in zip(layers, self.packings)]
        self.config = json.dumps({
            "architecture": arch, "os": "linux", "created": "2024-05-06T07:08:09Z",
            "config": config or {"Entrypoint": ["/bin/busybox"], "Cmd": ["sh"], "Env": ["PATH=/bin", "A=b"], "WorkingDir": "/w", "User": "1:2"},
            "rootfs": {"type": "layers", "diff_ids": [digest(t) for t in layers]}}).encode()
        self.docker = docker
        self.type = DOCKER + "distribution.manifest.v2+json" if docker else OCI + "manifest.v1+json"
        self.manifest = json.dumps(self.document()).encode()

    def layer_type(self, packing):
        if self.docker:
            return DOCKER + "image.rootfs.diff.tar" + (".gzip" if packing else "")
        return OCI + "layer.v1.tar" + ("+" + packing if packing else "")

    def document(self):
        config = DOCKER + "container.image.v1+json" if self.docker else OCI + "config.v1+json"
        return {"schemaVersion": 2, "mediaType": self.type,
                "config": {"mediaType": config, "digest": digest(self.config), "size": len(self.config)},
                "layers": [{"mediaType": self.layer_type(p), "digest": digest(b), "size": len(b)}
                           for b, p in zip(self.layers, self.packings)]}

    def blobs(self):
        return {digest(b): b for b in [self.config, *self.layers]}

    def save(self, path, *names):
        """As `docker save` has it."""
        members = {f"{i}/layer.tar": t for i, t in enumerate(self.tars)}
        members["c.json"] = self.config
        members["manifest.json"] = json.dumps([{"Config": "c.json", "RepoTags": list(names),
                                                "Layers": [f"{i}/layer.tar" for i in range(len(self.tars))]}]).encode()
        with open(path, "wb") as f:
            f.write(tar(*members.items()))
        return path

    def layout(self, path, name=None):
        """An OCI layout as a directory."""
        os.makedirs(path + "/blobs/sha256")
        for d, b in {**self.blobs(), digest(self.manifest): self.manifest}.items():
            with open(path + "/blobs/sha256/" + d[7:], "wb") as f:
                f.write(b)
        row = {"mediaType": self.type, "digest": digest(self.manifest), "size": len(self.manifest)}
        if name:
            row["annotations"] = {"org.opencontainers.image.ref.name": name}
        for file, text in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [row]})):
            with open(f"{path}/{file}", "w") as f:
                json.dump(text, f)
        return path


def index(*images):
    rows = [{"mediaType": i.type, "digest": digest(i.manifest), "size": len(i.manifest),
             "platform": {"os": "linux", "architecture": json.loads(i.config)["architecture"]}} for i in images]
    return OCI + "index.v1+json", json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": rows}).encode()


def sample(packing=("gzip", "zstd", ""), arch="amd64", extra=b"", **more):
    """Three layers that add, replace, hide and link."""
    with open(BUSYBOX, "rb") as f:
        busybox = f.read()
    return Image(
        tar(("bin/", None), ("bin/busybox", busybox, 0o755), ("bin/sh", "=>bin/busybox"), ("bin/su", "su", 0o4755), ("etc/", None),
            ("etc/gone", "x"), ("etc/kept", "1" + arch), ("opt/", None), ("opt/a", "a"), ("opt/b", "b"), ("w/", None, 0o1777), ("extra", extra)),
        tar(("etc/", None), ("etc/.wh.gone", ""), ("etc/kept", "2"), ("opt/", None), ("opt/.wh..wh..opq", ""), ("opt/c", "c")),
        tar(("bin/", None), ("bin/ls", "=>bin/busybox"), ("link", "->etc/kept"), ("dir", None, 0o700), ("dir/f", "f", 0o600)),
        packing=packing, arch=arch, **more)
