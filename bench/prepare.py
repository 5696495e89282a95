"""Make workspaces for the bench: a tier without limits to speak of, a key and credits each.

`python -m bench.prepare --count N --amount-ucr M` prints `{"workspace_ids": […], "keys": […]}`.
"""

import argparse
import json
import time

import django

_TIER = {
    "name": "Bench",
    "markup_bp": 2000,
    "request_limit": 1_000_000_000,
    "window_s": 900,
    "concurrency_limit": 1_000_000,
    "default_max_tokens": 4096,
}


def _make(count: int, amount_ucr: int) -> dict[str, list[object]]:
    # These are Django's, which must be set up first.
    from billing.services import grant_credits
    from studio.accounts.models import Tier
    from studio.accounts.services import create_app_key, create_workspace

    Tier.objects.update_or_create(slug="bench", defaults=_TIER)
    ids: list[object] = []
    keys: list[object] = []
    run = time.time_ns()
    for number in range(count):
        workspace = create_workspace(name=f"bench-{run}-{number}", tier="bench")
        keys.append(create_app_key(workspace_id=workspace.pk).token)
        grant_credits(workspace_id=workspace.pk, amount_ucr=amount_ucr, reason="bench")
        ids.append(workspace.pk)
    return {"workspace_ids": ids, "keys": keys}


def main() -> None:
    """Make them and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--amount-ucr", type=int, required=True)
    options = parser.parse_args()
    django.setup()
    print(json.dumps(_make(options.count, options.amount_ucr)))


if __name__ == "__main__":
    main()
