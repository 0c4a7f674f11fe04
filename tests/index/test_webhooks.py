"""Webhooks against real receivers: told again until taken, never sent where they must not go."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tael.errors import (
    ConfigurationError,
    WebhookAddressError,
    WebhookGoneError,
    WebhookRefusedError,
)
from tael.index import Index, Indexer, Subscription
from tael.store import Store
from tael.webhooks import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Attempt,
    Endpoint,
    Webhook,
    delivering,
    networks,
    signature,
    verify,
)
from tael.webhooks.addresses import look_up, require_allowed, target_of
from tests.fixtures.certificates import Authority
from tests.sdk.cli_runner import CommandLine
from tests.sdk.world import World, cny

SECRET, NEXT, FOREIGN = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
HERE = networks(["127.0.0.0/8", "::1/128"])


@dataclass
class Receiver:
    """What a bank runs: checks, remembers, and answers as it is told to."""

    url: str = ""
    answers: list[int | str | Callable] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = dict(handler.headers)
        self.requests.append((headers, body))
        what = self.answers.pop(0) if self.answers else 200
        if callable(what):
            what(handler)
            return
        if what == "hang up":
            handler.connection.close()
            return
        if isinstance(what, int) and 200 <= what < 300:
            self.events += verify(body, headers, [SECRET]).events
        status = what if isinstance(what, int) else 302
        handler.send_response(status)
        if isinstance(what, str):
            handler.send_header("Location", what)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    receiver.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/hook?bank=1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def index(world: World, sqlite: Store) -> Index:
    Indexer(sqlite, world.client("outsider")).catch_up()
    return Index(sqlite, world.manifest)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(delivering, "LONGEST_PAUSE_SECONDS", 0.005)


def endpoint(url: str, **options: object) -> Endpoint:
    return Endpoint(url, **{"secrets": [SECRET], "allowed": HERE, **options})


def send_all(index: Index, url: str, **options: object) -> list[Attempt]:
    attempts: list[Attempt] = []
    webhook = Webhook(
        Subscription(index, "hook"), endpoint(url, **options), batch_events=7, tell=attempts.append
    )
    assert webhook.run(max_attempts=20)
    return attempts


# Sending


def test_every_event_arrives_once_and_in_order(
    world: World, index: Index, receiver: Receiver
) -> None:
    send_all(index, receiver.url)
    truth = list(world.client("outsider").history().events())
    assert [
        (each["type"], each["block_hash"], each["transaction_hash"], each["log_index"])
        for each in receiver.events
    ] == [
        (
            type(each).__name__,
            each.at.block_hash,
            each.at.transaction_hash,
            each.at.log_index,
        )
        for each in truth
    ]
    assert len({each["id"] for each in receiver.events}) == len(truth)
    assert all(len(json.loads(body)["events"]) <= 7 for _, body in receiver.requests)
    before = len(receiver.requests)
    send_all(index, receiver.url)
    assert len(receiver.requests) == before


def test_event_carries_what_it_is_about(
    world: World, sqlite: Store, index: Index, receiver: Receiver
) -> None:
    send_all(index, receiver.url)
    payment = world.authorize("P-1", cny("5.00"))
    Indexer(sqlite, world.client("outsider")).catch_up()
    send_all(index, receiver.url)
    last = receiver.events[-1]
    terms = payment.prepared.terms
    assert (last["type"], last["removed"], last["chain_id"]) == ("PaymentAuthorized", False, 1337)
    assert last["contract"] == world.manifest.escrow
    assert last["block_time"] == world.node.timestamp()
    assert last["data"]["id"] == "0x" + payment.payment_id.hex()
    assert last["data"]["amount_minor"] == 500
    assert last["data"]["issuer"] == terms.issuer
    assert last["data"]["uetr"].replace("-", "") == terms.uetr.hex()
    headers, _ = receiver.requests[-1]
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("tael/")


def test_removal_is_told_with_an_id_of_its_own(
    world: World, sqlite: Store, index: Index, receiver: Receiver
) -> None:
    world.authorize("P-1", cny("5.00"))
    Indexer(sqlite, world.client("outsider")).catch_up()
    send_all(index, receiver.url)
    told = receiver.events[-1]
    world.forget_clients()
    world.node.rpc("anvil_reorg", 1, [])
    Indexer(sqlite, world.client("outsider")).catch_up()
    send_all(index, receiver.url)
    notice = receiver.events[-1]
    assert notice["removed"]
    assert notice["id"] != told["id"]
    assert {**notice, "id": 0, "removed": 0} == {**told, "id": 0, "removed": 0}


@pytest.mark.parametrize(
    "answers",
    [[500], [503, 429], [404, 400], ["hang up", "hang up"], [301], [600 - 1, 500, 502, 504]],
)
def test_what_was_not_taken_is_sent_again_before_anything_else(
    index: Index, receiver: Receiver, answers: list
) -> None:
    receiver.answers = list(answers)
    attempts = send_all(index, receiver.url)
    assert [bool(each.problem) for each in attempts[: len(answers) + 1]] == [
        *([True] * len(answers)),
        False,
    ]
    bodies = [body for _, body in receiver.requests]
    assert len(set(bodies[: len(answers) + 1])) == 1
    assert len({each["id"] for each in receiver.events}) == len(receiver.events) > 20


def test_pauses_grow_with_jitter_and_obey_the_receiver() -> None:
    first, longest = 1.0, 300.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivering, "FIRST_PAUSE_SECONDS", first)
        patch.setattr(delivering, "LONGEST_PAUSE_SECONDS", longest)
        for failures in range(40):
            top = min(first * 2**failures, longest)
            pauses = {delivering._pause(failures, None) for _ in range(20)}
            assert len(pauses) > 10
            assert top / 2 <= min(pauses) <= max(pauses) <= top
        assert delivering._pause(0, 120) == 120
        assert delivering._pause(0, 10**6) == longest
        assert delivering._pause(3, 0) >= 4


def test_events_wait_while_the_receiver_is_down(world: World, sqlite: Store, index: Index) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    attempts: list[Attempt] = []
    subscription = Subscription(index, "hook")
    webhook = Webhook(subscription, endpoint(url), tell=attempts.append)
    assert not webhook.run(max_attempts=3)
    assert [each.status for each in attempts] == [None] * 3
    with receiving() as receiver:
        send_all(index, receiver.url)
        assert len(receiver.events) > 20


def test_crash_before_the_cursor_is_written_sends_the_same_again(
    index: Index, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(Subscription, "acknowledge", crash)
    with pytest.raises(RuntimeError):
        send_all(index, receiver.url)
    monkeypatch.undo()
    first = [each["id"] for each in receiver.events]
    send_all(index, receiver.url)
    again = [each["id"] for each in receiver.events][len(first) :]
    # The same ids: a receiver that remembers them acts once.
    assert again[: len(first)] == first


def test_replay_begins_where_it_is_told(world: World, index: Index, receiver: Receiver) -> None:
    send_all(index, receiver.url)
    everything = list(receiver.events)
    receiver.events.clear()
    subscription = Subscription(index, "hook")
    subscription.restart(everything[10]["block_number"])
    send_all(index, receiver.url)
    later = [each for each in everything if each["block_number"] >= everything[10]["block_number"]]
    assert receiver.events == later


def test_gone_ends_it(index: Index, receiver: Receiver) -> None:
    receiver.answers = [200, 410]
    with pytest.raises(WebhookGoneError, match="410"):
        send_all(index, receiver.url)
    taken = len(receiver.events)
    send_all(index, receiver.url)
    assert len({each["id"] for each in receiver.events}) == len(receiver.events) > taken


def test_long_events_are_sent_in_smaller_batches(
    index: Index, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "MAX_BATCH_BYTES", 2_000)
    send_all(index, receiver.url)
    sizes = [len(body) for _, body in receiver.requests]
    assert max(sizes) < 4_000
    assert len(sizes) > 10


def test_it_ends_when_it_is_stopped(index: Index, receiver: Receiver) -> None:
    stopped = threading.Event()
    webhook = Webhook(Subscription(index, "hook"), endpoint(receiver.url))
    thread = threading.Thread(target=webhook.run, args=(stopped,), kwargs={"poll_seconds": 0.02})
    thread.start()
    deadline = time.monotonic() + 10
    while len(receiver.events) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    stopped.set()
    thread.join(5)
    assert not thread.is_alive()
    assert len(receiver.events) >= 20


# Bounds


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b""])
def test_answer_that_drips_is_cut_off_in_time(
    index: Index, receiver: Receiver, head: bytes
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        with contextlib.suppress(OSError):
            for _ in range(200):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)

    receiver.answers = [drip]
    started = time.monotonic()
    attempts = send_all(index, receiver.url, timeout_seconds=0.5)
    assert "in time" in attempts[0].problem
    assert time.monotonic() - started < 5


def test_body_of_an_answer_does_not_matter(index: Index, receiver: Receiver) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(200):
                handler.wfile.write(b"x")
                time.sleep(0.05)

    receiver.answers = [drip]
    started = time.monotonic()
    assert send_all(index, receiver.url)[0].status == 200
    assert time.monotonic() - started < 5


def test_answer_that_never_comes_is_cut_off_in_time(index: Index, receiver: Receiver) -> None:
    receiver.answers = [lambda handler: time.sleep(2)]
    attempts = send_all(index, receiver.url, timeout_seconds=0.3)
    assert attempts[0].status is None
    assert "in time" in attempts[0].problem or "timed out" in attempts[0].problem


def test_answer_without_end_is_not_read_to_its_end(index: Index, receiver: Receiver) -> None:
    written = []

    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                written.append(handler.wfile.write(b"x" * 65_536))

    receiver.answers = [flood]
    attempts = send_all(index, receiver.url)
    assert attempts[0].status == 200
    assert sum(written) < 100 * 65_536


def test_garbage_is_a_failure_like_another(index: Index, receiver: Receiver) -> None:
    receiver.answers = [lambda handler: handler.wfile.write(b"SSH-2.0-hello\r\n")]
    attempts = send_all(index, receiver.url)
    assert "HTTP" in attempts[0].problem


# Where it must not go (W07)


PRIVATE = (
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),  # noqa: S104
    *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "192.88.99.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1"),
    *("ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
)
PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8")


@pytest.mark.threat("W07")
@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    target = target_of("https://hooks.example/")
    with pytest.raises(WebhookAddressError, match="not a public address"):
        require_allowed(target, (), lambda *_: [address])
    # One bad address among good ones is enough.
    with pytest.raises(WebhookAddressError):
        require_allowed(target, (), lambda *_: ["8.8.8.8", address])


@pytest.mark.threat("W07")
@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_taken(address: str) -> None:
    (found,) = require_allowed(target_of("https://hooks.example/"), (), lambda *_: [address])
    assert str(found) == address or found.version == 6
    with pytest.raises(WebhookAddressError, match="https"):
        require_allowed(target_of("http://hooks.example/"), (), lambda *_: [address])


@pytest.mark.threat("W07")
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]", "127.1"]
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    target = target_of(f"https://{host}:9/")
    with pytest.raises((WebhookAddressError, OSError)):
        require_allowed(target, (), look_up)


@pytest.mark.threat("W07")
@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://x/", "ftp://x/", "//x/", "https://", "x", ""),
        *("https://me:pw@hooks.example/", "https://hooks.example/#a", "https://h\r\nX: y/"),
        *("https://hooks.example/ space", "https://h\u00f6ks.example/", "https://x:99999/"),
        "https://hooks.example/" + "a" * 3_000,
    ],
)
def test_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(WebhookAddressError):
        Endpoint(url, [SECRET])


@pytest.mark.threat("W07")
def test_nothing_is_connected_to_when_the_address_is_not_allowed(
    index: Index, receiver: Receiver
) -> None:
    webhook = Webhook(Subscription(index, "hook"), endpoint(receiver.url, allowed=()))
    with pytest.raises(WebhookAddressError):
        webhook.run()
    assert receiver.requests == []


@pytest.mark.threat("W07")
def test_connection_goes_to_the_address_that_was_checked(index: Index, receiver: Receiver) -> None:
    asked: list[str] = []
    port = int(receiver.url.rsplit(":", 1)[1].split("/")[0])

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    url = f"http://hooks.example:{port}/hook"
    attempts = send_all(index, url, resolve=rebinding)
    # Looked up by us alone, once for each request and once to begin with.
    assert asked == ["hooks.example"] * (len(attempts) + 1)
    assert receiver.requests[0][0]["Host"] == f"hooks.example:{port}"


@pytest.mark.threat("W07")
def test_name_that_changes_its_address_is_refused_from_then_on(
    index: Index, receiver: Receiver
) -> None:
    port = int(receiver.url.rsplit(":", 1)[1].split("/")[0])
    answers = [["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"]]

    def rebinding(*_: object) -> list[str]:
        return answers.pop(0) if answers else ["127.0.0.1"]

    attempts = send_all(index, f"http://hooks.example:{port}/", resolve=rebinding)
    problems = [each.problem for each in attempts if each.problem]
    assert len(problems) == 2
    assert "10.0.0.1" in problems[0]
    assert "169.254.169.254" in problems[1]
    assert len({each["id"] for each in receiver.events}) == len(receiver.events)


@pytest.mark.threat("W07")
def test_redirect_is_not_followed(index: Index, receiver: Receiver) -> None:
    with receiving() as other:
        receiver.answers = [other.url]
        attempts = send_all(index, receiver.url)
        assert attempts[0].status == 302
        assert other.requests == []


def test_certificate_must_be_the_hosts_although_the_address_is_pinned(
    index: Index, authority: Authority
) -> None:
    trusting = ssl.create_default_context(cafile=str(authority.file))
    with receiving(authority.server_side("hooks.example")) as receiver:
        port = receiver.url.rsplit(":", 1)[1].split("/")[0]
        here = {"resolve": lambda *_: ["127.0.0.1"]}
        for host, tls in (("hooks.example", None), ("other.example", trusting)):
            subscription = Subscription(index, "tls")
            attempts: list[Attempt] = []
            webhook = Webhook(
                subscription,
                endpoint(f"https://{host}:{port}/", tls=tls, **here),
                tell=attempts.append,
            )
            assert not webhook.run(max_attempts=1)
            assert "CERTIFICATE" in attempts[0].problem.upper()
        send_all(index, f"https://hooks.example:{port}/", tls=trusting, **here)
        assert len(receiver.events) > 20


# Receiving (W08)


def signed(body: bytes, *secrets: bytes, at: int = 1_000) -> dict[str, str]:
    return {TIMESTAMP_HEADER: str(at), SIGNATURE_HEADER: signature(at, body, secrets)}


BODY = b'{"events":[{"id":"evt_1"}]}'


@pytest.mark.threat("W08")
def test_signature_is_the_hmac_of_timestamp_and_body() -> None:
    mac = hmac.new(SECRET, b"1000." + BODY, hashlib.sha256).hexdigest()
    assert signature(1_000, BODY, [SECRET]) == f"v1={mac}"
    received = verify(BODY, signed(BODY, SECRET), [SECRET], now=1_000)
    assert (received.sent_at, received.events) == (1_000, ({"id": "evt_1"},))


@pytest.mark.threat("W08")
def test_secret_is_renewed_without_losing_anything() -> None:
    # The sender signs with both; a receiver that has the old one, the new one or both takes it.
    both = signed(BODY, SECRET, NEXT)
    assert both[SIGNATURE_HEADER].count("v1=") == 2
    for mine in ([SECRET], [NEXT], [SECRET, NEXT], [FOREIGN, NEXT]):
        assert verify(BODY, both, mine, now=1_000).events
    with pytest.raises(WebhookRefusedError):
        verify(BODY, both, [FOREIGN], now=1_000)


@pytest.mark.threat("W08")
def test_header_names_may_be_in_any_case() -> None:
    headers = {name.upper(): value for name, value in signed(BODY, SECRET).items()}
    assert verify(BODY, headers, [SECRET], now=1_000).events


@pytest.mark.threat("W08")
@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("another body", lambda body, headers: (body.replace(b"_1", b"_2"), headers)),
        ("a space more", lambda body, headers: (body + b" ", headers)),
        ("another time", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "1001"})),
        ("no time", lambda body, headers: (body, {SIGNATURE_HEADER: headers[SIGNATURE_HEADER]})),
        ("no signature", lambda body, headers: (body, {TIMESTAMP_HEADER: "1000"})),
        ("an empty one", lambda body, headers: (body, {**headers, SIGNATURE_HEADER: "v1="})),
        (
            "another scheme",
            lambda body, headers: (
                body,
                {**headers, SIGNATURE_HEADER: headers[SIGNATURE_HEADER].replace("v1", "v0")},
            ),
        ),
        ("letters", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "1000\n"})),
        ("signs", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "+1000"})),
        ("digits", lambda body, headers: (body, {**headers, TIMESTAMP_HEADER: "\u0661000"})),
        ("much", lambda body, headers: (body, {**headers, SIGNATURE_HEADER: "v1=a," * 900})),
        (
            "no ASCII",
            lambda body, headers: (body, {**headers, SIGNATURE_HEADER: "v1=\udcff\u00e9"}),
        ),
    ],
)
def test_webhook_that_was_altered_is_refused(what: str, change: Callable) -> None:
    body, headers = change(BODY, signed(BODY, SECRET))
    with pytest.raises(WebhookRefusedError):
        verify(body, headers, [SECRET], now=1_000)


@pytest.mark.threat("W08")
def test_webhook_that_is_too_old_is_refused() -> None:
    headers = signed(BODY, SECRET)
    for now in (1_000 - 300, 1_000, 1_300):
        assert verify(BODY, headers, [SECRET], now=now).events
    for now in (1_000 - 301, 1_301, 10**9):
        with pytest.raises(WebhookRefusedError, match="off"):
            verify(BODY, headers, [SECRET], now=now)


@pytest.mark.threat("W08")
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"events":1}', b'{"events":[1]}', b"[" * 100_000]
)
def test_webhook_that_says_nothing_is_refused_although_it_is_signed(body: bytes) -> None:
    with pytest.raises(WebhookRefusedError, match="says nothing"):
        verify(body, signed(body, SECRET), [SECRET], now=1_000)


def test_webhook_that_is_too_long_is_refused() -> None:
    body = b" " * (1024 * 1024 + 1)
    with pytest.raises(WebhookRefusedError, match="longer"):
        verify(body, {**signed(b"", SECRET)}, [SECRET], now=1_000)


@pytest.mark.parametrize("secrets", [[], [b"short"], [SECRET, NEXT, FOREIGN], ["x" * 32]])
def test_secrets_that_protect_nothing_are_refused(secrets: list) -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        Endpoint("https://hooks.example/", secrets)
    with pytest.raises(ConfigurationError, match="secret"):
        verify(BODY, signed(BODY, SECRET), secrets)


def test_secret_is_in_no_text() -> None:
    one = Endpoint("https://hooks.example/", [SECRET])
    assert SECRET.hex() not in repr(one) + str(vars(type(one))) + repr(one._hidden)
    assert one.keys() == [SECRET]


# The command line


@pytest.fixture
def tael(tael: CommandLine, world: World) -> CommandLine:
    return tael.on(world).set(
        TAEL_STORE=str(tael.folder / "own.db"), TAEL_WEBHOOK_SECRET=SECRET.hex()
    )


def test_command_posts_what_there_is(tael: CommandLine, world: World, receiver: Receiver) -> None:
    tael("index", "run", "--once")
    words = ("webhooks", "run", "core", "--url", receiver.url, "--once")
    refused = tael(*words)
    assert refused.code == 2
    assert "webhook_address" in refused.err
    here = ("--allow-network", "127.0.0.0/8")
    done = tael.json(*words, *here)
    assert (done["taken"], done["complete"]) == (len(receiver.events), True)
    world.authorize("P-1", cny("5.00"))
    tael("index", "run", "--once")
    assert tael(*words, *here, "--event", "PaymentCaptured", "-q").out == "0\n"
    again = tael.json(*words, *here, "--from-block", str(world.node.block_number()))
    assert again["taken"] == 1
    assert receiver.events[-1]["type"] == "PaymentAuthorized"


def test_command_refuses_what_cannot_be(tael: CommandLine, receiver: Receiver) -> None:
    tael("index", "run", "--once")
    words = ("webhooks", "run", "core", "--url", receiver.url, "--once")
    assert tael(*words, "--event", "Nothing").code == 2
    assert tael(*words, "--allow-network", "here").code == 2
    for secret in ("", "abc", "zz" * 32):
        tael.set(TAEL_WEBHOOK_SECRET=secret)
        result = tael(*words)
        assert result.code == 2
        assert "TAEL_WEBHOOK_SECRET" in result.err
        assert "zzz" not in result.err


def test_watch_prints_events_from_where_it_stopped(tael: CommandLine, world: World) -> None:
    tael("index", "run", "--once")
    first = tael("watch", "me", "--once", "--json").documents
    assert len(first) == len(list(world.client("outsider").history().events()))
    world.authorize("P-1", cny("5.00"))
    tael("index", "run", "--once")
    shown = tael("watch", "me", "--once").out
    assert "PaymentAuthorized" in shown
    assert "amount_minor=500" in shown
    assert tael("watch", "me", "--once").out == ""
    kinds = {
        each["type"]
        for each in tael("watch", "x", "--once", "--json", "--event", "Transfer").documents
    }
    assert kinds == {"Transfer"}
    assert tael("watch", "bad name", "--once").code == 2
