"""
Named tokens of callers beside the operator, in a file of the state directory.

Only the command line writes the file; a running daemon applies each change with the
next request. The file has the SHA-256 of each token. A token is 256 random bits, so it
can't be guessed from the digest; the slow hashes that passwords need would only slow
down each request.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from twisted.logger import Logger

from openclaw.audit import auditLogger
from openclaw.errors import TokenFileError
from openclaw.private_files import UnsafeFile, readPrivateFile

TOKEN_PREFIX = "oct_"
"""
The prefix of each token, by which secret scanners can recognise it.
"""

SECRET_BYTES = 32
FILE_NAME = "tokens.json"
MAX_FILE_BYTES = 16 * 1024 * 1024
FORMAT_VERSION = 1
DEFAULT_SCOPES = ("operator.write",)

TOKEN_NAMESPACE = "token:"
"""
The prefix of the labels and namespaces of token callers.
"""

LABEL_PATTERN = r"\A[a-z0-9-]{1,40}\Z"
Label = Annotated[str, Meta(pattern=LABEL_PATTERN)]
PositiveInt = Annotated[int, Meta(ge=1)]


class StoredToken(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A stored token.

    @ivar sha256: The digest of the token, in hexadecimal.
    @ivar createdAt: Seconds since the epoch.
    @ivar agents: The agents that it may use; C{None} for all.
    @ivar maxConcurrent: Limit of concurrent runs; C{None} for none.
    @ivar requestsPerMinute: Limit of requests in 60 seconds; C{None} for none.
    @ivar expiresAt: The expiry, in seconds since the epoch; C{None} for never.
    @ivar models: Patterns, such as C{openai/*}, of the models that it may name in
        C{x-openclaw-model}; C{None} for those of its agents.
    @ivar generation: The number of this token among those of its label, from 1.
    """

    label: Label
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    createdAt: float
    scopes: tuple[str, ...]
    agents: tuple[str, ...] | None = None
    maxConcurrent: PositiveInt | None = None
    requestsPerMinute: PositiveInt | None = None
    expiresAt: float | None = None
    models: tuple[str, ...] | None = None
    generation: PositiveInt = 1

    @property
    def caller(self) -> str:
        """
        The label of its caller, such as C{token:ci}.
        """
        return f"{TOKEN_NAMESPACE}{self.label}"

    @property
    def namespace(self) -> str:
        """
        The namespace of its sessions and runs: C{token:ci} for the first token of the
        label, C{token:ci~2} for the next.
        """
        if self.generation == 1:
            return self.caller
        return f"{self.caller}~{self.generation}"

    def isExpired(self, now: float) -> bool:
        return self.expiresAt is not None and now >= self.expiresAt


class _TokenFile(Struct, frozen=True, kw_only=True):
    version: int
    tokens: tuple[StoredToken, ...]
    generations: dict[Label, PositiveInt] | None = None
    firstGeneration: PositiveInt = 1


@dataclass
class TokenSet:
    """
    The tokens of a state directory, to be edited.

    @ivar byLabel: The tokens by label.
    @ivar generations: The last revoked generation of each label.
    @ivar firstGeneration: The generation of a token whose label is in neither. It is 2
        if an earlier version created the file: that did not record revoked labels, so
        each label may have been in use before.
    """

    byLabel: dict[str, StoredToken]
    generations: dict[str, int]
    firstGeneration: int = 1

    def add(self, token: StoredToken) -> None:
        """
        Add a token in a new generation, so that it can't access what an earlier token
        of its label could.
        """
        last = self.generations.get(token.label, self.firstGeneration - 1)
        generation = last + 1
        self.byLabel[token.label] = msgspec.structs.replace(
            token, generation=generation
        )

    def revoke(self, label: str) -> None:
        """
        Remove a token.

        @raise KeyError: No token has this label.
        """
        self.generations[label] = self.byLabel.pop(label).generation


def generateToken() -> tuple[str, str]:
    """
    Generate a token.

    @return: The token, and its digest for the file.
    """
    token = TOKEN_PREFIX + token_urlsafe(SECRET_BYTES)
    return token, sha256(token.encode()).hexdigest()


def tokensPath(state: Path) -> Path:
    return state / FILE_NAME


def readTokens(state: Path) -> Mapping[str, StoredToken]:
    """
    Read the tokens by label; empty if the file is missing.

    @raise TokenFileError: The file can't be read, or others may have changed it.
    """
    return _read(tokensPath(state))[1].byLabel


_FileSignature = tuple[int, ...] | None
"""
The part of a file's status that changes when the file is replaced.
"""


def _fileSignature(status: os.stat_result) -> _FileSignature:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _read(path: Path) -> tuple[_FileSignature, TokenSet]:
    try:
        data, status = readPrivateFile(path, MAX_FILE_BYTES)
        stored = msgspec.json.decode(data, type=_TokenFile)
    except FileNotFoundError:
        return None, TokenSet({}, {})
    except OSError as error:
        raise TokenFileError(
            f"The file {path} can't be read: {error.strerror}."
        ) from None
    except UnsafeFile as error:
        raise TokenFileError(
            f"The tokens in {path} are not used: the file {error}, so they may have"
            " been changed by others."
        ) from None
    except msgspec.MsgspecError:
        raise TokenFileError(f"The file {path} is not a valid tokens file.") from None
    if stored.version != FORMAT_VERSION:
        raise TokenFileError(
            f"The file {path} was written by another version of OpenClaw."
        )
    tokens = {token.label: token for token in stored.tokens}
    if stored.generations is None:
        return _fileSignature(status), TokenSet(tokens, {}, firstGeneration=2)
    return _fileSignature(status), TokenSet(
        tokens, dict(stored.generations), stored.firstGeneration
    )


@contextmanager
def editTokens(state: Path) -> Iterator[TokenSet]:
    """
    Edit the tokens under a lock. The file is replaced as a whole.

    @raise TokenFileError: The file can't be read or written.
    """
    try:
        descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise TokenFileError(f"{state} can't be read: {error.strerror}.") from None
    try:
        # The directory is locked, since each change replaces the file.
        flock(descriptor, LOCK_EX)
        _, tokens = _read(tokensPath(state))
        yield tokens
        try:
            _write(state, descriptor, tokens)
        except OSError as error:
            raise TokenFileError(
                f"The tokens in {state} can't be written: {error.strerror}."
            ) from None
    finally:
        os.close(descriptor)


def _write(state: Path, directory: int, tokens: TokenSet) -> None:
    data = msgspec.json.encode(
        _TokenFile(
            version=FORMAT_VERSION,
            tokens=tuple(tokens.byLabel.values()),
            generations=tokens.generations,
            firstGeneration=tokens.firstGeneration,
        )
    )
    path = tokensPath(state)
    new = path.with_name(f".{FILE_NAME}.{token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(msgspec.json.format(data, indent=2) + b"\n")
            file.flush()
            os.fchmod(file.fileno(), 0o600)
            if os.geteuid() == 0:
                # The daemon may run as another user, and must be able to read the file.
                owner = os.fstat(directory)
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        os.rename(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    os.fsync(directory)


class NamedTokens:
    """
    The tokens for a daemon, reloaded when the file changes.
    """

    def __init__(
        self,
        state: Path,
        now: Callable[[], float],
        log: Logger,
        *,
        audits: bool = True,
    ) -> None:
        """
        @param state: The state directory.

        @param now: Return the time, in seconds since the epoch.

        @param audits: Write an audit line for each change; one of several
            processes does.
        """
        self._state = state
        self._path = tokensPath(state)
        self._now = now
        self.log = log
        self._loadedSignature: _FileSignature | object = object()
        self._byDigest: Mapping[bytes, StoredToken] = {}
        self._byLabel: Mapping[str, StoredToken] = {}
        self._byNamespace: Mapping[str, StoredToken] = {}
        self._audited: TokenSet | None = None
        self._audits = audits
        self._audit = auditLogger(log)

    def find(self, token: bytes) -> StoredToken | None:
        """
        Find a valid token.

        @param token: The token that a caller sent.
        """
        self.refresh()
        # The time that this takes depends on digests only, which callers can't choose.
        stored = self._byDigest.get(sha256(token).digest())
        if stored is None or stored.isExpired(self._now()):
            return None
        return stored

    def isRevoked(self, namespace: str) -> bool:
        """
        Return whether a namespace belongs to a token that is no longer valid.
        """
        if not namespace.startswith(TOKEN_NAMESPACE):
            return False
        if namespace not in self._byNamespace:
            # Another worker may have loaded a new token before this one.
            self.refresh()
        token = self._byNamespace.get(namespace)
        return token is None or token.isExpired(self._now())

    def refresh(self) -> None:
        """
        Reload the file if it has changed. The check takes 2 µs.
        """

        try:
            current = _fileSignature(os.stat(self._path))
        except FileNotFoundError:
            current = None
        except OSError as error:
            current = (error.errno or 0,)
        if current == self._loadedSignature:
            return
        tokens: Mapping[str, StoredToken] = {}
        try:
            self._loadedSignature, found = _read(self._path)
            tokens = found.byLabel
        except TokenFileError as error:
            # Any of the old tokens may have been revoked.
            self._loadedSignature = current
            self.log.error(
                "{error} Named tokens are rejected until this is fixed.",
                error=error.message,
            )
        else:
            self._auditChanges(found)
        self._byLabel = tokens
        self._byNamespace = {token.namespace: token for token in tokens.values()}
        self._byDigest = {
            bytes.fromhex(token.sha256): token for token in tokens.values()
        }

    def getByLabel(self, label: str) -> StoredToken | None:
        """
        Return the token of a label, as of the last reload.
        """
        return self._byLabel.get(label)

    def _auditChanges(self, found: TokenSet) -> None:
        """
        Write an audit line for each token that was added or revoked since the last
        valid file.
        """
        previous, self._audited = self._audited, found
        if previous is None or not self._audits:
            return
        before = {token.namespace: token for token in previous.byLabel.values()}
        now = {token.namespace: token for token in found.byLabel.values()}
        for name in before.keys() - now.keys():
            self._audit.info("token revoked label={label}", label=before[name].label)
        for label, last in found.generations.items():
            seen = previous.generations.get(label, previous.firstGeneration - 1)
            missed = last - seen - (label in previous.byLabel)
            if missed > 0:
                self._audit.info(
                    "token added and revoked label={label} times={times}",
                    label=label,
                    times=missed,
                )
        for name in now.keys() - before.keys():
            token = now[name]
            self._audit.info(
                "token added label={label} scopes={scopes} agents={agents}",
                label=token.label,
                scopes=",".join(token.scopes),
                agents="all" if token.agents is None else ",".join(token.agents),
            )
