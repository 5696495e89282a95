"""`python -m sandbox --host 127.0.0.1 --port 9100`: serve the doubles until told to stop.

Port 0 takes a free one; the line on standard output says which, once calls can be made.
`--stripe-webhooks URL` opens the account of STRIPE_SECRET_KEY, whose events go there, signed with
STRIPE_WEBHOOK_SECRET.
"""

import argparse
import contextlib
import os
import socket
import sys

import uvicorn

from sandbox.app import Sandbox
from sandbox.connection import SandboxProtocol
from sandbox.stripe import open_account
from sandbox.stripe_webhooks import Plan

BACKLOG = 4096
KEEP_ALIVE_S = 75


def main() -> int:
    """Run the command. Returns: the exit code, 1 when the address cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Doubles of the providers."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--stripe-webhooks", metavar="URL")
    options = parser.parse_args()
    if options.stripe_webhooks:
        plan = Plan(url=options.stripe_webhooks, secret=os.environ["STRIPE_WEBHOOK_SECRET"])
        open_account(os.environ["STRIPE_SECRET_KEY"], webhooks=plan)
    try:
        listener = _listen(options.host, options.port)
    except OSError as error:
        sys.stderr.write(
            f"sandbox: cannot listen on {options.host}:{options.port}: {error.strerror}\n"
        )
        return 1
    port = listener.getsockname()[1]
    sys.stdout.write(f"sandbox ready at http://{options.host}:{port}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        Sandbox(),
        loop="uvloop",
        http=SandboxProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    # uvicorn raises the signal again after a clean end; Ctrl-C needs no traceback.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Bind before uvicorn starts: it would report a taken port only in its log."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


if __name__ == "__main__":
    sys.exit(main())
