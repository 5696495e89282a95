"""What a worker or one of our people does, in a process that may be killed.

`python -m bench.torture.hands` does each line of its input and answers with a line; behind the word
`child` it does it in a child, and answers with the child's process id. The words are the names in
deeds.py.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

import django

from bench.torture.stage import Stage


class Hands:
    """Such a process; `environment` may lead through gates."""

    def __init__(self, stage: Stage, environment: Mapping[str, str]) -> None:
        spec = stage.spec("hands", "-m", "bench.torture.hands")
        with spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(spec.command),
                env=dict(environment),
                cwd=spec.cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def do(self, *words: object) -> str:
        """Have something done. Returns: the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{' '.join(map(str, words))}\n".encode())
        self._process.stdin.flush()
        answer = self._process.stdout.readline().decode().strip()
        assert answer, f"{words}: see hands.log"
        return answer

    def begin(self, *words: object) -> int:
        """Have something done by a child. Returns: its process id."""
        return int(self.do("child", *words))

    def end(self) -> None:
        """Let it end."""
        self._process.kill()
        self._process.communicate()


def _do(words: list[str]) -> str:
    # These are Django's, which must be set up first.
    from bench.torture import deeds

    what, *names = words
    return str(getattr(deeds, what)(*names))


def main() -> None:
    """Do what the lines say."""
    django.setup()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        words = line.split()
        if words[0] != "child":
            print(_do(words), flush=True)
        elif child := os.fork():
            print(child, flush=True)
        else:
            _do(words[1:])
            os._exit(0)


if __name__ == "__main__":
    main()
