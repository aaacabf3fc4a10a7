"""What a tool printed, held against patterns."""

import re


def expect(output: str, *patterns: str) -> list[str]:
    """A fault for each pattern that the output does not match."""
    return [f"no match of {p!r} in: {shortened(output)}" for p in patterns if not re.search(p, output, re.MULTILINE)]


def refuse(output: str, *patterns: str) -> list[str]:
    """A fault for each pattern that the output does match."""
    return [f"unwanted {p!r} in: {shortened(output)}" for p in patterns if re.search(p, output, re.MULTILINE)]


def shortened(output: str) -> str:
    """Enough of it to see what it is."""
    return repr(output if len(output) < 600 else output[:300] + " … " + output[-300:])


def exit_status(wanted: int, status: int) -> list[str]:
    """A fault if a tool left with another status."""
    return [] if status == wanted else [f"exit status {status}, not {wanted}"]
