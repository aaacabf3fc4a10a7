"""The rows: one fault each, what a client saw of it, what was lost, and how long until it worked again."""

import argparse
import contextlib
import datetime
import fcntl
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from node import STARTED, Load, Node, is_root, lost, memory_kib, run

HERE = Path(__file__).resolve().parent
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
ROWS = []


class CannotHere(Exception):
    """This machine does not allow it."""


def row(short):
    def add(function):
        ROWS.append((function.__name__, short, function))
        return function

    return add


def checked(node, load, done, saw, again_s):
    """The row's cells; a loss or a fatal error of the client fails it."""
    missing, twice = lost(node, load)
    ok = missing == 0 and twice == 0 and not load.errors
    what = f"0 of {len(load.acked)}" if ok else f"LOST {missing}, twice {twice}, {load.errors[:2]}"
    return ok, done, saw, what, f"{again_s:.1f} s"


@contextlib.contextmanager
def small_disk(work, mebibytes):
    """A small ext4 of its own, on a loop device."""
    if not is_root():
        raise CannotHere("needs root for a loop device")
    image, mount = work / "disk.img", work / "disk"
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(mebibytes << 20)
    try:
        run("mkfs.ext4", "-q", "-F", str(image))
        run("mount", "-o", "loop", str(image), str(mount))
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        raise CannotHere(f"no loop device: {error}") from error
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)


@row(short=True)
def kill_9(flumen, work):
    node = Node(flumen, work / "data")
    node.start()
    node.create()
    load = Load(node)
    starts = []
    for _ in range(3):
        load.wait_for_more()
        node.kill()
        starts.append(node.start())
    load.wait_for_more()
    load.finish()
    cells = checked(node, load, "kill -9 under load, three times (more: `ci/compat/kill9`)",
                    f"connection lost; retries by itself; ready after {max(starts):.2f} s at most", load.longest_s)
    node.stop()
    return cells


@row(short=True)
def full_disk(flumen, work):
    with small_disk(work, 200) as disk:
        node = Node(flumen, disk / "data", ["--set", "flumen.space.reserve.bytes=16777216",
                                            "--set", "flumen.journal.file.bytes=8388608"], log=work / "log")
        node.start()
        node.create(segment_bytes=4 << 20)
        load = Load(node, size=600, rate=2000)
        load.wait_for_more()
        filler = disk / "filler"
        free = shutil.disk_usage(disk).free
        run("fallocate", "-l", str(max(free - (8 << 20), 1 << 20)), str(filler))
        deadline = time.monotonic() + 60
        while "FL2006" not in node.log_text():
            if time.monotonic() > deadline:
                raise RuntimeError("produce was not refused")
            time.sleep(0.1)
        time.sleep(2)
        load.reset_gap()
        before = len(load.acked)
        missing, _ = lost(node, load)
        delete_works = subprocess.run([flumen, "topic", "create", "other", "-b", node.bootstrap], check=False,
                                      capture_output=True).returncode == 0
        delete_works &= subprocess.run([flumen, "topic", "delete", "other", "-b", node.bootstrap], check=False,
                                       capture_output=True).returncode == 0
        stayed = len(load.acked) - before
        filler.unlink()
        freed = time.monotonic()
        load.wait_for_more()
        again = time.monotonic() - freed
        load.finish()
        if missing or not delete_works or not node.is_running():
            raise RuntimeError(f"missing {missing}, create and delete work: {delete_works}")
        cells = checked(node, load, "an ext4 of 200 MiB filled up by another process, then space given back",
                        f"KAFKA_STORAGE_ERROR, which it retries (FL2006); {stayed} acknowledged meanwhile; reads, topic "
                        "creation and deletion work; no exit", again)
        node.stop()
        return cells


@row(short=False)
def read_only_remount(flumen, work):
    with small_disk(work, 200) as disk:
        node = Node(flumen, disk / "data", ["--set", "flumen.space.reserve.bytes=1048576"], log=work / "log")
        node.start()
        asked = subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=False, capture_output=True)
        node.kill()
        if asked.returncode:
            raise CannotHere(f"the kernel refuses it while files are open for writing: {asked.stderr.decode().splitlines()[0].split(': ')[-1]}; "
                             "see file_system_gone")
        raise RuntimeError("the kernel allows it here: this row wants to be written")


@row(short=True)
def file_system_gone(flumen, work):
    with small_disk(work, 200) as disk:
        node = Node(flumen, disk / "data", ["--set", "flumen.space.reserve.bytes=1048576"], log=work / "log")
        node.start()
        node.create()
        load = Load(node)
        load.wait_for_more()
        handle = os.open(disk, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        except OSError as error:
            raise CannotHere(f"no shutdown of a file system: {error}") from error
        finally:
            os.close(handle)
        time.sleep(3)
        alive, told = node.is_running(), "FL2001" in node.log_text()
        before = len(load.acked)
        time.sleep(2)
        stayed = len(load.acked) - before
        node.kill()
        for _ in range(50):  # the killed process's last I/O may not have ended yet
            if subprocess.run(["umount", str(disk)], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        run("mount", "-o", "loop", str(work / "disk.img"), str(disk))
        node.start()
        load.wait_for_more()
        load.finish()
        if not (alive and told) or stayed:
            raise RuntimeError(f"alive {alive}, FL2001 {told}, acknowledged without a disk: {stayed}")
        cells = checked(node, load, "every read and write answered with EIO (the file system shut down), then mounted "
                        "again and the broker restarted", "KAFKA_STORAGE_ERROR, which it retries (FL2001, FL2007); "
                        "nothing acknowledged meanwhile; no exit", load.longest_s)
        node.stop()
        return cells


def failing_device(_flumen, _work):
    targets = subprocess.run(["dmsetup", "targets"], check=False, capture_output=True, text=True)
    if targets.returncode or "flakey" not in targets.stdout:
        raise CannotHere("dmsetup: the kernel has no device mapper with a flakey target; see file_system_gone, and the "
                         "simulation. strace cannot stand in: it injects into system calls, and I/O goes by io_uring")
    raise RuntimeError("the device mapper is there: this row wants to be written")


ROWS.append(("failing_device", False, failing_device))


@row(short=False)
def sigstop(flumen, work):
    node = Node(flumen, work / "data")
    node.start()
    node.create()
    load = Load(node)
    load.wait_for_more()
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(30)
    node.process.send_signal(signal.SIGCONT)
    woken = time.monotonic()
    load.wait_for_more()
    again = time.monotonic() - woken
    load.finish()
    cells = checked(node, load, "SIGSTOP for 30 s, then SIGCONT", "requests without answer, then all of them", again)
    node.stop()
    return cells


@row(short=False)
def memory_limit(flumen, work):
    group = Path("/sys/fs/cgroup/memory") / f"flumen-faults-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise CannotHere(f"no memory control group (v1): {error}") from error
    try:
        limit = group / "memory.limit_in_bytes"
        limit.write_text(str(192 << 20), encoding="utf-8")
        inside = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        node = Node(flumen, work / "data", prefix=inside)
        node.start()
        node.create()
        load = Load(node, size=4000, rate=8000)
        load.wait_for_more(count=60_000)
        resident = memory_kib(node.process.pid) >> 10
        # Less than its budget: the kernel kills it.
        with contextlib.suppress(OSError):
            limit.write_text(str(20 << 20), encoding="utf-8")
        deadline = time.monotonic() + 15
        while node.is_running() and time.monotonic() < deadline:
            time.sleep(0.1)
        ended = "the kernel killed it" if not node.is_running() else "it went on, slowly"
        limit.write_text(str(192 << 20), encoding="utf-8")
        if not node.is_running():
            node.start()
        load.wait_for_more()
        load.finish()
        cells = checked(node, load, "control group of 192 MiB for a budget of 64 MiB, then 20 MiB, then 192 MiB",
                        f"resident {resident} MiB under load; with 20 MiB {ended}; served again after the restart", load.longest_s)
        node.stop()
        return cells
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


@row(short=True)
def descriptors(flumen, work):
    node = Node(flumen, work / "data", prefix=["sh", "-c", 'ulimit -n 160; exec "$@"', "sh"])
    node.start()
    node.create()
    load = Load(node)
    load.wait_for_more()
    idle = []
    for _ in range(400):
        with contextlib.suppress(OSError):
            idle.append(socket.create_connection(("127.0.0.1", node.port), timeout=1))
    load.reset_gap()
    load.wait_for_more(count=2000)
    gap = load.longest_s
    for one in idle:
        one.close()
    freed = time.monotonic()
    late = Load(node)
    late.wait_for_more()
    again = time.monotonic() - freed
    late.finish()
    load.finish()
    if late.errors or not node.is_running():
        raise RuntimeError(f"running {node.is_running()}, {late.errors[:2]}")
    missing, _ = lost(node, load)
    node.stop()
    return (missing == 0 and not load.errors, f"`ulimit -n 160`, {len(idle)} connections besides the client's",
            f"its connection goes on (longest pause {gap:.2f} s); others wait in the backlog", f"{missing} of {len(load.acked)}",
            f"{again:.1f} s for a new client")


@row(short=True)
def backup(flumen, work):
    node = Node(flumen, work / "data")
    node.start()
    node.create(segment_bytes=1 << 20)
    load = Load(node, size=2000, rate=4000)
    load.wait_for_more(count=8000)
    before = dict(load.acked)
    began = time.monotonic()
    run(flumen, "backup", "--data", str(work / "data"), "--to", str(work / "copy"))
    took = time.monotonic() - began
    load.wait_for_more()
    load.finish()
    node.stop()
    restored = Node(flumen, work / "copy")
    start = restored.start(["--accept-copy"])
    load.acked = before
    cells = checked(restored, load, f"`flumen backup` under load ({took:.1f} s), the copy started with --accept-copy",
                    "nothing of the backup", start)
    restored.stop()
    return cells


@row(short=True)
def copied_directory(flumen, work):
    node = Node(flumen, work / "data")
    node.start()
    node.create()
    load = Load(node)
    load.wait_for_more()
    load.finish()
    node.stop()
    run("cp", "-a", str(work / "data"), str(work / "copy"))
    copy = Node(flumen, work / "copy")
    try:
        copy.start()
        raise RuntimeError("a copied directory was started")
    except RuntimeError as error:
        if "FL1008" not in str(error):
            raise
    start = copy.start(["--accept-copy"])
    cells = checked(copy, load, "`cp -a` of a stopped broker's directory", "refused with FL1008; with --accept-copy it serves", start)
    copy.stop()
    return cells


def play(name, function, flumen):
    base = HERE / ".work"
    base.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
    try:
        return function(flumen, work)
    except CannotHere as error:
        return None, str(error), "-", "-", "-"
    except Exception as error:  # a row that breaks is a row that failed
        traceback.print_exc()
        return False, f"{type(error).__name__}: {str(error)[:300]}", "-", "-", "-"
    finally:
        for process in STARTED:
            process.kill()
            process.wait()
        STARTED.clear()
        shutil.rmtree(work, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flumen", required=True)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("rows", nargs="*")
    args = parser.parse_args()
    if args.list:
        print("\n".join(name for name, _, _ in ROWS))
        return 0
    flumen = str(Path(args.flumen).resolve())
    chosen = [one for one in ROWS if one[0] in args.rows] if args.rows else [one for one in ROWS if args.full or one[1]]
    lines, failed = [], 0
    for name, _, function in chosen:
        began = time.monotonic()
        ok, done, saw, what, again = play(name, function, flumen)
        verdict = {True: "ok", False: "FAILED", None: "not here"}[ok]
        failed += ok is False
        lines.append(f"| {name} | {verdict} | {done} | {saw} | {what} | {again} |")
        print(f"{name:18} {verdict:8} {time.monotonic() - began:5.1f} s  {done}; {saw}; lost {what}; again after {again}", flush=True)
    if args.full:
        write(flumen, lines)
    return 1 if failed else 0


def write(flumen, lines):
    today = datetime.date.today().isoformat()
    version = subprocess.run([flumen, "version"], check=True, capture_output=True, text=True).stdout.strip()
    text = [f"# Faults of a real machine, {today}", "", f"{version}; Linux {platform.release()}; client: librdkafka, idempotent. "
            "By `ci/faults/run --full`.", "", "| row | | what was done | what the client saw | acknowledged and lost | worked again after |",
            "|---|---|---|---|---|---|", *lines, ""]
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / f"{today}.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
