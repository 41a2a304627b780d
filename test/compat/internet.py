"""What Argo's examples find on the Internet, on the loopback: a proxy that answers for the hosts that they ask, and the
Secrets that they mention. What it says is made up; only its form is that of the real servers."""
import atexit
import os
import shutil
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "http"))
import servers  # noqa: E402

HOSTS = ["raw.githubusercontent.com", "httpbin.org", "google.com", "www.google.com", "storage.googleapis.com", "github.com",
         "mywebhdfsprovider.com", "artifactory"]
REPOSITORIES = {  # below github.com: what its commits hold
    "argoproj/argo-workflows.git": [("v2.1.1", {"VERSION": "2.1.1"}), ("v2.1.2", {"VERSION": "2.1.2"})],
    "golang/example.git": [("first", {"hello.go": "package main"})],
}
SECRETS = {
    "oauth-sec": {"clientID": "me", "clientSecret": "mine", "tokenURL": "https://mywebhdfsprovider.com/token"},
    "my-artifactory-credentials": {"username": "me", "password": "mine"},
}
KNOWN_FILE = "/argoproj/argo-workflows/4e450e250168e6b4d51a126b784e90b11a0162bc/pkg/apis/workflow/v1alpha1/generated.swagger.json"


class Stand:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="skiff-internet-")
        self.kept = {"/webhdfs/v1/file.txt": b"a file in HDFS\n"}
        for name, commits in REPOSITORIES.items():
            servers.make_repository(os.path.join(self.folder, "git", name), commits)
        self.net = servers.Internet(self.folder, HOSTS, self.answer)
        images = os.path.join(self.folder, "images.yaml")
        with open(images, "w") as f:
            f.write("images: {golang: host}\n")  # for its git alone
        self.environment = dict(self.net.environment, SKIFF_IMAGES=images)
        self.secrets = os.path.join(self.folder, "secrets.yaml")
        self.write_secrets()

    def write_secrets(self):
        certificate = {key: open(os.path.join(self.folder, name)).read() for key, name in
                       (("certificate.pem", "client.crt"), ("key.pem", "client.key"))}
        with open(self.secrets, "w") as f:
            for name, data in dict(SECRETS, **{"cert-sec": certificate}).items():
                lines = "".join("  %s: %s\n" % (k, "|\n    " + v.replace("\n", "\n    ") if "\n" in v else v) for k, v in data.items())
                f.write("apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\nstringData:\n%s---\n" % (name, lines))

    def answer(self, r):
        page = {"raw.githubusercontent.com": self.raw, "httpbin.org": self.httpbin, "google.com": self.google,
                "www.google.com": self.google, "storage.googleapis.com": self.storage, "github.com": self.github,
                "mywebhdfsprovider.com": self.webhdfs, "artifactory": self.artifactory}.get(r.url_host)
        return page(r) if page else (404, [], b"no such host in the tests")

    def raw(self, r):
        return (200, [("Content-Type", "text/plain")], b'{"swagger": "2.0"}') if r.url_path == KNOWN_FILE else (404, [], b"404: Not Found")

    def httpbin(self, r):
        return int(r.url_path.rsplit("/", 1)[1]), [], b""

    def google(self, r):
        if r.url_host == "google.com":
            return 301, [("Location", "https://www.google.com/")], b""
        return 200, [], b"<title>Google</title><a href=https://www.google.com>"

    def storage(self, r):
        return 200, [], b"#!/bin/sh\necho Client Version: v1.8.0\n"

    def github(self, r):
        return servers.git_backend(os.path.join(self.folder, "git"), r)

    def webhdfs(self, r):
        if r.url_path == "/token":
            return 200, [], b'{"access_token": "t", "token_type": "Bearer", "expires_in": 60}'
        if r.headers.get("CustomHeader") != "CustomValue":
            return 400, [], b""
        if r.command == "PUT":
            self.kept["/out"] = r.body
            return 201, [], b""
        return (200, [], self.kept[r.url_path]) if r.headers.get("Authorization") == "Bearer t" else (401, [], b"")

    def artifactory(self, r):
        if r.headers.get("Authorization") != "Basic bWU6bWluZQ==":
            return 401, [], b""
        if r.command == "PUT":
            self.kept[r.url_path] = r.body
            return 201, [], b""
        return (200, [], self.kept[r.url_path]) if r.url_path in self.kept else (404, [], b"")

    def close(self):
        self.net.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_lock, _stand = threading.Lock(), None


def shared():
    """One for all files that ask for it, made with the first."""
    global _stand
    with _lock:
        if not _stand:
            _stand = Stand()
            atexit.register(_stand.close)
        return _stand
