"""A small Hugging Face hub on the loopback, which can stall, break off, redirect and lie.

    hub_server.py FOLDER SCENARIO.json

Serves the files of FOLDER as the one repository that the scenario describes. Prints two ports: of
the hub, and of the server that large files are redirected to where the scenario says so. Every
request is a line of FOLDER.log. Standard library only.

Scenario: repo, commit, revisions {name: commit}, cdn (redirect LFS files), token (needed for all),
no_blobs (the list of files without sizes and checksums), extra (entries added to the list), faults
{path of a file, or "listing": [fault of the first request, of the second, ...]}. The last fault is
used again when it holds "always".
"""

import hashlib
import http.server
import json
import pathlib
import sys
import threading
import time
import urllib.parse

FOLDER = pathlib.Path(sys.argv[1])
SCENARIO = json.loads(pathlib.Path(sys.argv[2]).read_text())
REPO = SCENARIO.get("repo", "owner/name")
COMMIT = SCENARIO["commit"]
REVISIONS = {"main": COMMIT, COMMIT: COMMIT} | SCENARIO.get("revisions", {})
FAULTS = SCENARIO.get("faults", {})
LOG = open(str(FOLDER) + ".log", "a")
LOCK = threading.Lock()
PORTS = {}


def is_lfs(path):
    return path.endswith(".safetensors") or path.endswith(".bin")


def content(path):
    return (FOLDER / path).read_bytes()


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def etag(path):
    data = content(path)
    return hashlib.sha256(data).hexdigest() if is_lfs(path) else git_sha1(data)


def paths():
    return sorted(p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file())


def sibling(path):
    entry = {"rfilename": path}
    if SCENARIO.get("no_blobs"):
        return entry
    data = content(path)
    entry |= {"size": len(data), "blobId": git_sha1(data)}
    if is_lfs(path):
        pointer = f"sha256:{etag(path)} {len(data)}".encode()
        entry["blobId"] = git_sha1(pointer)
        entry["lfs"] = {"sha256": etag(path), "size": len(data), "pointerSize": len(pointer)}
    return entry


def tree_entry(path):
    entry = sibling(path)
    tree = {"type": "file", "path": path, "size": entry["size"], "oid": entry["blobId"]}
    if "lfs" in entry:
        lfs = entry["lfs"]
        tree["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    return tree


def take_fault(key):
    with LOCK:
        faults = FAULTS.get(key, [])
        if not faults:
            return {}
        return faults[0] if faults[0].get("always") else faults.pop(0)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self):
        line = {"port": "hub" if self.server.server_port == PORTS["hub"] else "cdn",
                "method": self.command, "path": self.path, "host": self.headers.get("Host", ""), "range": self.headers.get("Range", ""),
                "authorization": self.headers.get("Authorization", "")}
        with LOCK:
            LOG.write(json.dumps(line) + "\n")
            LOG.flush()

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        headers = {"Content-Length": str(len(body))} | (headers or {})
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code, message):
        self.answer(status, json.dumps({"error": message}).encode(),
                    {"X-Error-Code": code, "X-Error-Message": message,
                     "Content-Type": "application/json"})

    def faulty(self, fault):
        """Answers as the fault says, where that needs no file; True when it did."""
        if "status" in fault:
            self.answer(fault["status"], fault.get("body", "").encode(), fault.get("headers"))
        elif "redirect" in fault:
            self.answer(302, b"", {"Location": fault["redirect"].format(**PORTS)})
        elif "close" in fault:
            self.close_connection = True
        else:
            return False
        return True

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.note()
        parts = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(parts.path)
        if path.startswith("/cdn/"):
            return self.send_file(path[len("/cdn/"):], take_fault("cdn:" + path[len("/cdn/"):]))
        token = SCENARIO.get("token")
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            if self.headers.get("Authorization"):
                return self.error(403, "GatedRepo", "Access to model is restricted")
            return self.error(401, "", "Invalid username or password.")
        api = f"/api/models/{REPO}"
        if path.startswith(api + "/revision/"):
            return self.send_listing(parts.path.rsplit("/", 1)[1])
        if path.startswith(api + "/tree/"):
            body = json.dumps([tree_entry(p) for p in paths()]).encode()
            return self.answer(200, body, {"Content-Type": "application/json"})
        resolve = f"/{REPO}/resolve/"
        if path.startswith(resolve):
            revision, _, file = path[len(resolve):].partition("/")
            return self.resolve(revision, file)
        self.error(404, "RepoNotFound", "Repository not found")

    def send_listing(self, quoted):
        fault = take_fault("listing")
        if self.faulty(fault):
            return
        revision = urllib.parse.unquote(quoted)
        if revision not in REVISIONS:
            return self.error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        siblings = [sibling(p) for p in paths()] + SCENARIO.get("extra", [])
        listing = {"id": REPO, "modelId": REPO, "sha": REVISIONS[revision], "private": False,
                   "siblings": siblings, "tags": [], "downloads": 0, "likes": 0}
        self.send_body(json.dumps(listing | fault.get("listing", {})).encode(), fault,
                       {"Content-Type": "application/json"})

    def resolve(self, revision, file):
        fault = take_fault(file)
        if self.faulty(fault):
            return
        if revision not in REVISIONS or not (FOLDER / file).is_file():
            return self.error(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": REVISIONS[revision], "ETag": f'"{etag(file)}"'}
        if "etag" in fault:
            headers["ETag"] = fault["etag"]
        if SCENARIO.get("cdn") and is_lfs(file):
            headers |= {"X-Linked-Etag": headers["ETag"], "ETag": '"of-the-redirect"',
                        "X-Linked-Size": str(len(content(file))),
                        "Location": f"http://127.0.0.1:{PORTS['cdn']}/cdn/"
                                    + urllib.parse.quote(file)}
            return self.answer(302, b"", headers)
        self.send_file(file, fault, headers)

    def send_file(self, file, fault, headers=None):
        if self.faulty(fault):
            return
        data = bytearray(content(file))
        if fault.get("wrong"):
            data[len(data) // 2] ^= 1
        self.send_body(bytes(data), fault, headers or {"ETag": '"of-the-cdn"'})

    def send_body(self, data, fault, headers):
        first = 0
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and not fault.get("ignore_range"):
            first = int(asked[len("bytes="):].split("-")[0])
            if first >= len(data):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        body = data[first:] + fault.get("longer", 0) * b"x"
        self.send_response(206 if first or fault.get("bad_range") else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        if first or fault.get("bad_range"):
            shown = first + fault.get("bad_range", 0)
            self.send_header("Content-Range", f"bytes {shown}-{len(data) - 1}/{len(data)}")
        if fault.get("without_length"):
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body) + fault.get("announce_more", 0)))
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = fault.get("break_after", fault.get("stall_after", len(body)))
        for at in range(0, stop if "trickle" in fault else 0, 50):
            self.wfile.write(body[at:at + 50])
            self.wfile.flush()
            time.sleep(fault["trickle"])
        self.wfile.write(body[:0 if "trickle" in fault else stop])
        self.wfile.flush()
        if "stall_after" in fault:
            time.sleep(fault["seconds"])
            if fault.get("goes_on"):
                self.wfile.write(body[stop:])
                stop = len(body)
        if stop < len(body) or "announce_more" in fault:
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):  # a client that went away is what the tests are about
        pass


hub = Server(("127.0.0.1", 0), Handler)
cdn = Server(("127.0.0.1", 0), Handler)
PORTS |= {"hub": hub.server_port, "cdn": cdn.server_port}
threading.Thread(target=cdn.serve_forever, daemon=True).start()
print(hub.server_port, cdn.server_port, flush=True)
# The one who started us holds the other end of stdin: when it ends, so do we.
threading.Thread(target=hub.serve_forever, daemon=True).start()
sys.stdin.read()
