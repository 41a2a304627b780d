"""The server that http templates of documents ask: http://server.example/PATH in a document leads to it.

    /text/WORD      WORD
    /status/CODE    that status, with its number as the body
    /echo           method, content of the header X-Said, and body, with blanks between
"""
import http.server
import threading

ADDRESS = "http://server.example/"


class Answer(http.server.BaseHTTPRequestHandler):
    def answer(self):
        kind, _, rest = self.path.lstrip("/").partition("/")
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length).decode()
        status, body = 200, rest
        if kind == "status":
            status, body = int(rest), rest
        elif kind == "echo":
            body = "%s %s %s" % (self.command, self.headers.get("X-Said", ""), sent)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *args):
        pass


def start():
    """The address of a server that lives as long as the program."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://127.0.0.1:%d/" % server.server_address[1]
