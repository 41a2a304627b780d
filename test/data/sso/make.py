#!/usr/bin/env python3
"""Makes keys.json and tokens.tsv: ID tokens signed by another library (cryptography) than the one that checks them here.

Each run makes other keys, so both files are kept. A line of tokens.tsv: what is said of it (ok, or a part of the message), what it is,
the token. All are for client `skiff` of https://idp.example, made at 1700000000 and good for five minutes."""
import base64
import hashlib
import hmac
import json
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HERE = os.path.dirname(os.path.abspath(__file__))
SHA = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"256": (ec.SECP256R1(), "P-256", 32), "384": (ec.SECP384R1(), "P-384", 48), "512": (ec.SECP521R1(), "P-521", 66)}
RSA = rsa.generate_private_key(65537, 2048)
SMALL = rsa.generate_private_key(65537, 1024)
EC = {bits: ec.generate_private_key(c[0]) for bits, c in CURVES.items()}
ED = ed25519.Ed25519PrivateKey.generate()
CLAIMS = {"iss": "https://idp.example", "aud": "skiff", "sub": "ann", "iat": 1700000000, "exp": 1700000300, "nonce": "n", "groups": ["a", "b"]}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


def sign(alg, data):
    kind, sha = alg[:2], SHA.get(alg[2:])
    if kind == "RS":
        return RSA.sign(data, padding.PKCS1v15(), sha)
    if kind == "PS":
        return RSA.sign(data, padding.PSS(padding.MGF1(sha), sha.digest_size), sha)
    if kind == "ES":
        r, s = utils.decode_dss_signature(EC[alg[2:]].sign(data, ec.ECDSA(sha)))
        size = CURVES[alg[2:]][2]
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if alg == "EdDSA":
        return ED.sign(data)
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hmac.new(pem if alg == "HS256" else b"secret-of-the-oct-key", data, hashlib.sha256).digest()


def token(alg, kid, head=None, signature=None, claims=None):
    head = {"alg": alg, **({"kid": kid} if kid else {}), **(head or {})}
    data = b64(json.dumps(head).encode()) + "." + (claims or b64(json.dumps(CLAIMS).encode()))
    return data + "." + b64(sign(alg, data.encode()) if signature is None else signature)


def rsa_jwk(key, **more):
    n = key.public_key().public_numbers()
    return {"kty": "RSA", "n": number(n.n), "e": number(n.e), **more}


def ec_jwk(bits):
    n, (_, crv, size) = EC[bits].public_key().public_numbers(), CURVES[bits]
    return {"kty": "EC", "kid": "ec" + bits, "crv": crv, "x": number(n.x, size), "y": number(n.y, size)}


KEYS = [rsa_jwk(RSA, kid="rsa", use="sig"), rsa_jwk(RSA, kid="enc", use="enc"), rsa_jwk(RSA, kid="ps", alg="PS256"), rsa_jwk(SMALL, kid="small"),
        *(ec_jwk(bits) for bits in CURVES), {"kty": "oct", "kid": "oct", "k": b64(b"secret-of-the-oct-key")},
        {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(ED.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))},
        {"kty": "EC", "kid": "half", "crv": "P-256", "x": number(1, 32)}, {"kid": "nothing"}, 7]

good = token("RS256", "rsa")
head, payload, signature = good.split(".")
other = b64(json.dumps({**CLAIMS, "sub": "eve"}).encode())
LINES = [
    *(("ok", alg, token(alg, "rsa")) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    *(("ok", "ES" + bits, token("ES" + bits, "ec" + bits)) for bits in CURVES),
    ("ok", "no kid, one key of that curve", token("ES256", None)), ("ok", "no kid, one key of that algorithm", token("RS256", None)),
    ("which of", "no kid, several keys", token("PS256", None)),
    ("ok", "the key's own algorithm", token("PS256", "ps")), ("does not have", "another than the key's", token("RS256", "ps")),
    ("does not have", "a key for encryption", token("RS256", "enc")), ("does not have", "a key that is too small", token("RS256", "small")),
    ("does not have", "half a key", token("ES256", "half")), ("does not have", "an unknown key", token("RS256", "other")),
    ("does not have", "a key of another curve", token("ES256", "ec384")), ("does not have", "a key of another kind", token("ES256", "rsa")),
    ("algorithm", "none", token("none", "rsa", signature=b"x")), ("no signature", "none, with nothing", token("none", "rsa", signature=b"")),
    ("algorithm", "nOnE", token("nOnE", "rsa", signature=b"x")), ("algorithm", "the public key as a secret", token("HS256", "rsa")),
    ("algorithm", "the secret key of the set", token("HS256", "oct")), ("algorithm", "EdDSA", token("EdDSA", "ed")),
    ("algorithm", "a list of algorithms", token("RS256", "rsa", {"alg": ["RS256"]})), ("algorithm", "no algorithm", token("RS256", "rsa", {"alg": None})),
    ("crit", "crit", token("RS256", "rsa", {"crit": ["b64"], "b64": False})), ("typ", "an access token", token("RS256", "rsa", {"typ": "at+jwt"})),
    ("ok", "typ in small letters", token("RS256", "rsa", {"typ": "jwt"})), ("`kid`", "kid is a number", token("RS256", "rsa", {"kid": 1})),
    ("not signed", "another's claims", f"{head}.{other}.{signature}"), ("not signed", "another head", ".".join([b64(b'{"alg":"RS384","kid":"rsa"}'), payload, signature])),
    ("not signed", "a signature of zeros", f"{head}.{payload}.{b64(bytes(256))}"), ("not signed", "a short one", f"{head}.{payload}.{b64(bytes(10))}"),
    ("not signed", "ES256, as DER", token("ES256", "ec256", signature=EC["256"].sign(b"x", ec.ECDSA(SHA["256"])))),
    ("not signed", "ES256, of zeros", token("ES256", "ec256", signature=bytes(64))),
    ("three parts", "two parts", f"{head}.{payload}"), ("base64url", "padding", f"{head}=.{payload}.{signature}"), ("three parts", "four parts", good + ".x"),
    ("base64url", "other letters", f"{head}+.{payload}.{signature}"), ("object", "claims are a list", token("RS256", "rsa", claims=b64(b"[1]"))),
    ("object", "claims are nothing", token("RS256", "rsa", claims=b64(b" "))),
    ("twice", "a claim twice", token("RS256", "rsa", claims=b64(json.dumps(CLAIMS).encode()[:-1] + b',"sub":"eve"}'))),
    ("three parts", "an encrypted token", ".".join(["a"] * 5)), ("three parts", "empty parts", ".."), ("three parts", "nothing", ""),
]

with open(os.path.join(HERE, "keys.json"), "w") as f:
    json.dump({"keys": KEYS}, f, indent=1)
    f.write("\n")
with open(os.path.join(HERE, "tokens.tsv"), "w") as f:
    f.writelines("\t".join(line) + "\n" for line in LINES)
