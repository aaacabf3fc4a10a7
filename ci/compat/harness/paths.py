"""Where things lie: everything installed or written by a run is below `.cache`."""

import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
CACHE = HOME / ".cache"
RESULTS = HOME / "results"
PYTHON = CACHE / "python" / "bin" / "python"
JAVA_CLASSPATH = f"{CACHE}/java/classes:{CACHE}/java/lib/*"
REPOSITORY = HOME.parent.parent


@contextmanager
def work_directory(name: str) -> Iterator[Path]:
    """An empty directory for one run's data and logs; the run decides whether it stays.

    On the disk of the checkout, for a broker with direct I/O cannot serve from a tmpfs. A second run of the
    same name waits for nothing: it is refused.
    """
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another {name} is under way in this checkout")
        work = CACHE / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        yield work
