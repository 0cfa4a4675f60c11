"""Where the platform's own Redis listens, for those that only ask whether it has been started.

What does not belong here: connecting to it (`connection`), and starting it (`processes.runtime.redis_server`).
"""

import hashlib
import os
import tempfile
from pathlib import Path

SOCKET_FILE = "redis.sock"
"""Socket of the embedded server in its folder; a link where the folder's path is too long for a socket."""

LONGEST_SOCKET_BYTES = 100
"""Systems allow 104 to 108 bytes for the path of a socket."""


def socket_path(folder: Path) -> Path:
    """Where the embedded server of a folder listens; in the temporary folder where the path would be too long.

    A link says in which temporary folder, if it is of this folder: a copied one leads to the server of another.
    """
    usual = folder.absolute() / SOCKET_FILE
    name = f"pairs-platform-{hashlib.sha256(os.fsencode(usual.parent)).hexdigest()[:16]}"
    if usual.is_symlink() and Path(os.readlink(usual)).parent.name == name:
        return Path(os.readlink(usual))
    if len(os.fsencode(usual)) <= LONGEST_SOCKET_BYTES:
        return usual
    return Path(tempfile.gettempdir()) / name / SOCKET_FILE
