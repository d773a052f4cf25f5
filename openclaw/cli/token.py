"""
C{openclaw token}: who may come in beside the operator.

A daemon that runs sees each change at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from openclaw.auth.named_tokens import (
    DEFAULT_SCOPES,
    LABEL_PATTERN,
    StoredToken,
    editTokens,
    generateToken,
    readTokens,
)
from openclaw.auth.realm import OPERATOR_SCOPES
from openclaw.config import stateDirectory
from openclaw.errors import OpenClawError
from openclaw.state_directory import prepareState

MAX_AMOUNT = 100_000
LAST_MOMENT = 253_402_300_799
"""
The end of the year 9999, behind which no date can be written.
"""

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MODEL = re.compile(r"\*|[!-.0-~]{1,64}/[!-+\--~]{1,192}")
_SPAN = re.compile(r"([0-9]{1,6})([mhdw])")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """
    The arguments of the command line.

    @ivar expires: A span of time, or a date.
    """

    label: str
    agents: Sequence[str] | None = None
    scopes: Sequence[str] | None = None
    maxConcurrent: str | None = None
    requestsPerMinute: str | None = None
    expires: str | None = None
    models: Sequence[str] | None = None


class Unfit(Exception):
    """
    The command line asks for what can't be.
    """


def addToken(
    wanted: Wanted,
    environ: Mapping[str, str],
    now: float,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """
    Make a token.

    @param now: Seconds since the epoch.
    @param stdout: Gets the token, alone on a line.
    @param stderr: Gets the rest.

    @return: The exit status.
    """
    token, digest = generateToken()
    try:
        kept = _kept(wanted, digest, now)
        state = stateDirectory(environ)
        prepareState(state, lambda path: None)
        with editTokens(state) as tokens:
            if kept.label in tokens.byLabel:
                raise Unfit(
                    f"There is a token {kept.label!r}. Revoke it first, or take another"
                    " label."
                )
            tokens.add(kept)
    except (OpenClawError, Unfit) as error:
        print(f"openclaw: {error}", file=stderr)
        return 1
    print(f"This is the token {kept.label!r}; it is shown only now:", file=stderr)
    print(token, file=stdout)
    return 0


def _kept(wanted: Wanted, digest: str, now: float) -> StoredToken:
    """
    @raise Unfit: There can be no such token.
    """
    if not re.fullmatch(LABEL_PATTERN, wanted.label):
        raise Unfit(
            "A label is made of lower-case letters, digits and -; 40 of them at most."
        )
    agents = None
    if wanted.agents is not None:
        agents = tuple(sorted({agent.lower() for agent in wanted.agents}))
        if not all(_AGENT.fullmatch(agent) for agent in agents):
            raise Unfit("--agent: expected the id of an agent.")
    models = None
    if wanted.models is not None:
        names = [each.strip() for entry in wanted.models for each in entry.split(",")]
        models = tuple(dict.fromkeys(names))
        if not all(_MODEL.fullmatch(model) for model in models):
            raise Unfit(
                "--models: expected models such as openai/gpt-5 or patterns such as"
                " openai/*, with commas between them."
            )
    scopes = tuple(sorted(set(wanted.scopes or DEFAULT_SCOPES)))
    if not OPERATOR_SCOPES.issuperset(scopes):
        known = ", ".join(sorted(OPERATOR_SCOPES))
        raise Unfit(f"--scope: there are only {known}.")
    return StoredToken(
        label=wanted.label,
        sha256=digest,
        createdAt=float(int(now)),
        scopes=scopes,
        agents=agents,
        models=models,
        maxConcurrent=_amount("--max-concurrent", wanted.maxConcurrent),
        requestsPerMinute=_amount("--rpm", wanted.requestsPerMinute),
        expiresAt=None if wanted.expires is None else expiry(wanted.expires, now),
    )


def _amount(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,6}", text) or not 1 <= int(text) <= MAX_AMOUNT:
        raise Unfit(f"{option}: expected a number from 1 to {MAX_AMOUNT}.")
    return int(text)


def expiry(text: str, now: float) -> float:
    """
    When a token ends, in seconds since the epoch.

    @param text: A span such as C{30d}, from C{now} on; or a date, of which it means
        the beginning, or a date and a time, as in ISO 8601; in UTC if it says nothing
        else.

    @raise Unfit: It is neither, or over.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        end = now + int(span[1]) * _UNITS[span[2]]
    else:
        try:
            moment = datetime.fromisoformat(text)
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            end = zoned.timestamp()
        except (ValueError, OverflowError):
            raise Unfit(
                "--expires: expected a span such as 30d, 12h or 2w, or a date such as"
                " 2027-01-31."
            ) from None
    if end <= now:
        raise Unfit(f"--expires: {text} is over.")
    if end > LAST_MOMENT:
        raise Unfit(f"--expires: {text} is too far away.")
    return float(int(end))


def listTokens(
    asJSON: bool,
    environ: Mapping[str, str],
    now: float,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """
    Show which tokens there are, but not what they are.

    @return: The exit status.
    """
    try:
        tokens = readTokens(stateDirectory(environ)).values()
    except OpenClawError as error:
        print(f"openclaw: {error}", file=stderr)
        return 1
    if asJSON:
        document = [_shown(token, now) for token in tokens]
        print(msgspec.json.format(msgspec.json.encode(document)).decode(), file=stdout)
    elif tokens:
        for line in _table([_row(token, now) for token in tokens]):
            print(line, file=stdout)
    else:
        print("There are no tokens with names.", file=stderr)
    return 0


def _shown(token: StoredToken, now: float) -> dict[str, Any]:
    return {
        "label": token.label,
        "scopes": token.scopes,
        "agents": token.agents,
        "models": token.models,
        "maxConcurrent": token.maxConcurrent,
        "requestsPerMinute": token.requestsPerMinute,
        "createdAt": _moment(token.createdAt),
        "expiresAt": None if token.expiresAt is None else _moment(token.expiresAt),
        "expired": token.isExpired(now),
    }


_HEADINGS = ("LABEL", "SCOPES", "AGENTS", "MODELS", "RUNS", "RPM", "CREATED", "EXPIRES")


def _row(token: StoredToken, now: float) -> Sequence[str]:
    expires = "never" if token.expiresAt is None else _moment(token.expiresAt)
    return (
        token.label,
        ",".join(token.scopes),
        "all" if token.agents is None else ",".join(token.agents),
        "agents'" if token.models is None else ",".join(token.models),
        str(token.maxConcurrent or "-"),
        str(token.requestsPerMinute or "-"),
        _moment(token.createdAt),
        f"{expires} (over)" if token.isExpired(now) else expires,
    )


def _table(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    every = [_HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in every
    ]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def revokeToken(
    label: str, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO
) -> int:
    """
    Make a token worthless.

    @return: The exit status.
    """
    try:
        with editTokens(stateDirectory(environ)) as tokens:
            if label not in tokens.byLabel:
                raise Unfit(f"There is no token {label!r}.")
            tokens.revoke(label)
    except (OpenClawError, Unfit) as error:
        print(f"openclaw: {error}", file=stderr)
        return 1
    print(f"The token {label!r} is good no longer.", file=stdout)
    return 0
