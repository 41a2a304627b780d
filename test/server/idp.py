"""An OpenID Connect provider on the loopback interface that says whatever a test wants, also what it should not."""
import base64
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import itertools
import json
import os
import ssl
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    def __init__(self, kid, kind="RSA", bits=2048):
        self.kid, self.kind = kid, kind
        self.private = ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else rsa.generate_private_key(65537, bits)

    def jwk(self):
        n = self.private.public_key().public_numbers()
        if self.kind == "EC":
            return {"kty": "EC", "kid": self.kid, "use": "sig", "crv": "P-256", "x": number(n.x, 32), "y": number(n.y, 32)}
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": number(n.n), "e": number(n.e)}

    def sign(self, data):
        if self.kind == "EC":
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def pem(self):
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def token(key, claims, alg=None, head=None, signature=None):
    """A JWT; alg HS256 signs with the public key's text, as forgers do, none with nothing."""
    alg = alg or ("ES256" if key.kind == "EC" else "RS256")
    head = {"alg": alg, "kid": key.kid, "typ": "JWT", **(head or {})}
    data = ".".join(b64(json.dumps({k: v for k, v in part.items() if v is not None}).encode()) for part in (head, claims))
    if signature is None:
        signature = (b"" if alg == "none" else hmac.new(key.pem(), data.encode(), hashlib.sha256).digest() if alg == "HS256"
                     else key.sign(data.encode()))
    return data + "." + b64(signature)


def certificate(directory):
    """Of this machine, signed by itself: the names of two files, certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    now = datetime.datetime.utcnow()
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
    files = os.path.join(directory, "idp.pem"), os.path.join(directory, "idp.key")
    with open(files[0], "wb") as f:
        f.write(made.public_bytes(serialization.Encoding.PEM))
    with open(files[1], "wb") as f:
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


class Provider:
    """Settings are attributes; what a test changes counts from the next request on. tls: the files of a certificate and its key."""

    def __init__(self, tls=None):
        self.keys = [Key("one")]
        self.published = None   # else the JWK set
        self.client, self.secret = "skiff", "s e:cret&1"
        self.who = {"sub": "u-1", "email": "ann@example.com", "email_verified": True, "name": "Ann", "groups": ["builders"]}
        self.change = {}        # claims that are other than they should be; None: absent
        self.make = token       # (key, claims) → ID token
        self.configuration = {}
        self.big = self.down = False
        self.userinfo = self.tell  # (handler) → None: answers who comes with the right access token
        self.access = "at-1"       # that token
        self.slow = None        # an event that answers to codes wait for
        self.codes, self.seen, self.asked = {}, [], []
        self.numbers = itertools.count()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body, headers=(), content_type="application/json"):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for k, v in (("Content-Type", content_type), ("Content-Length", str(len(data))), *headers):
                    if v is not None:
                        self.send_header(k, v)
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                provider.get(self)

            def do_POST(self):
                provider.post(self)

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):  # a client that goes away is part of the tests
                pass

        self.server = Threads(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def count(self, path):
        return sum(p == path for p in self.asked)

    def get(self, h):
        path, _, query = h.path.partition("?")
        self.asked.append(path)
        if self.down:
            h.answer(500, {})
        elif path == "/.well-known/openid-configuration":
            h.answer(200, {"issuer": self.url, "authorization_endpoint": self.url + "/authorize?tenant=1", "token_endpoint": self.url + "/token",
                           "jwks_uri": self.url + "/keys", **self.configuration})
        elif path == "/keys":
            h.answer(200, b" " * (1 << 20) if self.big else self.published or {"keys": [k.jwk() for k in self.keys]})
        elif path == "/away":
            h.answer(302, b"", [("Location", "http://localhost:1/keys")])
        elif path.rstrip("/") == "/userinfo":
            if h.headers.get("Authorization") == f"Bearer {self.access}":
                self.userinfo(h)
            else:
                h.answer(401, {"error": "invalid_token"})
        else:
            h.answer(404, {})

    def tell(self, h, **change):
        h.answer(200, {**self.who, **change})

    def authorize(self, location):
        """What a browser that is sent to `location`, and somebody who signs in there, bring back: code and state."""
        q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
        code = f"code-{next(self.numbers)}"
        self.codes[code] = q
        return code, q["state"]

    def claims(self, **more):
        now = time.time()
        c = {"iss": self.url, "aud": self.client, "iat": int(now), "exp": int(now) + 300, **self.who, **more, **self.change}
        return {k: v for k, v in c.items() if v is not None}

    def post(self, h):
        body = h.rfile.read(int(h.headers["Content-Length"])).decode()
        q = dict(urllib.parse.parse_qsl(body))
        self.asked.append(h.path)
        self.seen.append((q, h.headers.get("Authorization")))
        began = self.codes.pop(q.get("code"), None)  # once
        if self.slow:
            self.slow.wait(30)
        challenge = b64(hashlib.sha256(q.get("code_verifier", "").encode()).digest())
        right = "Basic " + base64.b64encode(":".join(urllib.parse.quote(x, safe="") for x in (self.client, self.secret)).encode()).decode()
        posted = (q.get("client_id"), q.get("client_secret")) == (self.client, self.secret)
        if h.headers.get("Authorization") != right and not posted:
            h.answer(401, {"error": "invalid_client"})
        elif not began or began["code_challenge"] != challenge or q["redirect_uri"] != began["redirect_uri"]:
            h.answer(400, {"error": "invalid_grant"})
        elif self.big:
            h.answer(200, b" " * (1 << 20))
        else:
            h.answer(200, {"access_token": self.access, "token_type": "Bearer", "id_token": self.make(self.keys[0], self.claims(nonce=began["nonce"]))})
