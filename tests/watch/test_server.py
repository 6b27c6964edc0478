"""The live page's server: who gets in, what they get, and that a training never waits for them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn.watch.live import serve
from nn.watch.server import Server, follow
from nn.watch.store import FRAMES, Folder, Memory

ROOT = Path(__file__).parents[2]
HEADER = {"format": "glassgrad-run", "version": 1, "title": "m", "every": 1, "parameters": []}


def line(step: int, **more: Any) -> str:
    return json.dumps({"step": step, "loss": 1.0} | more)


@pytest.fixture
def memory() -> Memory:
    store = Memory()
    store.write_header(dict(HEADER))
    for step in range(3):
        store.append(line(step))
    return store


@pytest.fixture
def server(memory: Memory) -> Iterator[Server]:
    made = Server(lambda server: "<h1>the page</h1>", follow(memory), control=_control)
    yield made
    made.close()


def _control(wish: Any) -> Any:
    if wish != {"do": "start"}:
        raise ValueError("send start")
    return {"running": True}


def ask(
    server: Server, path: str, host: str | None = None, method: str = "GET", body: Any = None,
    **headers: str,
) -> tuple[int, bytes, Any]:  # fmt: skip
    """Status, body and headers of one request, with the Host header as given."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    given = {"Host": host or f"127.0.0.1:{server.server_port}", **headers}
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in given.items()})
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.headers
    connection.close()
    return found


class Stream:
    """The events of a server, one by one."""

    def __init__(self, server: Server, last: str | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        headers = {"Last-Event-ID": last} if last else {}
        self.connection.request("GET", f"/events?token={server.token}", headers=headers)
        self.answer = self.connection.getresponse()
        assert self.answer.headers.get_content_type() == "text/event-stream"
        self.last = last

    def __next__(self) -> tuple[str, Any]:
        fields: dict[str, str] = {}
        while True:
            text = self.answer.fp.readline().decode()
            assert text, "the stream has ended"
            if text == "\n" and "event" in fields:
                self.last = fields.get("id", self.last)
                return fields["event"], json.loads(fields["data"])
            name, _, value = text.rstrip("\n").partition(": ")
            if name:
                fields[name] = value

    def take(self, count: int) -> list[tuple[str, Any]]:
        return [next(self) for _ in range(count)]

    def close(self) -> None:
        self.connection.close()
        self.answer.close()


# --- who gets in --------------------------------------------------------------------------


def test_it_listens_on_this_machine_only(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    own = [a for *_, a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for address in {a[0] for a in own} - {"127.0.0.1"}:
        if address.startswith("127."):
            continue
        with pytest.raises(OSError, match=r"."):
            socket.create_connection((address, server.server_port), timeout=0.5)


def test_the_page_comes_with_its_token(server: Server) -> None:
    status, body, headers = ask(server, f"/?token={server.token}")
    assert (status, body) == (200, b"<h1>the page</h1>")
    assert server.url == f"http://127.0.0.1:{server.server_port}/?token={server.token}"
    assert len(server.token) >= 32
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/events", "/control", "/nothing"])
@pytest.mark.parametrize("token", ["", "?token=", "?token=wrong", "?other=1", "?token=%00ü"])
def test_without_the_token_nothing_is_told(server: Server, path: str, token: str) -> None:
    status, body, _ = ask(server, (path + token).replace("ü", "%C3%BC"))
    assert status == 403
    assert b"token is missing" in body
    assert server.token.encode() not in body


def test_another_host_is_refused(server: Server) -> None:
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", "127.0.0.1:1"):
        assert ask(server, f"/?token={server.token}", host)[0] == 403
    assert ask(server, f"/?token={server.token}", f"localhost:{server.server_port}")[0] == 200


def test_another_page_is_refused(server: Server) -> None:
    path = f"/control?token={server.token}"
    body, kind = '{"do": "start"}', "application/json"
    own = f"http://127.0.0.1:{server.server_port}"
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        given = {"Origin": origin, "Content_Type": kind}
        assert ask(server, path, method="POST", body=body, **given)[0] == 403
    status, told, _ = ask(server, path, method="POST", body=body, Origin=own, Content_Type=kind)
    assert (status, json.loads(told)) == (200, {"running": True})


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
     "/run.json", "/frames.jsonl", "/index.html", "/events/../run.json", "/etc/passwd"],
)  # fmt: skip
def test_no_file_is_served(server: Server, path: str) -> None:
    status, body, _ = ask(server, f"{path}?token={server.token}")
    assert (status, body) == (404, b"there is no such page\n")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_other_methods_do_nothing(server: Server, method: str) -> None:
    assert ask(server, f"/?token={server.token}", method=method)[0] == 501


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ('{"do": "stop"}', "application/json", "send start"),
        ('{"do": ', "application/json", "Expecting value"),
        ('{"do": "start"}', "text/plain", "Content-Type: application/json"),
        ("x" * 70_000, "application/json", "between 1 and 65536 bytes, not 70000"),
        ("", "application/json", "not 0"),
    ],
)
def test_wrong_wishes_are_told(server: Server, body: str, kind: str, told: str) -> None:
    path = f"/control?token={server.token}"
    try:
        status, answer, _ = ask(server, path, method="POST", body=body, Content_Type=kind)
    except ConnectionError:  # it hung up on too long a body
        assert len(body) > 65_536
        return
    assert status == 400
    assert told in json.loads(answer)["error"]


def test_a_port_that_is_taken_is_told(server: Server, memory: Memory) -> None:
    with pytest.raises(OSError, match=f"port {server.server_port} cannot be used"):
        Server(lambda server: "", follow(memory), port=server.server_port)


def test_closing_ends_it(server: Server) -> None:
    stream = Stream(server)
    stream.take(4)
    server.close()
    server.close()
    with pytest.raises((AssertionError, ConnectionError)):
        stream.take(1)
    with pytest.raises(ConnectionError):
        ask(server, "/")


# --- what they get ------------------------------------------------------------------------


def test_frames_come_as_they_are_written(server: Server, memory: Memory) -> None:
    stream = Stream(server)
    assert stream.take(4) == [
        ("header", HEADER), *[("frame", {"step": s, "loss": 1.0}) for s in range(3)],
    ]  # fmt: skip
    memory.append(line(3))
    assert next(stream) == ("frame", {"step": 3, "loss": 1.0})
    memory.write_header(HEADER | {"ended": True})
    assert next(stream)[1]["ended"]
    assert next(stream) == ("end", {})
    stream.close()


def test_a_page_that_comes_back_gets_the_rest(server: Server, memory: Memory) -> None:
    stream = Stream(server)
    stream.take(4)
    stream.close()
    memory.append(line(3))
    again = Stream(server, stream.last)
    assert [told for kind, told in again.take(2) if kind == "frame"] == [{"step": 3, "loss": 1.0}]
    again.close()


def test_frames_that_were_thinned_out_come_anew(server: Server, memory: Memory) -> None:
    stream = Stream(server)
    stream.take(4)
    memory.replace([line(0), line(2)])
    assert next(stream) == ("reset", {})
    assert [told["step"] for _, told in stream.take(2)] == [0, 2]
    stream.close()
    again = Stream(server, "1-3")  # of frames as they were before
    assert [kind for kind, _ in again.take(4)] == ["reset", "header", "frame", "frame"]
    again.close()


@pytest.mark.parametrize("mark", ["nonsense", "-1--1", "99-99", "1-", "1-9999999", "1-" + "9" * 99])
def test_a_wrong_mark_is_no_harm(server: Server, mark: str) -> None:
    stream = Stream(server, mark)
    kinds = [next(stream)[0]]
    while kinds[-1] != "frame":
        kinds.append(next(stream)[0])
    assert kinds in (["header", "frame"], ["reset", "header", "frame"])
    stream.close()


def test_a_page_that_never_reads_holds_nobody_up(server: Server, memory: Memory) -> None:
    sleeper = socket.create_connection(("127.0.0.1", server.server_port))
    sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host = f"127.0.0.1:{server.server_port}"
    sleeper.sendall(f"GET /events?token={server.token} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    begun = time.perf_counter()
    for step in range(3, 3000):
        memory.append(line(step, pad="x" * 5000))
    assert time.perf_counter() - begun < 10  # it would wait for ever
    stream = Stream(server)  # others are served
    assert [told["step"] for kind, told in stream.take(50) if kind == "frame"] == list(range(49))
    stream.close()
    sleeper.close()


# --- a training in a process of its own ------------------------------------------------------

TRAINING = """
import sys, numpy as np, nn, autograd
folder, epochs, resume = sys.argv[1], int(sys.argv[2]), len(sys.argv) > 3
class Slow(nn.Callback):
    def on_epoch_end(self, epoch, logs):
        import time; time.sleep(0.02)
autograd.seed(1)
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(320, 12)).astype("float32"), rng.integers(0, 3, 320)
model = nn.Sequential([nn.Dense(16, activation="relu"), nn.Dense(3)])
model.compile("adam", nn.SparseCategoricalCrossentropy(from_logits=True), jit=False)
model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[nn.Record(folder + "/run", every=2), Slow()],
          checkpoint=folder + "/check", resume=resume)
"""


def start(folder: Path, epochs: int, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", TRAINING, str(folder), str(epochs), *more]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


def test_a_killed_training_is_followed_and_taken_up_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    server = serve_folder(run)
    stream = Stream(server)  # before there is anything
    process = start(tmp_path, 10_000)
    told = stream.take(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert told[0][0] == "header"
    steps = [frame["step"] for kind, frame in told if kind == "frame" and "loss" in frame]
    assert steps == list(range(0, 2 * len(steps), 2))
    left = nn.watch.load(run)
    assert [frame["step"] for frame in left.frames[: len(steps)]] == steps
    with (run / FRAMES).open("ab") as file:  # as if the kill had come in the middle of a write
        file.write(b'{"step":99999,"lo')
    done = json.loads((tmp_path / "check" / "state.json").read_text())["state"]["training"]["epoch"]

    process = start(tmp_path, done + 3, "resume")
    assert process.wait() == 0
    kinds = []
    while "end" not in kinds:
        kinds.append(next(stream)[0])
    assert "reset" in kinds
    stream.close()
    server.close()
    frames = nn.watch.load(run).frames
    assert [frame["step"] for frame in frames] == list(range(0, 10 * (done + 3), 2))


def serve_folder(folder: Path) -> Server:
    return Server(lambda server: "", follow(Folder(folder)))


def test_the_command_follows_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nn.cli", "watch", str(tmp_path / "run")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=heeding_interrupts
    ) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told.startswith(
                f"watching {tmp_path / 'run'} (nothing is there yet): http://127.0.0.1:"
            )
            port, token = told.strip().rpartition(":")[2].split("/?token=")
            assert start(tmp_path, 2).wait() == 0
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
            connection.request("GET", f"/events?token={token}")
            assert connection.getresponse().fp.readline() == b"event: header\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
        finally:
            process.kill()


def heeding_interrupts() -> None:
    """What was started in the background may have been told not to heed Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_command_tells_what_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[]")
    command = [sys.executable, "-m", "nn.cli", "watch", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is not of glassgrad-run 1" in done.stderr


LIVE = """
import numpy as np, nn
X = np.random.default_rng(0).normal(size=(320, 12)).astype("float32")
model = nn.Sequential([nn.Dense(3)])
model.compile("adam", "mse", jit=False)
print(nn.__name__, "http.server" in __import__("sys").modules, flush=True)
history = model.fit(X, X[:, :3], epochs=3, verbose=0, live=True)
print(history.server, flush=True)
"""


def test_a_live_fit_prints_its_url_once_and_does_not_hang_at_exit() -> None:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", LIVE], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    first, url, server = done.stdout.splitlines()
    assert first == "nn False"  # importing nn loads no server
    assert url.startswith("watch it live: http://127.0.0.1:")
    assert url.removeprefix("watch it live: ") in server
    assert time.perf_counter() - begun < 20


def test_a_live_fit_streams_its_frames() -> None:
    X = np.random.default_rng(0).normal(size=(320, 12)).astype("float32")
    model = nn.Sequential([nn.Dense(3)])
    model.compile("adam", "mse", jit=False)
    run = nn.Record(every=5)
    history = model.fit(X, X[:, :3], epochs=2, verbose=0, live=True, callbacks=[run])
    stream = Stream(history.server)
    frames = [told for kind, told in stream.take(8) if kind == "frame" and "loss" in told]
    assert frames == [json.loads(one) for one in run.store.read()[1] if '"seconds"' in one]
    stream.close()
    history.server.close()
    with pytest.raises(ValueError, match='live=2; there is True, and "open"'):
        model.fit(X, X[:, :3], live=2)


def test_the_page_of_a_run(tmp_path: Path) -> None:
    explore = pytest.importorskip("autograd.view.explore")
    if not (explore.BUILT / "explorer.js").exists():
        pytest.skip("the page's script is not built")
    X = np.random.default_rng(0).normal(size=(64, 12)).astype("float32")
    model = nn.Sequential([nn.Dense(3)])
    model.compile("adam", "mse", jit=False)
    run = nn.Record(every=1)
    model.fit(X, X[:, :3], verbose=0, callbacks=[run])
    assert "Sequential" in run.explore().html
    server = serve(run)
    status, body, _ = ask(server, f"/?token={server.token}")
    assert status == 200
    assert b"glassgrad-data" in body
    server.close()
