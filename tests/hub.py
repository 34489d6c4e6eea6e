"""A hub on this machine: as much of its interface as an upload asks for, and what it was sent."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_of_a_test"


class Hub:
    """What the hub holds, and how it answers.

    Attributes:
        files: name and content of every branch.
        private: of each repository.
        refuses: a status with which everything is refused; 0 for none.
        large: endings of files that are uploaded apart from their commit.
        asked: method and path of every request.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.branches: set[str] = set()
        self.refuses = 0
        self.large: tuple[str, ...] = ()
        self.stored: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.sent = b""
        self.endpoint = ""

    def create(self, body: dict) -> tuple[int, dict]:
        name = f"{body['organization']}/{body['name']}"
        if name in self.private:
            return 409, {"error": "You already created this model repo"}
        self.private[name] = body.get("visibility") == "private"
        self.files[f"{name}@main"] = {}
        return 200, {"url": f"{self.endpoint}/{name}"}

    def ask(self, body: dict) -> tuple[int, dict]:
        return 200, {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(self.large) else "regular",
                    "shouldIgnore": False,
                }
                for file in body["files"]
            ]
        }

    def batch(self, body: dict) -> tuple[int, dict]:
        objects = [
            {**o, "actions": {"upload": {"href": f"{self.endpoint}/store/{o['oid']}"}}}
            for o in body["objects"]
        ]
        return 200, {"transfer": "basic", "objects": objects}

    def commit(self, name: str, branch: str, lines: list[dict]) -> tuple[int, dict]:
        if branch != "main" and f"{name}@{branch}" not in self.branches:
            return 404, {"error": "Invalid rev id"}
        held = self.files.setdefault(f"{name}@{branch}", {})
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                held[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                held[value["path"]] = self.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del held[value["path"]]
        oid = hashlib.sha1(repr(held).encode()).hexdigest()
        url = f"{self.endpoint}/{name}/commit/{oid}"
        return 200, {"success": True, "commitOid": oid, "commitUrl": url}

    def answer(self, path: str, body: bytes) -> tuple[int, object]:
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if path == "/api/validate-yaml":
            return 200, {"warnings": [], "errors": []}
        if path.endswith("/info/lfs/objects/batch"):
            return self.batch(json.loads(body))
        _, _, _, owner, name, what, branch = path.split("?")[0].split("/")
        repo = f"{owner}/{name}"
        if repo not in self.private:
            return 404, {"error": "Repository not found"}
        if what == "preupload":
            return self.ask(json.loads(body))
        if what == "branch":
            self.branches.add(f"{repo}@{branch}")
            return 200, {}
        if what == "tree":
            held = self.files.get(f"{repo}@{branch}", {})
            return 200, [
                {"type": "file", "path": n, "size": len(t), "oid": "0" * 40}
                for n, t in held.items()
            ]
        assert what == "commit", path
        return self.commit(repo, branch, [json.loads(line) for line in body.splitlines()])


def handler_of(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size + 2)[:-2]
                self.rfile.readline()
            hub.asked.append(f"{self.command} {self.path}")
            hub.sent += body
            if self.path.startswith("/store/"):
                hub.stored[self.path.removeprefix("/store/")] = body
                return self.say(200, {})
            if hub.refuses or self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.say(hub.refuses or 401, {"error": "no"})
            return self.say(*hub.answer(self.path, body))

        do_GET = do_POST = do_PUT = do

        def say(self, status: int, answer: object) -> None:
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None: ...

    return Handler


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers on loopback for as long as it is held."""
    hub = Hub()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(hub)) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
