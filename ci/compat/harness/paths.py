"""Where things lie: everything installed or written by a run is below `.cache`."""

from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
CACHE = HOME / ".cache"
RESULTS = HOME / "results"
PYTHON = CACHE / "python" / "bin" / "python"
JAVA_CLASSPATH = f"{CACHE}/java/classes:{CACHE}/java/lib/*"
REPOSITORY = HOME.parent.parent
