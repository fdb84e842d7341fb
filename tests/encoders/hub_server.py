"""A stand-in for the model hub on the loopback address: what its client asks for, and ways to fail."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "1f" * 20
REPOSITORY = "google/tipsv2-b14"
LARGE = ("model.safetensors", "tokenizer.model")  # the hub files these under their SHA-256, and sends them by its CDN


class HubServer:
    """Serves files of one repository; ``asked`` lists (method, path, range, authorization) of every request.

    Args:
        files: name to content, on the main branch.
        announced: name to the content whose hash is announced, where it is another.
        revisions: name of a branch, tag or commit to its commit and its files.
        repository: its name.
    """

    def __init__(self, files, announced=None, revisions=None, repository=REPOSITORY):
        self.repository = repository
        self.files, self.announced = files, {**files, **(announced or {})}
        self.revisions = {"main": (COMMIT, files), COMMIT: (COMMIT, files), **(revisions or {})}
        self.cut_after = None  # bytes of model.safetensors after which the hub falls silent, once
        self.drops_all = False  # close every connection without an answer
        self.asked = []
        self.port = 0
        self._server = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Listen, on the earlier port if there was one."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Handler", (_Handler,), {"hub": self}))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self):
        """Refuse connections from now on."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"


def large_hash(content):
    return hashlib.sha256(content).hexdigest()


def small_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub = None
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def log_message(self, *_):
        pass

    def _answer(self):
        asked = (self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization"))
        self.hub.asked.append(asked)
        if self.hub.drops_all:
            self.close_connection = True
            return
        folder, _, name = self.path.rpartition("/")
        resolve = f"/{self.hub.repository}/resolve/"
        revision = folder.removeprefix(resolve if folder.startswith(resolve) else "/cdn/")
        if not folder.startswith((resolve, "/cdn/")):
            self._head(404, 0, {"X-Error-Code": "RepoNotFound"})
        elif revision not in self.hub.revisions:
            self._head(404, 0, {"X-Error-Code": "RevisionNotFound"})
        elif name not in self.hub.revisions[revision][1]:
            self._head(404, 0, {"X-Error-Code": "EntryNotFound"})
        else:
            self._file(revision, name, folder.startswith("/cdn/"))

    def _file(self, revision, name, is_cdn):
        commit, files = self.hub.revisions[revision]
        announced = self.hub.announced[name] if revision == "main" else files[name]
        if is_cdn:
            self._content(files, name, {"X-Repo-Commit": commit})
        elif name in LARGE:
            self._head(
                302,
                0,
                {
                    "ETag": '"something-else"',
                    "X-Linked-Etag": f'"{large_hash(announced)}"',
                    "X-Linked-Size": str(len(announced)),
                    "Location": f"http://localhost:{self.hub.port}/cdn/{revision}/{name}",
                    "X-Repo-Commit": commit,
                },
            )
        else:
            self._content(files, name, {"ETag": f'"{small_hash(announced)}"', "X-Repo-Commit": commit})

    def _content(self, files, name, headers):
        content = files[name]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        rest = content[start:]
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self._head(206 if start else 200, len(rest), {**headers, "Accept-Ranges": "bytes", **span})
        if self.command == "HEAD":
            return
        cut = self.hub.cut_after if name == "model.safetensors" else None
        self.wfile.write(rest[:cut])
        if cut is not None:
            self.hub.cut_after = None
            self.wfile.flush()
            self.close_connection = True
            self.hub.stop()

    def _head(self, status, length, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
