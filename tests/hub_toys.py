"""A hub on this machine: as much of the protocol of huggingface.co as pushing and fetching weights takes."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_good"
REPO = r"/api/models/(?P<repo>[^/]+/[^/]+)"


class Hub(ThreadingHTTPServer):
    """Repositories: by name, their commits, oldest first, each with its files."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.branches: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, repo: str, branch: str, files: dict[str, bytes]) -> str:
        commits = self.repos[repo]
        whole = commits.get(self.branches.get((repo, branch), ""), {}) | files
        name = hashlib.sha1(repr((len(commits), sorted(whole))).encode()).hexdigest()
        commits[name] = whole
        self.branches[repo, branch] = name
        return name

    def files(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]]:
        name = self.branches.get((repo, revision), revision)
        return name, self.repos[repo][name]


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _say(self, body: object, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _missing(self, code: str) -> None:
        self._say({"error": "not found"}, 404, X_Error_Code=code)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.server.asked.append(f"POST {path}")
        if path == "/api/validate-yaml":
            self._say({"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._say({"error": "Invalid username or password."}, 401)
        elif path == "/api/repos/create":
            wanted = json.loads(body)
            repo = f"{wanted['organization']}/{wanted['name']}"
            if repo in self.server.repos:
                place = {"url": f"{self.server.url}/{repo}", "name": repo, "id": repo}
                self._say(place | {"error": "You already created this model repo"}, 409)
            else:
                self.server.repos[repo] = {}
                self.server.commit(repo, "main", {".gitattributes": b""})
                self._say({"url": f"{self.server.url}/{repo}", "name": repo, "id": repo})
        elif found := re.fullmatch(rf"{REPO}/branch/(?P<branch>.+)", path):
            key = found["repo"], found["branch"]
            if key in self.server.branches:
                self._say({"error": "Reference already exists"}, 409)
            else:
                self.server.branches[key] = self.server.branches[found["repo"], "main"]
                self._say({})
        elif (found := re.fullmatch(rf"{REPO}/preupload/(?P<branch>.+)", path)) and not self._has_branch(found):
            self._missing("RevisionNotFound")
        elif found := re.fullmatch(rf"{REPO}/preupload/.+", path):
            names = [file["path"] for file in json.loads(body)["files"]]
            self._say({"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]})
        elif found := re.fullmatch(rf"{REPO}/commit/(?P<branch>.+)", path):
            lines = [json.loads(line) for line in body.splitlines()]
            files = {
                line["value"]["path"]: base64.b64decode(line["value"]["content"])
                for line in lines
                if line["key"] == "file"
            }
            name = self.server.commit(found["repo"], found["branch"], files)
            self._say({"commitUrl": f"{self.server.url}/{found['repo']}/commit/{name}", "commitOid": name})
        else:
            self._missing("")

    def _has_branch(self, found: re.Match[str]) -> bool:
        return (found["repo"], found["branch"]) in self.server.branches

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        info = re.fullmatch(rf"{REPO}(/(?P<what>revision|tree)/(?P<revision>.+))?", path)
        file = re.fullmatch(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)", path)
        found = info or file
        if not found or found["repo"] not in self.server.repos:
            self._missing("RepoNotFound")
            return
        try:
            name, files = self.server.files(found["repo"], found["revision"] or "main")
        except KeyError:
            self._missing("RevisionNotFound")
            return
        if file and file["file"] not in files:
            self._missing("EntryNotFound")
        elif file:
            data = files[file["file"]]
            self._say(data, X_Repo_Commit=name, ETag=f'"{hashlib.sha1(data).hexdigest()}"')
        elif found["what"] == "tree":
            self._say(
                [
                    {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for path, data in files.items()
                ]
            )
        else:
            self._say({"id": found["repo"], "sha": name, "siblings": [{"rfilename": path} for path in files]})

    do_HEAD = do_GET


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
