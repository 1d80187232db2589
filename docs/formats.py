#!/usr/bin/env python3
"""Read a bundle by docs/formats.md alone, and recompute what it says.

    python3 docs/formats.py BUNDLE TRUSTED_ROOT

It uses Python's standard library and nothing of ceremony: a second reading of
the formats, against which the first is tested. It prints one JSON object, and
exits with status 1 and a line on stderr where something is not as it must be.
It is no substitute for `ceremony verify`: of the plan it reads only which events
it supersedes, it reads no attestation and no root of another repository, judges no
expiry, and knows ECDSA on P-256 and P-384, and RSA-PSS, alone.
"""

import base64
import functools
import hashlib
import json
import re
import sys


class Wrong(Exception):
    pass


def want(ok, what):
    if not ok:
        raise Wrong(what)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- the bundle: a tar that is written in one way only

def header(name, size):
    """The 512 bytes before a file, for names of up to 100 bytes."""
    head = bytearray(512)

    def put(at, data):
        head[at:at + len(data)] = data

    put(0, name.encode("ascii"))
    put(100, b"0000644\0" b"0000000\0" b"0000000\0")  # mode, uid, gid
    put(124, b"%011o\0" % size)
    put(136, b"00000000000\0")  # mtime
    put(148, b" " * 8)  # the checksum counts itself as spaces
    put(156, b"0")  # a regular file
    put(257, b"ustar\0" b"00")
    put(329, b"0000000\0" b"0000000\0")  # devmajor, devminor
    put(148, b"%06o\0 " % sum(head))
    return bytes(head)


def pack(files):
    names = sorted(files)
    manifest = "".join("%s  %s\n" % (sha256(files[name]), name) for name in names).encode("ascii")
    out = b""
    for name, data in [("MANIFEST", manifest)] + [(name, files[name]) for name in names]:
        out += header(name, len(data)) + data + bytes(-len(data) % 512)
    return out + bytes(1024)


def unpack(data):
    files, at = {}, 0
    while at + 512 <= len(data) and data[at:at + 512] != bytes(512):
        head = data[at:at + 512]
        name = head[:100].rstrip(b"\0").decode("ascii")
        size = int(head[124:135], 8)
        files[name] = data[at + 512:at + 512 + size]
        at += 512 + (size + 511) // 512 * 512
    want(files.pop("MANIFEST", None) is not None, "it is not a bundle")
    want(pack(files) == data, "the bundle's bytes are not those that its content makes")
    return files


# --- JSON: strict in, canonical out

def members(pairs):
    names = [name for name, _ in pairs]
    want(len(names) == len(set(names)), "a member stands twice")
    return dict(pairs)


def refuse(text):
    raise Wrong("the number %s is not an integer" % text)


def parse(data):
    return json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_float=refuse, parse_constant=refuse)


def canonical(v):
    if v is None or v is True or v is False:
        return {None: b"null", True: b"true", False: b"false"}[v]
    if isinstance(v, int):
        want(abs(v) < 2 ** 53, "a number is beyond 2^53-1")
        return b"%d" % v
    if isinstance(v, str):
        return b'"' + v.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8") + b'"'
    if isinstance(v, list):
        return b"[" + b",".join(canonical(e) for e in v) + b"]"
    pairs = sorted((name.encode("utf-8"), name) for name in v)
    return b"{" + b",".join(canonical(name) + b":" + canonical(v[name]) for _, name in pairs) + b"}"


def as_json(payload):
    """Canonical bytes with their control characters escaped."""
    return b"".join(
        b"\\n" if c == 10 else b"\\u%04x" % c if c < 32 else bytes([c]) for c in payload)


def envelope(payload, signatures):
    return b'{"signatures":' + canonical(signatures) + b',"signed":' + as_json(payload) + b"}\n"


# --- keys and signatures: ECDSA on P-256 and P-384, from the book

class Curve:
    def __init__(self, spki, hash, p, n, x, y):
        self.spki, self.hash, self.p, self.n, self.g = bytes.fromhex(spki), hash, p, n, (x, y)
        self.size = (p.bit_length() + 7) // 8

    def add(self, a, b):
        if a is None or b is None:
            return a or b
        if a[0] == b[0] and (a[1] + b[1]) % self.p == 0:
            return None
        if a == b:
            slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, self.p)
        else:
            slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, self.p)
        x = (slope * slope - a[0] - b[0]) % self.p
        return x, (slope * (a[0] - x) - a[1]) % self.p

    def times(self, n, point):
        total = None
        while n:
            if n & 1:
                total = self.add(total, point)
            point, n = self.add(point, point), n >> 1
        return total


CURVES = {
    "ecdsa-sha2-nistp256": Curve(
        "3059301306072a8648ce3d020106082a8648ce3d03010703420004", hashlib.sha256,
        2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1,
        0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551,
        0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
        0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5),
    "ecdsa-sha2-nistp384": Curve(
        "3076301006072a8648ce3d020106052b8104002203620004", hashlib.sha384,
        2 ** 384 - 2 ** 128 - 2 ** 96 + 2 ** 32 - 1,
        0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973,
        0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7,
        0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f),
}


# --- RSA-PSS with SHA-256, from RFC 8017

PSS = "rsassa-pss-sha256"
RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")


def element(data, tag):
    """The content of the DER element that data begins with, and what follows."""
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7f
        size = int.from_bytes(data[2:start], "big")
    want(data[0] == tag and start + size <= len(data), "a key is not DER")
    return data[start:start + size], data[start + size:]


def rsa_numbers(der):
    body, rest = element(der, 0x30)
    want(not rest and body.startswith(RSA_ALGORITHM), "a key is not RSA, which its scheme names")
    bits, rest = element(body[len(RSA_ALGORITHM):], 0x03)
    pair, more = element(bits[1:], 0x30)
    n, after = element(pair, 0x02)
    e, last = element(after, 0x02)
    want(not rest and not more and not last and bits[0] == 0, "a key has more than an RSA key")
    n, e = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    want(2048 <= n.bit_length() <= 8192, "an RSA key has a size that is not accepted")
    return n, e


def mask(seed, size):
    blocks = (hashlib.sha256(seed + i.to_bytes(4, "big")).digest() for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def verifies_pss(n, e, payload, sig):
    """RSASSA-PSS-VERIFY, with a salt of any length."""
    bits = n.bit_length() - 1
    size = (bits + 7) // 8
    number = int.from_bytes(sig, "big")
    if len(sig) != (n.bit_length() + 7) // 8 or number >= n:
        return False
    power = pow(number, e, n)
    if power.bit_length() > bits:
        return False
    message = power.to_bytes(size, "big")
    masked, digest = message[:-33], message[-33:-1]
    block = bytes(a ^ b for a, b in zip(masked, mask(digest, size - 33)))
    block = bytes([block[0] & 0xff >> 8 * size - bits]) + block[1:]
    padding, one, salt = block.partition(b"\x01")
    again = hashlib.sha256(bytes(8) + hashlib.sha256(payload).digest() + salt).digest()
    return message[-1] == 0xbc and one == b"\x01" and not any(padding) and again == digest


def spki(key):
    text = "".join(line for line in key["keyval"]["public"].splitlines() if "-----" not in line)
    der = base64.b64decode(text, validate=True)
    if key["scheme"] == PSS:
        rsa_numbers(der)
        return der
    want(key["scheme"] in CURVES, "a scheme is not known")
    curve = CURVES[key["scheme"]]
    want(der.startswith(curve.spki) and len(der) == len(curve.spki) + 2 * curve.size, "a key is not on its scheme's curve")
    return der


@functools.lru_cache(maxsize=None)
def verifies(scheme, der, payload, sig):
    if scheme == PSS:
        return verifies_pss(*rsa_numbers(der), payload, sig)
    curve = CURVES[scheme]
    point = int.from_bytes(der[-2 * curve.size:-curve.size], "big"), int.from_bytes(der[-curve.size:], "big")
    match = re.fullmatch(rb"\x30(.)\x02(.)(.*)", sig, re.S)
    size = match.group(2)[0]
    r = int.from_bytes(match.group(3)[:size], "big")
    s = int.from_bytes(match.group(3)[size + 2:], "big")
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    digest = int.from_bytes(curve.hash(payload).digest(), "big")
    inverse = pow(s, -1, curve.n)
    got = curve.add(curve.times(digest * inverse % curve.n, curve.g), curve.times(r * inverse % curve.n, point))
    return got is not None and got[0] % curve.n == r


def signers(payload, signatures, keys, role, what):
    """The distinct public keys, by fingerprint, that signed for a role."""
    good = set()
    for s in signatures:
        if s["keyid"] in role["keyids"] and s["keyid"] in keys:
            key = keys[s["keyid"]]
            want(verifies(key["scheme"], spki(key), payload, bytes.fromhex(s["sig"])), "a signature does not verify")
            good.add(sha256(spki(key)))
    want(len(good) >= role["threshold"] >= 1, "%s is below a threshold" % what)
    return len(good)


# --- delegations: who says who signs a role

TOP = ("root", "targets", "snapshot", "timestamp")


def delegation(delegator, role):
    """The role's entry in the delegations of another, if there is one."""
    delegations = delegator.get("delegations", {})
    for entry in delegations.get("roles", []):
        if entry["name"] == role:
            return entry
    bins = delegations.get("succinct_roles")
    if bins:
        width = (bins["bit_length"] + 3) // 4
        number = re.fullmatch(re.escape(bins["name_prefix"]) + "-([0-9a-f]{%d})" % width, role)
        if number and int(number.group(1), 16) < 2 ** bins["bit_length"]:
            return bins
    return None


def delegators(published, role):
    """The roles, from targets downwards, that delegate to a role."""
    found, seen, queue = [], {"targets"}, ["targets"]
    while queue:
        name = queue.pop(0)
        signed = published[name]["signed"] if name in published else {}
        if name != role and delegation(signed, role):
            found.append(name)
        for other in sorted(published):
            if other not in seen and delegation(signed, other):
                seen.add(other)
                queue.append(other)
    return found


def below(env, role, published):
    """Count a delegated role under each role that delegates to it."""
    counts = []
    for by in delegators(published, role):
        signed = published[by]["signed"]
        counts.append({"under_root": 0, "under": "%s %d" % (by, signed["version"]), "signers": signers(
            canonical(env["signed"]), env["signatures"], signed["delegations"]["keys"], delegation(signed, role), role)})
    want(counts, "nobody delegates to %s" % role)
    return counts


# --- the record: one chain a file

def line_again(line):
    """A line of record as it must be written."""
    order = ("act", "at", "binary", "event", "role", "version", "digest", "token", "device", "keyids", "taken", "waivers", "reason", "prev")
    want(set(line) <= set(order), "a line of record has an unknown member")
    text = json.dumps({name: line[name] for name in order if name in line}, separators=(",", ":"), ensure_ascii=False)
    for c in "\u2028\u2029":
        text = text.replace(c, "\\u%04x" % ord(c))
    return text.encode("utf-8")


def chain(data):
    want(data == b"" or data.endswith(b"\n"), "a line of record is cut short")
    prev, lines = "0" * 64, []
    for text in data.splitlines():
        line = parse(text)
        want(line_again(line) == text, "a line of record is not written as one is")
        want(line["prev"] == prev, "a line of record does not continue the line before it")
        prev = sha256(text)
        lines.append(line)
    return lines


# --- all together

def read(bundle, trusted):
    files = unpack(bundle)
    metadata = {name: data for name, data in files.items() if name.startswith("metadata/")}
    want(metadata, "there is no metadata")
    payloads = {"payload/" + name[9:]: canonical(parse(data)["signed"]) for name, data in metadata.items()}
    inputs = {name: data for name, data in files.items() if name == "plan.yaml" or name.startswith(("external/", "keys/", "lists/", "trusted/"))}
    inputs.update(payloads)
    event = sha256("".join("%s  %s\n" % (sha256(inputs[name]), name) for name in sorted(inputs)).encode("ascii"))

    roots = {}
    for name, data in files.items():
        if re.fullmatch(r"(trusted|metadata)/[0-9]+\.root\.json", name):
            root = parse(data)
            roots[root["signed"]["version"]] = root
    first = parse(trusted)
    start = first["signed"]["version"]
    if start in roots:
        want(canonical(roots[start]["signed"]) == canonical(first["signed"]), "the bundle is for another repository")
    roots[start] = first
    newest = max(roots)
    for version in range(start, newest + 1):
        want(version in roots, "root %d is missing" % version)
        root = roots[version]
        payload = canonical(root["signed"])
        for under in {max(start, version - 1), version}:
            signed = roots[under]["signed"]
            signers(payload, root["signatures"], signed["keys"], signed["roles"]["root"], "root %d" % version)

    published = {}
    for name in sorted(files, key=lambda name: (name.startswith("metadata/"), len(name), name)):  # the newest comes last
        match = re.fullmatch(r"(?:trusted|metadata)/[1-9][0-9]*\.([a-z0-9][a-z0-9._-]*)\.json", name)
        if match and (match.group(1) == "targets" or match.group(1) not in TOP):
            published[match.group(1)] = parse(files[name])

    roles, counted = [], 0
    for name in sorted(metadata):
        env, payload = parse(metadata[name]), payloads["payload/" + name[9:]]
        version, role = re.fullmatch(r"metadata/([1-9][0-9]*)\.([a-z0-9][a-z0-9._-]*)\.json", name).groups()
        signed = env["signed"]
        kind = role if role in TOP else "targets"
        want((str(signed["version"]), signed["_type"]) == (version, kind), name + " is not what its name says")
        place = "signatures/%s.%s/" % (version, role)
        detached = []
        for path in sorted(path for path in files if path.startswith(place)):
            s = parse(files[path])
            again = {"event": event, "keyid": path[len(place):-5], "payload": sha256(payload),
                     "role": role, "sig": s["sig"], "version": int(version)}
            want(canonical(again) + b"\n" == files[path], path + " is not a signature of this event")
            detached.append({"keyid": s["keyid"], "sig": s["sig"]})
        want(envelope(payload, detached) == metadata[name], name + " is not what payload and signatures make")
        counted += len(detached)
        if role == "root":
            for key_id, key in signed["keys"].items():
                want(sha256(canonical(key)) == key_id, "a key ID is not that of its key")
        if role in TOP:
            counts = []
            for u in [newest] if role != "root" else sorted({max(start, newest - 1), newest}):
                top = roots[u]["signed"]
                counts.append({"under_root": u, "under": "root %d" % u, "signers": signers(
                    payload, env["signatures"], top["keys"], top["roles"][role], name)})
        else:
            counts = below(env, role, published)
        roles.append({"role": role, "version": int(version), "sha256": sha256(payload), "counts": counts})
    for role, env in published.items():  # those who delegate stand in the bundle, and are signed themselves
        if any(r["role"] not in TOP for r in roles) and role != "targets":
            below(env, role, published)
        elif any(r["role"] not in TOP for r in roles):
            top = roots[newest]["signed"]
            signers(canonical(env["signed"]), env["signatures"], top["keys"], top["roles"]["targets"], "targets")
    want(counted == sum(name.startswith("signatures/") for name in files), "a signature is of nothing in the bundle")

    own, superseded = {event}, set(re.findall(r'\bevent: "?([0-9a-f]{64})\b', files["plan.yaml"].decode("utf-8")))
    acts = 0
    for name, data in files.items():
        if name.startswith("record/"):
            lines = chain(data)
            acts += len(lines)
            want(all(line["event"] in own | superseded for line in lines if line["act"] == "draft"), "another event was drafted")
            want(not any(line["act"] == "abort" and line["event"] == event for line in lines), "the event was aborted")
    return {"event": event, "sha256": sha256(bundle), "chain": list(range(start, newest + 1)), "roles": roles, "acts": acts}


def main(args):
    if len(args) != 2:
        print("usage: formats.py BUNDLE TRUSTED_ROOT", file=sys.stderr)
        return 2
    try:
        with open(args[0], "rb") as bundle, open(args[1], "rb") as trusted:
            print(json.dumps(read(bundle.read(), trusted.read()), indent=2))
    except (Wrong, KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
        print("formats.py: %s" % (e or type(e).__name__), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
