"""A lock on a file: refused at once where somebody holds it, free again however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tael import file_lock
from tael.errors import AlreadyRunningError, ConfigurationError

HOLDER = """
import sys
from tael import file_lock
with file_lock.hold(sys.argv[1], refusal="taken"):
    print("held", flush=True)
    sys.stdin.read()
"""
COUNTER = """
import sys
from pathlib import Path
from tael import file_lock
from tael.errors import AlreadyRunningError
lock, counter, inside = (Path(each) for each in sys.argv[1:])
done = 0
while done < 50:
    try:
        with file_lock.hold(lock, refusal="taken"):
            inside.touch(exist_ok=False)
            counter.write_text(str(int(counter.read_text()) + 1))
            inside.unlink()
            done += 1
    except AlreadyRunningError:
        pass
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "deployments" / ".1337.json.lock"


def hold_elsewhere(lock: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_hold_is_refused_until_the_other_process_has_ended(lock: Path, ending: int) -> None:
    other = hold_elsewhere(lock)
    try:
        with (
            pytest.raises(AlreadyRunningError, match=r"^wait for it$"),
            file_lock.hold(lock, refusal="wait for it"),
        ):
            pytest.fail("the lock is somebody else's")
        assert lock.exists()
    finally:
        os.kill(other.pid, ending)
        other.communicate()
    with file_lock.hold(lock, refusal="wait for it"):
        assert lock.exists()
    assert not lock.exists()


def test_hold_is_refused_when_another_thread_holds_it(lock: Path) -> None:
    refused = threading.Event()

    def try_it() -> None:
        try:
            with file_lock.hold(lock, refusal="taken"):
                pass
        except AlreadyRunningError:
            refused.set()

    with file_lock.hold(lock, refusal="taken"):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert refused.is_set()


def test_hold_lets_go_when_the_block_raises(lock: Path) -> None:
    with pytest.raises(ZeroDivisionError), file_lock.hold(lock, refusal="taken"):
        raise ZeroDivisionError
    with file_lock.hold(lock, refusal="taken"):
        pass


def test_hold_is_refused_when_the_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="file"),
        file_lock.hold(tmp_path / "file" / "lock", refusal="taken"),
    ):
        pytest.fail("there is no such folder")


def test_hold_admits_one_at_a_time_when_many_processes_try(tmp_path: Path) -> None:
    lock, counter, inside = (tmp_path / name for name in ("lock", "counter", "inside"))
    counter.write_text("0")
    words = [sys.executable, "-c", COUNTER, str(lock), str(counter), str(inside)]
    processes = [subprocess.Popen(words) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert counter.read_text() == "200"
    assert list(tmp_path.iterdir()) == [counter]
