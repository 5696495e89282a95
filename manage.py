#!/usr/bin/env python3
"""`up` starts everything, `test` checks everything, any other word is a Django command.

Runs with a plain Python 3.11 or newer: `.venv` is built from the locked requirements when it is
missing or stale.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  # a stranger may start it with any Python
    sys.exit("Studio needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")

from studio.supervisor import bootstrap


def main() -> int:
    """Run the command that sys.argv names, inside the venv. Returns: the exit code."""
    try:
        bootstrap.enter_venv(sys.argv)
    except bootstrap.BootstrapFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    # Imported here and not above: none of these exists before the venv does.
    if command == "up":
        from studio.supervisor.up import main as up

        return up(sys.argv[2:])
    if command == "test":
        from studio.supervisor.suite import main as suite

        return suite(sys.argv[2:])
    from django.core.management import execute_from_command_line

    from studio.supervisor import surroundings

    surroundings.read_dotenv()
    surroundings.complete(os.environ, command)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
