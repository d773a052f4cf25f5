"""
The state directory, with the files that outlive the daemon.
"""

import os
from collections.abc import Callable
from pathlib import Path
from pwd import getpwuid
from secrets import token_urlsafe

from openclaw.config import Secret
from openclaw.errors import StartError
from openclaw.private_files import UnsafeFile, readPrivateFile

TOKEN_NAME = "gateway-token"
"""
The file with the generated token, which is used if none is configured.
"""

MAX_TOKEN_BYTES = 4096

Adopt = Callable[[Path], None]
"""
Gives a file to the user that the daemon will run as.
"""


def prepareState(directory: Path, adopt: Adopt) -> None:
    """
    Create the state directory with mode 0700.

    @raise StartError: It can't be created or written.
    """
    try:
        if not directory.is_dir():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            adopt(directory)
    except OSError as error:
        raise StartError(
            f"The state directory {directory} can't be created: {error.strerror}."
        ) from None
    # For the effective user, who may differ from the one who started the process.
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        raise StartError(
            f"The state directory {directory} can't be written by {_userName()}."
        )


def _userName() -> str:
    number = os.geteuid()
    try:
        return getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def tokenFile(directory: Path) -> Path:
    return directory / TOKEN_NAME


def loadOrCreateToken(directory: Path, adopt: Adopt) -> Secret:
    """
    Load the token from the state directory, or create a random one.

    @raise StartError: The file can't be read or written, or it is empty.
    """
    path = tokenFile(directory)
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            data, _ = readPrivateFile(path, MAX_TOKEN_BYTES)
            token = data.decode("ascii").strip()
            if not token:
                raise StartError(f"The token file {path} is empty.") from None
            return Secret(token)
        token = token_urlsafe(32)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
        adopt(path)
        return Secret(token)
    except UnsafeFile as error:
        raise StartError(f"The token file {path} can't be used: it {error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"The token file {path} can't be used: {error}.") from None
