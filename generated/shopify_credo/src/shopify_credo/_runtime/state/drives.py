"""Whether a SQLite file lies where its locks hold: on a drive of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import make_url

NETWORK = frozenset({
    "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.cephfs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "smb2", "smb3", "smbfs",
})  # fmt: skip
"""File systems that several machines share. Their locks are promises of a server far away, and a write-ahead log needs memory
that all who use the file share."""
ON_NETWORK = (
    "the SQLite file lies on a network drive ({}): its locks do not hold there, and two processes could write side by side;"
    " put it on a drive of this machine, or name PostgreSQL in DATABASE_URL"
)
MOUNTS = Path("/proc/self/mounts")


def network_drive(url: str) -> str | None:
    """The kind of network drive that a SQLite URL's file lies on; None for a drive of this machine, and where nobody can tell."""
    parsed = make_url(url)
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    path = os.path.realpath(os.path.expanduser(name))
    try:
        lines = MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    best, kind = -1, ""
    for line in lines:
        _, _, rest = line.partition(" ")
        place, _, rest = rest.partition(" ")
        place = place.replace("\\040", " ").rstrip("/")
        if (path == place or path.startswith(place + "/")) and len(place) >= best:
            best, kind = len(place), rest.partition(" ")[0]  # of two at one place, the later one covers the earlier
    return kind if kind in NETWORK else None
