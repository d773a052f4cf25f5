"""
Tokens with names: who may come in beside the operator, kept in a file of the state
directory.

Only the command writes the file, and a daemon that runs sees each change with the next
request.  What is kept of a token is its SHA-256.  A token is 256 random bits, so nobody
can guess it, with the digest or without, however fast they are; the slow hashes that
passwords need would only make each request slow.
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

PREFIX = "oct_"
"""
The prefix of each token, so that programs that look for leaked secrets can recognise
it.
"""

RANDOM_BYTES = 32
TOKENS_NAME = "tokens.json"
MAX_FILE_BYTES = 16 * 1024 * 1024
VERSION = 1
USUAL_SCOPES = ("operator.write",)

TOKEN_NAMESPACE = "token:"
"""
The prefix of the labels and namespaces of those who have a token.
"""

LABEL_PATTERN = r"\A[a-z0-9-]{1,40}\Z"
Label = Annotated[str, Meta(pattern=LABEL_PATTERN)]
Amount = Annotated[int, Meta(ge=1)]


class KeptToken(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A stored token.

    @ivar sha256: Its digest, in hexadecimal digits.
    @ivar createdAt: Seconds since the epoch.
    @ivar agents: The agents that it may use; C{None} for all.
    @ivar maxConcurrent: The most runs at once, if there is a bound.
    @ivar requestsPerMinute: The most requests in 60 seconds, if there is a bound.
    @ivar expiresAt: Until when it is good, in seconds since the epoch; C{None} for
        ever.
    @ivar models: The models that it may name in C{x-openclaw-model}, as patterns such
        as C{openai/*}; C{None} for those of its agents.
    @ivar generation: Which token of this label it is, from 1.
    """

    label: Label
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    createdAt: float
    scopes: tuple[str, ...]
    agents: tuple[str, ...] | None = None
    maxConcurrent: Amount | None = None
    requestsPerMinute: Amount | None = None
    expiresAt: float | None = None
    models: tuple[str, ...] | None = None
    generation: Amount = 1

    @property
    def caller(self) -> str:
        """
        The label of whoever has it, such as C{token:ci}.
        """
        return f"{TOKEN_NAMESPACE}{self.label}"

    @property
    def namespace(self) -> str:
        """
        The namespace of its sessions and runs: C{token:ci} for the first token of that
        label, C{token:ci~2} for the next.
        """
        if self.generation == 1:
            return self.caller
        return f"{self.caller}~{self.generation}"

    def isExpired(self, now: float) -> bool:
        """
        Is it good no longer?
        """
        return self.expiresAt is not None and now >= self.expiresAt


class _File(Struct, frozen=True, kw_only=True):
    version: int
    tokens: tuple[KeptToken, ...]
    generations: dict[Label, Amount] | None = None
    firstGeneration: Amount = 1


@dataclass
class TokenSet:
    """
    The tokens of a state directory, to be changed.

    @ivar byLabel: The tokens.
    @ivar generations: The last generation of each label that was ever revoked.
    @ivar firstGeneration: The generation of a token whose label is in neither.  It is 2
        in a file that an earlier version began, which did not keep revoked labels: each
        label may have been one of them.
    """

    byLabel: dict[str, KeptToken]
    generations: dict[str, int]
    firstGeneration: int = 1

    def add(self, token: KeptToken) -> None:
        """
        Add a token, which sees nothing of an earlier one of its label.
        """
        last = self.generations.get(token.label, self.firstGeneration - 1)
        generation = last + 1
        self.byLabel[token.label] = msgspec.structs.replace(
            token, generation=generation
        )

    def revoke(self, label: str) -> None:
        """
        Remove a token.

        @raise KeyError: There is none of this label.
        """
        self.generations[label] = self.byLabel.pop(label).generation


def newToken() -> tuple[str, str]:
    """
    Make a token.

    @return: The token, and what is kept of it.
    """
    token = PREFIX + token_urlsafe(RANDOM_BYTES)
    return token, sha256(token.encode()).hexdigest()


def tokensFile(state: Path) -> Path:
    """
    Return the path of the tokens in a state directory.
    """
    return state / TOKENS_NAME


def readTokens(state: Path) -> Mapping[str, KeptToken]:
    """
    The tokens by their labels; none where there is no file.

    @raise TokenFileError: The file can't be read, or may have been changed by others.
    """
    return _read(tokensFile(state))[1].byLabel


_Signature = tuple[int, ...] | None
"""
The part of a file's status that changes when another file takes its place.
"""


def _signature(status: os.stat_result) -> _Signature:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _read(path: Path) -> tuple[_Signature, TokenSet]:
    try:
        data, status = readPrivateFile(path, MAX_FILE_BYTES)
        kept = msgspec.json.decode(data, type=_File)
    except FileNotFoundError:
        return None, TokenSet({}, {})
    except OSError as error:
        raise TokenFileError(
            f"The file {path} can't be read: {error.strerror}."
        ) from None
    except UnsafeFile as error:
        raise TokenFileError(
            f"The file {path} is not used: it {error}. Nobody knows whose tokens"
            " these are."
        ) from None
    except msgspec.MsgspecError:
        raise TokenFileError(f"The file {path} holds no tokens.") from None
    if kept.version != VERSION:
        raise TokenFileError(f"The file {path} is of another version of OpenClaw.")
    tokens = {token.label: token for token in kept.tokens}
    if kept.generations is None:
        return _signature(status), TokenSet(tokens, {}, firstGeneration=2)
    return _signature(status), TokenSet(
        tokens, dict(kept.generations), kept.firstGeneration
    )


@contextmanager
def changingTokens(state: Path) -> Iterator[TokenSet]:
    """
    Change the tokens.  Nobody else does meanwhile, and whoever reads the file has all
    of the change, or nothing.

    @raise TokenFileError: The file can't be read or written.
    """
    try:
        descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise TokenFileError(f"{state} can't be read: {error.strerror}.") from None
    try:
        # The directory stays, while the file is replaced by each change.
        flock(descriptor, LOCK_EX)
        _, tokens = _read(tokensFile(state))
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
        _File(
            version=VERSION,
            tokens=tuple(tokens.byLabel.values()),
            generations=tokens.generations,
            firstGeneration=tokens.firstGeneration,
        )
    )
    path = tokensFile(state)
    new = path.with_name(f".{TOKENS_NAME}.{token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(msgspec.json.format(data, indent=2) + b"\n")
            file.flush()
            os.fchmod(file.fileno(), 0o600)
            if os.geteuid() == 0:
                # The daemon must be able to read it, and may be somebody else.
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
    The tokens as a daemon knows them: those of the file as it is now.
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

        @param now: Tells the seconds since the epoch.

        @param audits: Write a line for each change; of several processes, one
            does.
        """
        self._state = state
        self._path = tokensFile(state)
        self._now = now
        self.log = log
        self._seen: _Signature | object = object()
        self._byDigest: Mapping[bytes, KeptToken] = {}
        self._byLabel: Mapping[str, KeptToken] = {}
        self._byNamespace: Mapping[str, KeptToken] = {}
        self._told: TokenSet | None = None
        self._audits = audits
        self._audit = auditLogger(log)

    def find(self, token: bytes) -> KeptToken | None:
        """
        Find a valid token.

        @param token: What a caller showed.
        """
        self._look()
        # How long this takes tells something of digests only, and nobody can choose
        # those of what they show.
        kept = self._byDigest.get(sha256(token).digest())
        if kept is None or kept.isExpired(self._now()):
            return None
        return kept

    def isRevoked(self, namespace: str) -> bool:
        """
        Is this the namespace of a token that is not valid any more?
        """
        if not namespace.startswith(TOKEN_NAMESPACE):
            return False
        if namespace not in self._byNamespace:
            # Another worker may have seen it before this one did.
            self._look()
        token = self._byNamespace.get(namespace)
        return token is None or token.isExpired(self._now())

    def refresh(self) -> None:
        """
        Read the file if it has changed.
        """
        self._look()

    def labelled(self, label: str) -> KeptToken | None:
        """
        The token of this name, as it was when one was last looked for.
        """
        return self._byLabel.get(label)

    def _look(self) -> None:
        """
        Read the file if it is another one.  To ask takes two microseconds.
        """
        try:
            current = _signature(os.stat(self._path))
        except FileNotFoundError:
            current = None
        except OSError as error:
            current = (error.errno or 0,)
        if current == self._seen:
            return
        tokens: Mapping[str, KeptToken] = {}
        try:
            self._seen, found = _read(self._path)
            tokens = found.byLabel
        except TokenFileError as error:
            # Nobody knows which of the old ones are still meant to be good.
            self._seen = current
            self.log.error("{error} No named token is good.", error=error.message)
        else:
            self._tellChanges(found)
        self._byLabel = tokens
        self._byNamespace = {token.namespace: token for token in tokens.values()}
        self._byDigest = {
            bytes.fromhex(token.sha256): token for token in tokens.values()
        }

    def _tellChanges(self, found: TokenSet) -> None:
        """
        Write an audit line for each token that came or went since the file was last
        understood.
        """
        told, self._told = self._told, found
        if told is None or not self._audits:
            return
        before = {token.namespace: token for token in told.byLabel.values()}
        now = {token.namespace: token for token in found.byLabel.values()}
        for name in before.keys() - now.keys():
            self._audit.info("token revoked label={label}", label=before[name].label)
        for label, last in found.generations.items():
            seen = told.generations.get(label, told.firstGeneration - 1)
            missed = last - seen - (label in told.byLabel)
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
