"""What python-tuf takes for one kind of work, in a process of its own.

    python - WORK DIR SECONDS < peer.py

DIR has the files that `scale` makes. The work is done once, and again until
SECONDS are over; a line of JSON says how long each run took, and how much
memory the process had had at most after the first one. python-tuf has no
review and no draft: what is measured is the least that a program on top of it
would do.
"""

import json
import os
import sys
import time

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Key, Metadata, TargetFile
from tuf.api.serialization.json import JSONSerializer

WORK, DIR, BUDGET = sys.argv[1], sys.argv[2], float(sys.argv[3])


def path(name):
    return os.path.join(DIR, name)


def read(name):
    return Metadata.from_file(path(name))


def parse():
    read("7.targets.json")


def sign():
    targets = read("8.targets.json")
    with open(path("holder-1.pem"), "rb") as f:
        signer = CryptoSigner(load_pem_private_key(f.read(), None))
    targets.sign(signer)


def verify():
    root, targets = read("root.json"), read("8.targets.json")
    root.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)


def draft():
    targets = read("7.targets.json")
    signed = targets.signed
    signed.version += 1
    with open(path("changes.jsonl"), encoding="utf-8") as f:
        for line in f:
            change = json.loads(line)
            if "path" in change:
                name = change.pop("path")
                signed.targets[name] = TargetFile.from_dict(change, name)
                continue
            key = Key.from_dict(change["keyid"], change["key"])
            signed.delegations.keys[change["keyid"]] = key
            role = DelegatedRole.from_dict(change["role"])
            signed.delegations.roles[role.name] = role
    targets.signatures.clear()
    targets.to_file(path("written"), JSONSerializer(compact=True))
    os.remove(path("written"))


def differing(old, new):
    return [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]


def review():
    old, new = read("7.targets.json").signed, read("8.targets.json").signed
    changed = differing(old.targets, new.targets)
    if new.delegations is not None:
        changed += differing(old.delegations.keys, new.delegations.keys)
        changed += differing(old.delegations.roles, new.delegations.roles)
    if not changed:
        raise ValueError("nothing differs")


def peak():
    try:
        with open("/proc/self/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


work = {"parse": parse, "sign": sign, "verify": verify, "draft": draft, "review": review}[WORK]
seconds, most = [], 0
while not seconds or sum(seconds) < BUDGET:
    start = time.perf_counter()
    work()
    seconds.append(time.perf_counter() - start)
    most = most or peak()
print(json.dumps({"seconds": seconds, "peak": most}))
