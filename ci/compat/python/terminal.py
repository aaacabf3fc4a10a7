"""Runs a program in a pseudo terminal and plays a user: waits for what the screen shows, presses keys.

The argument is a JSON object: command, columns, lines, and steps. A step has `wait`, a list of regular expressions that
the screen must match within `seconds`, and then `keys` to press. The answer is a JSON object on stdout: `screens`, as
they were after each step, and `fault`, null when all was seen.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import pyte

READ_BYTES = 1 << 16


class Terminal:
    """The program and its screen."""

    def __init__(self, command, columns, lines):
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            os.execvp(command[0], command)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def text(self):
        """What the screen shows."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def wait(self, patterns, seconds):
        """Lets the program draw until all patterns match; those that do not within the time."""
        deadline = time.monotonic() + seconds
        while missing := [pattern for pattern in patterns if not re.search(pattern, self.text())]:
            if time.monotonic() > deadline or not self._draw():
                return missing
        return []

    def _draw(self):
        """Takes what the program has drawn; False when it has ended."""
        ready, _, _ = select.select([self._terminal], [], [], 0.1)
        if not ready:
            return True
        try:
            drawn = os.read(self._terminal, READ_BYTES)
        except OSError:  # how a pseudo terminal says that its program is gone
            return False
        self._stream.feed(drawn)
        return bool(drawn)

    def press(self, keys):
        """Sends keys as a terminal does."""
        os.write(self._terminal, keys.encode())

    def end(self):
        """Ends the program, whatever it does."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def play(command, columns, lines, steps):
    """All steps, or those up to the first that fails."""
    terminal = Terminal(command, columns, lines)
    screens, fault = [], None
    for number, step in enumerate(steps):
        missing = terminal.wait(step["wait"], step["seconds"])
        screens.append(terminal.text())
        if missing:
            fault = f"step {number}: the screen does not show {missing}"
            break
        if step.get("keys"):
            terminal.press(step["keys"])
    terminal.end()
    return {"screens": screens, "fault": fault}


if __name__ == "__main__":
    print(json.dumps(play(**json.loads(sys.argv[1]))))
