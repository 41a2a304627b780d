"""Single sign-on at a provider that does what it should, and at one that does not (idp.py)."""
import json
import re
import select
import tempfile
import threading
import urllib.parse

import auth
import idp
from elsewhere import Away
from server import Server, common

RULES = """
rules:
- group: platform
  role: admin
- group: builders
  role: run
  namespaces: [default, builds]
- when: "email endsWith '@example.com' && email_verified"
  role: view
"""
ME, LIST, SUBMIT = ("GET", "/api/v1/userinfo"), auth.LIST, auth.SUBMIT
SESSIONS = "/api/v1/skiff/sessions"


class Signed:
    """A server, its provider, and a browser."""

    def __init__(self, skiff, rules=RULES, provider=None, url="http://127.0.0.1/oauth2/callback", **settings):
        self.p = provider or idp.Provider()
        self.s = Server(skiff)
        self.env = {"SKIFF_SERVER_AUTH": "sso", "SKIFF_SSO_ISSUER": self.p.url, "SKIFF_SSO_CLIENT_ID": self.p.client,
                    "SKIFF_SSO_CLIENT_SECRET": self.p.secret, "SKIFF_SSO_REDIRECT_URL": url,
                    "SKIFF_SSO_RULES": self.s.place.file("rules.yaml", rules), **settings}
        self.cookies = {}

    def start(self):
        self.s.start(env=self.env)
        common.wait_for(lambda: self.s.ask("GET", "/oauth2/redirect")[0] != 503, "the provider to be known")
        return self

    def ask(self, method, target, body=None, headers=None):
        """As this browser: with its cookies, and keeping new ones."""
        held = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        status, answer, data = self.s.ask(method, target, body, {**({"Cookie": held} if held else {}), **(headers or {})})
        for line in answer.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0;" in line:
                del self.cookies[name]
        return status, answer, data

    def go(self, redirect="/ui?x=1"):
        """To the provider; where the browser is sent."""
        status, headers, e = self.ask("GET", "/oauth2/redirect?redirect=" + urllib.parse.quote(redirect, safe=""))
        if status != 302:
            raise RuntimeError(f"redirect: {status} {e}")
        return headers["Location"]

    def back(self, code, state):
        return self.ask("GET", f"/oauth2/callback?{urllib.parse.urlencode({'code': code, 'state': state})}")

    def sign_in(self, redirect="/ui?x=1"):
        return self.back(*self.p.authorize(self.go(redirect)))

    def leave_waiting(self):
        """The connection of a browser that has come back and has no answer yet; the next one begins anew."""
        code, state = self.p.authorize(self.go())
        c = self.s.connect()
        c.request("GET", f"/oauth2/callback?code={code}&state={state}", headers={"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())})
        self.cookies = {}
        return c

    def fresh(self):
        """No cookies, and nothing is held against this address: it is the server's memory that knows."""
        self.cookies = {}
        self.s.kill()
        return self.start()

    def fresh_failing(self):
        """The same where the provider is not as it should be."""
        self.cookies = {}
        self.s.kill()
        self.s.start(env=self.env)
        return self

    def bearer(self, key=None, **claims):
        return auth.bearer(idp.token(key or self.p.keys[0], self.p.claims(**claims)))

    def close(self):
        self.s.close()
        self.p.close()


def one_signs_in(score, skiff):
    x = Signed(skiff).start()
    location = x.go()
    q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    score.check(location.startswith(x.p.url + "/authorize?tenant=1&response_type=code&client_id=skiff&"), f"sent to {location}")
    score.check(q["scope"] == "openid profile email" and q["code_challenge_method"] == "S256" and len(q["code_challenge"]) == 43 and
                len(q["state"]) == 43 and len(q["nonce"]) == 43 and q["redirect_uri"] == x.env["SKIFF_SSO_REDIRECT_URL"], f"with {q}")
    cookie, = [c for c in x.cookies if c.startswith("skiff-login-")]
    score.check(q["nonce"] not in x.cookies[cookie] and q["state"] not in x.cookies[cookie], "the cookie does not tell what is sent")
    status, headers, _ = x.back(*x.p.authorize(location))
    set_cookies = headers.get_all("Set-Cookie") or []
    session = [c for c in set_cookies if c.startswith("authorization=")]
    score.check(status == 302 and headers["Location"] == "/ui?x=1" and headers["Cache-Control"] == "no-store", f"signed in: {status} {headers}")
    score.check(len(session) == 1 and re.fullmatch(r'authorization="Bearer sks_[0-9a-f_]{81}"; Path=/; Max-Age=36000; HttpOnly; SameSite=Lax', session[0]),
                f"{session}")
    score.check(list(x.cookies) == ["authorization"], f"the other cookie is taken away: {list(x.cookies)}")
    form, basic = x.p.seen[0]
    score.check(form["grant_type"] == "authorization_code" and "client_secret" not in form and basic.startswith("Basic "), f"redeemed: {form}")
    status, _, me = x.ask(*ME)
    want = {"issuer": x.p.url, "subject": "u-1", "email": "ann@example.com", "emailVerified": True, "name": "Ann", "groups": ["builders"]}
    score.check(status == 200 and me == want, f"userinfo: {status} {me}")
    own = {"Origin": f"http://127.0.0.1:{x.s.port}"}
    status, _, wf = x.ask(*SUBMIT, {"workflow": auth.HOLD}, own)
    score.check(status == 200 and auth.creator(wf) == {"creator": "u-1", "creator-email": "ann.at.example.com"}, f"may run, and is named: {status} {wf}")
    score.check(x.ask(*SUBMIT, {"workflow": auth.HOLD})[0] == 403, "a cookie without Origin does not count")
    status, _, e = x.ask("GET", auth.OWN)
    score.check(status == 403 and "'ann@example.com' has the role run" in e["message"], f"not everything: {status} {e}")
    status, _, e = x.ask("GET", "/api/v1/workflows/prod")
    score.check(status == 403 and "'ann@example.com' is not for namespace prod" in e["message"], f"not everywhere: {status} {e}")
    score.check(x.s.ask(*LIST)[0] == 401, "who shows nothing is nobody")
    x.s.kill()
    x.s.start("-v", env=x.env)
    score.check(x.ask(*ME)[0] == 200, "the session survives a kill")
    common.wait_for(lambda: x.s.ask("GET", "/oauth2/redirect")[0] != 503, "the provider to be known")
    code, state = x.p.authorize(x.go())
    score.check(x.back(code, state)[0] == 302 and x.s.stop() == 0, "in again")
    lines = auth.audit(x.s)
    told = [(n["method"], n["path"], n["status"], n["token"], n.get("subject"), n.get("email"), n.get("issuer")) for n in lines]
    person = ("", "u-1", "ann@example.com", x.p.url)
    score.check(told[0] == ("GET", "/oauth2/callback", 302, *person) and ("POST", SUBMIT[1], 200, *person) in told, f"audit: {told}")
    with open(x.s.place.state + "/audit.log") as f:
        text = f.read() + x.s.said
    secret = x.cookies["authorization"].split("_")[2].rstrip('"')
    score.check("/oauth2/callback" in x.s.said and not [w for w in (code, state, "code-", "sks_", x.p.secret) if w in text], f"nothing secret is noted: {x.s.said}")
    with open(x.s.place.state + "/skiff.db", "rb") as f:
        score.check(secret.encode() not in f.read(), "nor stored")
    x.close()


def out_again(score, skiff):
    x = Signed(skiff).start()
    x.sign_in()
    held = dict(x.cookies)
    own = {"Origin": f"http://127.0.0.1:{x.s.port}"}
    score.check(x.ask("POST", "/oauth2/logout")[0] == 403 and x.ask(*ME)[0] == 200, "not by a page of somebody else")
    status, _, e = x.ask("POST", "/oauth2/logout", headers=own)
    score.check(status == 200 and "authorization" not in x.cookies, f"out: {status} {e}")
    x.cookies = held
    status, _, e = x.ask(*ME)
    score.check(status == 401 and "sign in again" in e["message"], f"the session is over, not the cookie alone: {status} {e}")
    x.cookies = {}
    x.sign_in()
    x.p.who = {**x.p.who, "sub": "u-2", "email": "bob@example.com", "groups": ["platform"]}
    admin = x.bearer()
    status, _, listed = x.s.ask("GET", SESSIONS, headers=admin)
    score.check(status == 200 and [(i["subject"], i["email"]) for i in listed["items"]] == [("u-1", "ann@example.com")], f"listed: {listed}")
    score.check("sks_" not in json.dumps(listed) and "hash" not in json.dumps(listed), "without secrets")
    score.check(x.ask("GET", SESSIONS, headers={})[0] == 403, "by admins alone")
    score.check(x.s.ask("DELETE", SESSIONS + "/ann%40example.com", headers=admin)[0] == 200 and x.ask(*ME)[0] == 401, "an admin ends it")
    score.check(x.s.ask("DELETE", SESSIONS + "/ann%40example.com", headers=admin)[0] == 404, "once")
    x.p.who = {**x.p.who, "sub": "a|b/c %1"}
    x.cookies = {}
    x.sign_in()
    said = x.s.place.call("session", "list").stdout
    score.check("a|b/c %1" in said and "bob@example.com" in said and x.ask(*ME)[0] == 200, f"the command line sees it: {said}")
    ran = x.s.place.call("session", "delete", "a|b/c %1")
    score.check(ran.returncode == 0 and x.ask(*ME)[0] == 401, f"and ends it: {ran.stderr}")
    score.check(x.s.place.call("session", "delete", "a|b/c %1").returncode == 4, "once, too")
    x.p.who = {**x.p.who, "sub": "u-3", "email": None}
    x.cookies = {}
    x.sign_in()
    score.check(x.s.ask("DELETE", SESSIONS + "/", headers=admin)[0] == 400 and x.s.place.call("session", "delete", "").returncode and x.ask(*ME)[0] == 200,
                "nobody is not everybody without an email")
    away = Away(skiff, x.s.url, ARGO_TOKEN=admin["Authorization"])
    said = away.call("session", "list").stdout
    score.check("u-3" in said, f"an admin elsewhere sees it, too: {said}")
    ran = away.call("session", "delete", said.splitlines()[-1].split()[0])
    score.check(ran.returncode == 0 and x.ask(*ME)[0] == 401, f"and ends it: {ran.stderr}")
    away.close()
    x.close()


def where_it_leads(score, skiff):
    x = Signed(skiff, url="https://skiff.example/oauth2/callback").start()
    for redirect, want in (("/", "/"), ("/a/b?c=d#e", "/a/b?c=d#e"), ("", "/"), ("https://skiff.example/x", "/x"), ("https://skiff.example", "/")):
        status, headers, e = x.sign_in(redirect)
        score.check(status == 302 and headers["Location"] == want, f"{redirect}: {status} {headers['Location']} {e}")
        score.check(all("; Secure" in c for c in headers.get_all("Set-Cookie")), "browsers come by HTTPS: so do cookies")
    for scheme, want in (("http", 403), ("https", 200)):
        got = x.ask(*SUBMIT, {"workflow": auth.HOLD}, {"Origin": f"{scheme}://127.0.0.1:{x.s.port}"})[0]
        score.check(got == want, f"and so do the pages that may use them: {scheme}: {got}")
    tabs = [x.p.authorize(x.go(f"/tab{i}")) for i in range(3)]
    led = [x.back(*tab)[1]["Location"] for tab in reversed(tabs)]
    score.check(led == ["/tab2", "/tab1", "/tab0"], f"several at once in one browser: {led}")
    for redirect in ("//evil.example", "/\\evil.example", "https://evil.example/", "http://skiff.example/", "https://skiff.example.evil.example/",
                     "https://skiff.example@evil.example/", "javascript:alert(1)", "evil", "/a\r\nSet-Cookie: a=b", "/\t/evil.example", "/" + "a" * 3000,
                     "https:evil", "\\\\evil.example", "https://skiff.example//evil.example"):
        status, headers, e = x.ask("GET", "/oauth2/redirect?redirect=" + urllib.parse.quote(redirect, safe=""))
        score.check(status == 400 and not headers["Location"] and not headers["Set-Cookie"], f"{redirect!r}: {status} {headers['Location']}")
    x.close()


def begun_by_somebody_else(score, skiff):
    """State and cookie belong together; a code counts once."""
    x = Signed(skiff).start()
    other = Signed(skiff, provider=x.p)
    other.s.close()
    other.s = x.s
    code, state = x.p.authorize(x.go())
    mine = dict(x.cookies)

    def refused(what, status=403):
        got, headers, e = x.back(code, state)
        score.check(got == status and "authorization" not in x.cookies and not headers["Location"], f"{what}: {got} {e}")

    x.cookies = {}
    refused("no cookie: a foreign page sent the browser here")
    other.go()
    x.cookies = dict(other.cookies)
    refused("another browser's cookie")
    (name, value), = mine.items()
    (_, foreign), = other.cookies.items()
    x.cookies = {name: foreign}
    refused("its value under the right name")
    x.cookies = {name: re.sub(r"\.\d+\.", ".99999999999.", value)}
    refused("one that would last longer")
    x.cookies = {name: value.rsplit(".", 1)[0] + "." + idp.b64(b"//evil.example")}
    refused("one that would lead elsewhere")
    for wrong in ("", "x" * 43, state[:-1] + ("A" if state[-1] != "A" else "B"), state + "A", "a b", "%00"):
        got, _, e = x.back(code, wrong)
        score.check(got == 403, f"state {wrong!r}: {got} {e}")
        if wrong == "x" * 43:
            x = x.fresh()
            code, state = x.p.authorize(x.go())
    score.check(x.p.count("/token") == 0, "nobody was asked")
    x = x.fresh()
    code, state = x.p.authorize(x.go())
    held = dict(x.cookies)
    score.check(x.back(code, state)[0] == 302, "as it should be")
    x.cookies = held
    got, _, e = x.back(code, state)
    score.check(got == 403 and "invalid_grant" in e["message"], f"a code again: {got} {e}")
    x.go()
    got, _, e = x.ask("GET", f"/oauth2/callback?error=access_denied&state={state}")
    score.check(got == 403, f"an error counts with a state alone: {e}")
    code, state = x.p.authorize(x.go())
    got, _, e = x.ask("GET", f"/oauth2/callback?error=access_denied&error_description=%3Cscript%3E&state={state}")
    score.check(got == 403 and e["message"].endswith(": access_denied") and "script" not in e["message"], f"refused by the provider: {e}")
    code, state = x.p.authorize(x.go())
    score.check(x.ask("GET", f"/oauth2/callback?state={state}")[0] == 400, "no code")
    x.close()


def tokens_that_do_not_count(score, skiff):
    x = Signed(skiff).start()
    now = int(idp.time.time())
    other = idp.Key("one")
    ec, small = idp.Key("e", "EC"), idp.Key("small", bits=1024)
    x.p.keys += [ec]
    cases = [  # name, claims, how it is made, what is said
        ("expired", {"exp": now - 60}, None, "expired"), ("no end", {"exp": None}, None, "exp"), ("no begin", {"iat": None}, None, "iat"),
        ("an end that is text", {"exp": "tomorrow"}, None, "time"), ("an end that is not finite", {"exp": 1e300}, None, "time"),
        ("not yet", {"nbf": now + 600}, None, "nbf"), ("from the future", {"iat": now + 600}, None, "iat"),
        ("another audience", {"aud": "other"}, None, "aud"), ("audiences without us", {"aud": ["a", "b"]}, None, "aud"), ("no audience", {"aud": None}, None, "aud"),
        ("several, no azp", {"aud": ["skiff", "b"]}, None, "azp"), ("another azp", {"azp": "other"}, None, "azp"),
        ("another issuer", {"iss": "https://evil.example"}, None, "iss"), ("a slash more", {"iss": x.p.url + "/"}, None, "iss"),
        ("no subject", {"sub": None}, None, "sub"), ("a subject that is a number", {"sub": 7}, None, "sub"),
        ("another nonce", {"nonce": "x"}, None, "nonce"), ("no nonce", {"nonce": None}, None, "nonce"),
        ("nobody signed it", {}, lambda k, c: idp.token(k, c, "none"), "no signature"),
        ("none, with a signature", {}, lambda k, c: idp.token(k, c, "none", signature=b"x"), "algorithm"),
        ("a shared secret that is the public key", {}, lambda k, c: idp.token(k, c, "HS256"), "algorithm"),
        ("another key of that name", {}, lambda k, c: idp.token(other, c), "not signed"),
        ("a key of another kind", {}, lambda k, c: idp.token(ec, c, head={"kid": "one"}), "does not have"),
        ("another algorithm than the key's", {}, lambda k, c: idp.token(k, c, "RS512"), "does not have"),
        ("an access token", {}, lambda k, c: idp.token(k, c, head={"typ": "at+jwt"}), "typ"),
        ("asks for an extension", {}, lambda k, c: idp.token(k, c, head={"crit": ["exp"]}), "crit"),
        ("a key that it brings along", {}, lambda k, c: idp.token(other, c, head={"kid": "two", "jwk": other.jwk()}), "does not have"),
        ("cut off", {}, lambda k, c: idp.token(k, c)[:-9], "signature"), ("no token", {}, lambda k, c: "x", "three parts"),
        ("changed", {}, lambda k, c: swapped(idp.token(k, c)), "not signed"),
    ]
    for i, (name, change, make, text) in enumerate(cases):
        if i % 4 == 3:
            x = x.fresh()  # else the address is not listened to
        x.cookies = {}
        x.p.change, x.p.make = change, make or idp.token
        status, headers, e = x.sign_in()
        score.check(status == 403 and text in e["message"] and "authorization" not in x.cookies, f"signing in, {name}: {status} {e}")
        if "nonce" in change:
            continue  # who shows a token has none
        status, headers, e = x.s.ask(*ME, headers=auth.bearer((make or idp.token)(x.p.keys[0], x.p.claims())))
        score.check(status == 401 and (text in e["message"] or "token" in e["message"]) or status == 503, f"shown, {name}: {status} {e}")
    x = x.fresh()
    x.p.change, x.p.make = {}, lambda k, c: idp.token(ec, c)
    score.check(x.sign_in()[0] == 302, "an elliptic curve is fine")
    x.p.keys = [ec, small]
    x = x.fresh()
    x.p.make = lambda k, c: idp.token(small, c)
    score.check(x.sign_in()[0] == 403, "a key that is too small is none")
    x.close()


def swapped(token):
    head, payload, signature = token.split(".")
    claims = json.loads(idp.base64.urlsafe_b64decode(payload + "=="))
    return ".".join((head, idp.b64(json.dumps({**claims, "groups": ["platform"]}).encode()), signature))


def machines(score, skiff):
    """ID tokens straight from the provider, and tokens of ours beside them."""
    x = Signed(skiff, SKIFF_SSO_AUDIENCES="ci other").start()
    score.check(x.s.ask(*SUBMIT, {"workflow": auth.HOLD}, x.bearer())[0] == 200, "shown as it is")
    score.check(x.s.ask(*LIST, headers=x.bearer(aud="ci", azp="whoever"))[0] == 200, "another audience that is let in")
    score.check(x.s.ask(*LIST, headers=x.bearer(aud="cix"))[0] == 401, "and one that is not")
    score.check(x.s.ask(*LIST, headers=x.bearer(exp=idp.time.time() - 5.5))[0] == 200, "clocks may differ a little")
    status, _, e = x.s.ask(*LIST, headers=x.bearer(groups=["others"], email="x@evil.example"))
    score.check(status == 403 and "no rule lets 'x@evil.example' in" in e["message"], f"no rule: {status} {e}")
    score.check(x.s.ask("GET", "/api/v1/workflows/", headers=x.bearer(groups=["others"]))[0] == 200, "the last rule is about all namespaces")
    score.check(x.s.ask(*LIST, headers=x.bearer(groups=None, email_verified=False))[0] == 403, "an email that nobody has checked")
    ours = auth.made(x.s, "robot", "view")
    score.check(x.s.ask(*LIST, headers=auth.bearer(ours))[0] == 200 and "skt_" not in x.s.said, "tokens of ours as ever; none is made unasked")
    status, _, e = x.s.ask(*LIST, headers=auth.bearer("a" * 40000 + ".b.c"))
    score.check(status in (401, 413) and len(e["message"]) < 200, f"a token that is too large: {status} {e}")
    x.close()


def new_keys(score, skiff):
    x = Signed(skiff).start()
    x.sign_in()
    x.p.keys = [idp.Key("two")]
    x.cookies = {}
    score.check(x.sign_in()[0] == 302, "a sign-in waits for a key that is new")
    x.p.keys = [idp.Key("three"), *x.p.keys]
    status, headers, e = x.s.ask(*LIST, headers=x.bearer())
    score.check(status == 503 and headers["Retry-After"] == "1", f"a token that is shown comes again: {status} {e}")
    common.wait_for(lambda: x.s.ask(*LIST, headers=x.bearer())[0] == 200, "the new key")
    before = x.p.count("/keys")
    lost = idp.Key("lost")
    got = []

    def shown():
        got.append(x.s.ask(*LIST, headers=x.bearer(key=lost))[0])
        return got[-1] == 429
    common.wait_for(shown, "the address not to be listened to")
    asked = x.p.count("/keys") - before
    score.check(asked <= 1 and set(got) == {401, 429, 503} and got.count(401) == 10, f"unknown keys are no flood: {asked} {got}")
    score.check(x.p.count("/keys") <= 4 and x.p.count("/.well-known/openid-configuration") <= 4, f"four in a minute: {x.p.asked}")
    score.check(x.s.ask(*LIST, headers=x.bearer())[0] in (200, 429), "and nothing is forgotten meanwhile")
    x.close()


def why_not(x):
    """What is said of a provider that cannot be used; None: it is not known yet."""
    status, headers, e = x.ask("GET", "/oauth2/redirect")
    return e["message"] if status == 503 and headers["Retry-After"] and "not answered yet" not in e["message"] else None


def a_provider_that_fails(score, skiff):
    def text_of(x):
        return common.wait_for(lambda: why_not(x), "the failure to be known")

    for change, text in (({"issuer": "https://evil.example"}, "calls itself 'https://evil.example'"), ({"jwks_uri": "http://evil.example/keys"}, "`jwks_uri`"),
                         ({"token_endpoint": "file:///etc/passwd"}, "`token_endpoint`"), ({"authorization_endpoint": None}, "`authorization_endpoint`"),
                         ({"jwks_uri": "AWAY"}, "302")):
        x = Signed(skiff)
        x.p.configuration = {k: x.p.url + "/away" if v == "AWAY" else v for k, v in change.items()}
        x.s.start(env=x.env)
        said = text_of(x)
        score.check(text in said, f"{change}: {said}")
        score.check(x.s.ask(*LIST, headers=x.bearer())[0] == 503 and x.s.ask("GET", "/healthz")[0] == 200, "the server is well")
        x.close()
    for setting, text in (("down", "500"), ("big", "larger than")):
        x = Signed(skiff)
        setattr(x.p, setting, True)
        x.s.start(env=x.env)
        said = text_of(x)
        score.check(text in said, f"{setting}: {said}")
        setattr(x.p, setting, False)
        common.wait_for(lambda: x.ask("GET", "/oauth2/redirect")[0] == 302, "it to be asked again")
        setattr(x.p, setting, True)
        if setting == "big":
            status, _, e = x.sign_in()
            score.check(status == 413, f"a huge answer to a code: {status} {e}")
        x.close()
    x = Signed(skiff, SKIFF_SSO_CLIENT_SECRET="wrong").start()
    status, _, e = x.sign_in()
    score.check(status == 403 and "invalid_client" in e["message"] and "wrong" not in e["message"], f"a wrong secret: {status} {e}")
    x.close()
    x = Signed(skiff)
    x.p.configuration = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    x.start()
    score.check(x.sign_in()[0] == 302 and x.p.seen[0][1] is None, "one that takes the secret in the form alone")
    x.close()


def by_tls(score, skiff):
    """Who vouches for the provider: the system, or a file of one's own."""
    with tempfile.TemporaryDirectory() as place:
        pem, key = idp.certificate(place)
        x = Signed(skiff, provider=idp.Provider(tls=(pem, key)))
        x.s.start(env=x.env)
        said = common.wait_for(lambda: why_not(x), "the failure to be known")
        score.check("certificate" in said and not x.p.asked, f"a certificate that nobody vouches for: {said}")
        x.s.kill()
        x.env["SKIFF_SSO_CA_FILE"] = pem
        x.start()
        score.check(x.sign_in()[0] == 302 and x.ask(*ME)[2]["issuer"].startswith("https://"), "one that the file vouches for")
        x.env["SKIFF_SSO_CA_FILE"], x.env["SKIFF_SSO_INSECURE_SKIP_VERIFY"], x.env["SKIFF_SSO_USERINFO_PATH"] = "", "true", "/userinfo"
        x = x.fresh()
        score.check(x.sign_in()[0] == 302 and "sso.insecure_skip_verify" in x.s.said, f"one that nobody is to vouch for: {x.s.said}")
        x.p.configuration = {"jwks_uri": x.p.url.replace("https:", "http:") + "/keys"}
        x = x.fresh_failing()
        said = common.wait_for(lambda: why_not(x), "the failure to be known")
        score.check("`jwks_uri`" in said, f"keys come by HTTPS alone where the issuer does: {said}")
        x.close()


def slow_answers(score, skiff):
    """A provider that takes its time keeps nobody else waiting; sign-ins that wait are bounded, and go with their browsers."""
    x = Signed(skiff).start()
    x.p.slow = threading.Event()
    waiting = []

    def begin():
        waiting.append(x.leave_waiting())

    for _ in range(64):
        begin()
    common.wait_for(lambda: x.p.count("/token") == 64, "all to be asked")
    score.check(x.s.ask("GET", "/healthz")[0] == 200 and x.s.ask(*LIST, headers=x.bearer())[0] == 200, "others are answered")
    begin()
    r = waiting.pop().getresponse()
    score.check(r.status == 503 and r.headers["Retry-After"] == "2", f"one more than may: {r.status}")
    waiting.pop(0).close()

    def room():
        before = x.p.count("/token")
        begin()
        c = waiting.pop()
        taken = common.wait_for(lambda: x.p.count("/token") > before or select.select([c.sock], [], [], 0)[0], "it to be asked for, or refused") is True
        c.close()
        return taken
    common.wait_for(room, "room that a browser left behind")
    first = waiting.pop(0)
    x.p.slow.set()
    r = first.getresponse()
    score.check(r.status == 302, f"and one is signed in: {r.status} {r.read()}")
    x.p.slow.clear()
    begin()
    score.check(x.s.stop() == 0, f"a server ends while it waits: {x.s.said[-300:]}")
    x.p.slow.set()
    for c in waiting:
        c.close()
    x.close()


def wrong_again(score, skiff):
    x = Signed(skiff).start()
    x.sign_in()
    x.ask(*ME)
    x.p.change = {"aud": "other"}
    got = [x.sign_in()[0] for _ in range(12)]
    score.check(got == [403] * 10 + [429] * 2, f"ten are answered: {got}")
    score.check(x.s.ask(*LIST, headers=x.bearer())[0] == 429, "nothing new is tried from there")
    score.check(x.s.ask("GET", "/oauth2/redirect")[0] == 302 and x.ask(*ME)[0] == 200, "who was signed in before still is")
    x.close()


def left_open(score, skiff):
    """A page goes on asking after its session is over: that does not keep its user from signing in again."""
    x = Signed(skiff).start()
    x.sign_in()
    score.check(x.ask(*ME)[0] == 200, "in")
    held = dict(x.cookies)
    score.check(x.ask("POST", "/oauth2/logout", headers={"Origin": f"http://127.0.0.1:{x.s.port}"})[0] == 200, "out")
    x.cookies = dict(held)
    got = [x.ask(*ME)[0] for _ in range(12)]
    score.check(got == [401] * 12, f"what was right once is no guess: {got}")
    score.check(x.sign_in()[0] == 302 and x.ask(*ME)[0] == 200, "in again")
    right = held["authorization"]
    x.cookies = {"authorization": right[:-2] + ("1" if right[-2] == "0" else "0") + '"'}
    got = [x.ask(*ME)[0] for _ in range(12)]
    score.check(got == [401] * 10 + [429] * 2, f"another is: {got}")
    x.close()


USERINFO = {"SKIFF_SSO_USERINFO_PATH": "/userinfo"}


def groups_of(x):
    """What somebody who signs in has."""
    x.cookies = {}
    status, _, e = x.sign_in()
    return x.ask(*ME)[2].get("groups", []) if status == 302 else (status, e)


def groups_elsewhere(score, skiff):
    """The userinfo endpoint tells the groups, and nothing else."""
    x = Signed(skiff, **USERINFO).start()
    x.p.change = {"groups": ["platform"]}  # in the ID token
    for told, want in ((["builders"], ["builders"]), ("builders", ["builders"]), ([], []), (None, []), (["builders", 7, None, ["platform"]], ["builders"]), ({"platform": 1}, [])):
        x.p.userinfo = lambda h, told=told: x.p.tell(h, groups=told, email="root@evil.example", iss="https://evil.example")
        score.check((got := groups_of(x)) == want, f"{told}: {got}")
        score.check(x.ask(*ME)[2]["email"] == "ann@example.com", "the rest is the ID token's")
    for content_type in ("application/json; charset=utf-8", "Application/JSON ;x=y"):
        x.p.userinfo = lambda h, t=content_type: h.answer(200, {"sub": "u-1", "groups": ["builders"]}, content_type=t)
        score.check((got := groups_of(x)) == ["builders"], f"{content_type}: {got}")
    x.p.userinfo = x.p.tell
    x.p.keys = [idp.Key("two")]
    score.check((got := groups_of(x)) == ["builders"], f"after a key that was waited for: {got}")
    x.p.userinfo = lambda h: h.answer(200, {"sub": "u-1"}) if h.path.endswith("/") else h.answer(307, b"", [("Location", x.p.url + "/userinfo/")])
    score.check((got := groups_of(x)) == [], f"a redirect to the same place: {got}")
    x.p.userinfo = x.p.tell
    groups_of(x)
    asked = x.p.count("/userinfo")
    x.s.kill()
    x.start()
    score.check(x.ask(*ME)[2]["groups"] == ["builders"] and x.p.count("/userinfo") == asked, "a session keeps them")
    score.check(x.s.ask(*ME, headers=x.bearer(groups=["builders"]))[2]["groups"] == ["platform"], "a token that is shown has those that it claims")
    x.close()
    x = Signed(skiff, SKIFF_SSO_GROUPS_CLAIM="teams", **USERINFO).start()
    x.p.userinfo = lambda h: x.p.tell(h, groups=["platform"], teams=["builders"])
    score.check((got := groups_of(x)) == ["builders"], f"another claim: {got}")
    x.close()


def empty_answer(h):
    h.close_connection = True


def userinfo_that_fails(score, skiff):
    """A sign-in is refused, in words, when the groups cannot be had; the access token goes to nobody else."""
    x = Signed(skiff, **USERINFO).start()
    away = idp.Provider()
    heard = []
    away.userinfo = lambda h: heard.append("right") or away.tell(h)

    def moved(to):
        return lambda h: h.answer(302, b"", [("Location", to)])
    cases = [("not let in", lambda h: h.answer(403, {}), 403, "(403, sso.userinfo_path"), ("nothing", lambda h: h.answer(204, b""), 403, "(204"),
             ("not well", lambda h: h.answer(500, {}), 503, "answers 500"), ("no answer", empty_answer, 503, "sso.userinfo_path"),
             ("a page", lambda h: h.answer(200, x.p.who, content_type="text/html"), 403, "no application/json"), ("signed", lambda h: h.answer(200, b"a.b.c", content_type="application/jwt"), 403, "no application/json"),
             ("of no type", lambda h: h.answer(200, x.p.who, content_type=None), 403, "no application/json"), ("no JSON", lambda h: h.answer(200, b"{"), 403, "no JSON object"),
             ("no object", lambda h: h.answer(200, ["u-1"]), 403, "no JSON object"), ("nothing in it", lambda h: h.answer(200, b""), 403, "no JSON object"),
             ("no text", lambda h: h.answer(200, b'{"sub":"u-1","groups":["\xff\xfe"]}'), 403, "no JSON object"),
             ("deep", lambda h: h.answer(200, b'{"sub":"u-1","groups":' + b"[" * 100000), 403, "no JSON object"), ("twice", lambda h: h.answer(200, b'{"sub":"u-2","sub":"u-1"}'), 403, "no JSON object"),
             ("about nobody", lambda h: h.answer(200, {"groups": ["platform"]}), 403, "(sub)"), ("about somebody else", lambda h: x.p.tell(h, sub="u-2"), 403, "(sub)"),
             ("a number", lambda h: x.p.tell(h, sub=1), 403, "(sub)"), ("large", lambda h: h.answer(200, b" " * (1 << 20)), 413, "larger than"),
             ("many groups", lambda h: x.p.tell(h, groups=[f"group {i}" for i in range(2000)]), 413, "claims are larger"),
             ("elsewhere", moved("http://localhost:1/userinfo"), 403, "(302"), ("to another port", moved(away.url + "/userinfo"), 403, "(401"), ("round and round", moved(x.p.url + "/userinfo"), 413, "redirects")]
    refusals, said = 0, ""
    for name, answer, status, text in cases:
        x.p.userinfo = answer
        x.cookies = {}
        got, headers, e = x.sign_in()
        score.check(got == status and text in e["message"] and "authorization" not in x.cookies and not headers["Location"], f"{name}: {got} {e}")
        refusals += status == 403
        if refusals == 8:  # two more, and the address is not listened to
            x.s.stop()
            said, refusals = said + x.s.said, 0
            x.start()
    score.check("/userinfo" in away.asked and not heard, "another port is not told who asks")
    x.p.userinfo = x.p.tell
    for token in (None, "", "a\r\nX: y", "a b", 7):
        x.p.access = token
        got, _, e = x.sign_in()
        score.check(got == 403 and "no access token" in e["message"], f"access token {token!r}: {got} {e}")
    score.check(x.s.stop() == 0, "an orderly end")
    said += x.s.said
    score.check("a sign-in from 127.0.0.1 failed: the provider's userinfo is not about who signed in (sub)" in said and "at-1" not in said, f"the log: {said}")
    away.close()
    x.close()


def slow_userinfo(score, skiff):
    """It keeps nobody else waiting; a browser that leaves is no trouble, nor is an end."""
    x = Signed(skiff, **USERINFO).start()
    go = threading.Event()
    x.p.userinfo = lambda h: go.wait(common.LIMIT_S) and x.p.tell(h)
    browsers = []

    def begin():
        browsers.append(x.leave_waiting())
        common.wait_for(lambda: x.p.count("/userinfo") == len(browsers), "it to be asked")
    for _ in range(3):
        begin()
    score.check(x.s.ask("GET", "/healthz")[0] == 200 and x.s.ask(*LIST, headers=x.bearer())[0] == 200, "others are answered")
    browsers[0].close()
    r = browsers[1].getresponse()
    score.check(r.status == 504 and b"asking for groups" in r.read(), f"in the end it is given up: {r.status}")
    begin()
    go.set()
    r = browsers[3].getresponse()
    score.check(r.status == 302, f"and comes late, but well: {r.status} {r.read()}")
    go.clear()
    begin()
    score.check(x.s.stop() == 0, f"a server ends while it waits: {x.s.said[-300:]}")
    go.set()
    for c in browsers:
        c.close()
    x.close()


def filtered(score, skiff):
    """Only groups that one of the expressions is found in."""
    many = [f"somebody-else-{i}" for i in range(2000)]
    x = Signed(skiff, SKIFF_SSO_GROUPS_FILTER="^build  argo-wf|argo-workflow", **USERINFO).start()
    x.p.change = {"groups": None}  # in the ID token
    x.p.who["groups"] = ["platform", "a build", *many, "builders", "x-argo-wf-y", "Argo-WF"]
    score.check((got := groups_of(x)) == ["builders", "x-argo-wf-y"], f"filtered: {str(got)[:300]}")
    score.check(x.ask("GET", auth.OWN)[0] == 403, "what is left out lets nobody in")
    x.p.who["groups"] = "platform"
    score.check((got := groups_of(x)) == [], f"one text: {got}")
    x.p.who["groups"], x.p.change = ["platform", "builders"], {}
    score.check(x.s.ask(*ME, headers=x.bearer())[2]["groups"] == ["builders"] and x.s.ask("GET", auth.OWN, headers=x.bearer())[0] == 403, "shown: the same")
    groups_of(x)
    x.env["SKIFF_SSO_GROUPS_FILTER"] = "^never$"
    x.s.kill()
    x.start()
    score.check(x.ask(*ME)[2].get("groups", []) == [], "another filter counts for sessions that there are")
    x.env["SKIFF_SSO_GROUPS_FILTER"] = "^(a|a|b|ab)*c$ ^build"
    x = x.fresh()
    x.p.who["groups"] = ["builders", "ab" * 60 + "cx"]
    got = groups_of(x)
    score.check(got[0] == 413 and "sso.groups_filter" in got[1]["message"], f"one that takes too long: {got}")
    score.check(x.s.ask(*ME, headers=x.bearer())[2].get("groups", []) == [], "and nobody is in a group by it")
    x.close()


def another_name(score, skiff):
    """A provider that calls itself something else in its tokens."""
    alias = "https://tokens.example/{tenant}"
    x = Signed(skiff, SKIFF_SSO_ISSUER_ALIAS=alias)
    x.p.configuration = {"issuer": "https://whatever.example"}
    x.start()
    status, _, e = x.sign_in()
    score.check(status == 403 and "(iss)" in e["message"], f"tokens of the issuer: {status} {e}")
    x.p.change = {"iss": alias}
    score.check(x.sign_in()[0] == 302 and x.ask(*ME)[2]["issuer"] == alias and x.s.ask(*ME, headers=x.bearer())[0] == 200, "tokens of that name")
    x.close()


def a_foreign_page(score, skiff):
    """It sends browsers to the callback with states that nobody has: that holds nobody up, and fills no log."""
    x = Signed(skiff).start()
    code, state = x.p.authorize(x.go())
    held = x.cookies
    begun, = [c for c in held if c.startswith("skiff-login-")]
    made_up = ["", "x" * 43, "a b", state[:-1] + ("A" if state[-1] != "A" else "B"), begun.removeprefix("skiff-login-") + "A" * 31]
    for cookies in ({}, held, {begun: "x"}, {"skiff-login-" + "x" * 12: held[begun]}):
        x.cookies = dict(cookies)
        got = [x.back(code, wrong)[0] for wrong in made_up * 4]
        score.check(got == [403] * len(got), f"{cookies}: {got}")
        score.check(x.cookies == cookies, f"what the browser has begun it still has: {x.cookies}")
    score.check(x.s.ask(*LIST, headers=x.bearer())[0] == 200 and x.p.count("/token") == 0, "what others show from there is still looked at")
    x.cookies = dict(held)
    score.check(x.back(code, state)[0] == 302 and x.ask(*ME)[0] == 200, "and the sign-in ends well")
    told = [(n["path"], n["status"]) for n in auth.audit(x.s)]
    score.check(told == [("/oauth2/callback", 302)], f"audit: {told}")
    x.close()


def settings(score, skiff):
    x = Signed(skiff)
    place = x.s.place

    def start(**env):
        return place.call("server", "--port", "0", env={**x.env, **env})

    cases = [({"SKIFF_SSO_ISSUER": ""}, 2, "`sso.issuer` is not set"), ({"SKIFF_SSO_ISSUER": "http://idp.example"}, 2, "sso.issuer"),
             ({"SKIFF_SSO_REDIRECT_URL": "https://x/"}, 2, "sso.redirect_url"), ({"SKIFF_SSO_REDIRECT_URL": "http://x/oauth2/callback"}, 2, "sso.redirect_url"),
             ({"SKIFF_SSO_REDIRECT_URL": "https://x/argo/oauth2/callback"}, 2, "sso.redirect_url"), ({"SKIFF_SSO_REDIRECT_URL": "https://x?/oauth2/callback"}, 2, "sso.redirect_url"),
             ({"SKIFF_SSO_REDIRECT_URL": "HTTPS://x/oauth2/callback"}, 2, "sso.redirect_url"), ({"SKIFF_SSO_CA_FILE": "/absent.pem"}, 11, "sso.ca_file"),
             ({"SKIFF_SSO_SCOPES": "profile"}, 2, "openid"), ({"SKIFF_SSO_SESSION_HOURS": "0"}, 2, "session_hours"),
             ({"SKIFF_SSO_USERINFO_PATH": "userinfo"}, 2, "sso.userinfo_path"), ({"SKIFF_SSO_USERINFO_PATH": "@evil.example/"}, 2, "sso.userinfo_path"),
             ({"SKIFF_SSO_USERINFO_PATH": "/a\nb"}, 2, "sso.userinfo_path"), ({"SKIFF_SSO_USERINFO_PATH": "/a#b"}, 2, "sso.userinfo_path"),
             ({"SKIFF_SSO_GROUPS_FILTER": "a ("}, 2, "sso.groups_filter: error parsing regexp"), ({"SKIFF_SSO_GROUPS_FILTER": "(?=a)"}, 2, "sso.groups_filter"),
             ({"SKIFF_SSO_GROUPS_FILTER": "a " * 101}, 2, "LIMIT_SSO_FILTERS"), ({"SKIFF_SSO_INSECURE_SKIP_VERIFY": "maybe"}, 2, "insecure_skip_verify"),
             ({"SKIFF_SSO_CLIENT_SECRET_FILE": "/etc/hostname"}, 2, "both set"),
             ({"SKIFF_SSO_RULES": place.file("r1", "rules:\n- group: a\n  rol: run\n")}, 3, "r1:3:"),
             ({"SKIFF_SSO_RULES": place.file("r2", "rules:\n- when: \"email ==\"\n  role: run\n")}, 3, "r2:2:"),
             ({"SKIFF_SSO_RULES": place.file("r3", "rules:\n- role: run\n")}, 3, "`group` or `when`"),
             ({"SKIFF_SSO_RULES": place.file("r4", "rules: []\n")}, 3, "`rules`, a list"),
             ({"SKIFF_SSO_RULES": place.file("r5", "rules:\n- group: a\n  role: run\n  namespaces: []\n")}, 3, "r5:4:")]
    for env, status, text in cases:
        ran = start(**env)
        score.check(ran.returncode == status and text in ran.stderr, f"{env}: {ran.returncode} {ran.stderr}")
        score.check(x.p.secret not in ran.stderr, "no secret is shown")
    x.env.pop("SKIFF_SSO_CLIENT_SECRET")
    x.env["SKIFF_SSO_CLIENT_SECRET_FILE"] = place.file("secret", x.p.secret + "\n")
    x.start()
    score.check(x.sign_in()[0] == 302, "a secret in a file")
    with open(f"/proc/{x.s.proc.pid}/cmdline") as f:
        score.check(x.p.secret not in f.read(), "and in no argument")
    other = idp.Provider()
    for url, status, text in ((other.url, 401, "another provider"), (x.p.url, 200, "")):
        x.s.kill()
        x.s.start(env={**x.env, "SKIFF_SSO_ISSUER": url})
        got, _, e = x.ask(*ME)
        score.check(got == status and text in str(e), f"a session is for the provider that it came from: {url}: {got} {e}")
    other.close()
    x.env["SKIFF_SSO_RULES"] = place.file("rules2.yaml", "rules:\n- group: platform\n  role: admin\n")
    x.s.kill()
    x.s.start(env=x.env)
    status, _, e = x.ask(*ME)
    score.check(status == 403 and "no rule" in e["message"], f"other rules count for sessions that there are: {status} {e}")
    x.s.kill()
    x.s.start("--auth", "token")
    score.check(x.ask(*ME)[0] == 401 and x.ask("GET", "/oauth2/redirect")[0] == 404, "without sso a session is nothing")
    x.close()


CASES = (one_signs_in, out_again, where_it_leads, begun_by_somebody_else, tokens_that_do_not_count, machines, new_keys, a_provider_that_fails,
         by_tls, slow_answers, wrong_again, a_foreign_page, left_open, groups_elsewhere, userinfo_that_fails, slow_userinfo, filtered,
         another_name, settings)
