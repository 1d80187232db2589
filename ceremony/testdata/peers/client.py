"""A TUF client, python-tuf's, that takes a target from a repository, or several.

    .peers/python/bin/python client.py METADATA_URL TARGETS_URL ROOT STATE TARGET OUT [TARGET OUT]...

ROOT is the root metadata that a client ships with. What the client learns is
kept in the folder STATE, from one run to the next. On success TARGET is in the
file OUT, the versions now trusted are one line of JSON on stdout, and the exit
status is 0. A refusal is an error on stderr and exit status 1; OUT is not
written then. It sets no policy of its own: every default is python-tuf's.
CLIENT_CLOCK, a time like 2027-01-31T09:00:00Z, stands for the machine's clock.
"""

import datetime
import json
import os
import sys
from pathlib import Path
from unittest import mock

from tuf.ngclient import Updater
from tuf.ngclient._internal import trusted_metadata_set

ROLES = ("root", "timestamp", "snapshot", "targets")


def clock():
    """Has python-tuf, which takes no clock, read this one."""
    wanted = os.environ.get("CLIENT_CLOCK")
    if not wanted:
        return
    now = datetime.datetime.strptime(wanted, "%Y-%m-%dT%H:%M:%SZ")
    now = now.replace(tzinfo=datetime.timezone.utc)
    stopped = mock.Mock(wraps=datetime)
    stopped.datetime.now.side_effect = lambda zone: now
    trusted_metadata_set.datetime = stopped


def main(metadata_url, targets_url, root, state, *pairs):
    Path(state).mkdir(parents=True, exist_ok=True)
    updater = Updater(
        metadata_dir=state,
        metadata_base_url=metadata_url,
        target_base_url=targets_url,
        bootstrap=Path(root).read_bytes(),
    )
    updater.refresh()
    for target, out in zip(pairs[::2], pairs[1::2]):
        info = updater.get_targetinfo(target)
        if info is None:
            raise LookupError(f"no target is called {target!r}")
        updater.download_target(info, out)
    # The state folder is what the next run will start from.
    trusted = {
        role: json.loads(Path(state, f"{role}.json").read_bytes())["signed"]["version"]
        for role in ROLES
    }
    print(json.dumps(trusted))


if __name__ == "__main__":
    if len(sys.argv) < 7 or len(sys.argv) % 2 == 0:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        clock()
        main(*sys.argv[1:])
    except Exception as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        print(f"{type(error).__name__}: {error}{cause}", file=sys.stderr)
        sys.exit(1)
