"""
C{openclaw token}: manage named tokens.

A running daemon applies each change at once.
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
    tokensPath,
)
from openclaw.auth.realm import OPERATOR_SCOPES
from openclaw.config import findConfig, loadConfig, stateDirectory
from openclaw.config.agent_settings import entriesByID
from openclaw.errors import OpenClawError
from openclaw.state_directory import prepareState

MAX_COUNT = 100_000
LAST_MOMENT = 253_402_300_799
"""
The end of the year 9999, the last that C{datetime} can format.
"""

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MODEL = re.compile(r"\*|[!-.0-~]{1,64}/[!-+\--~]{1,192}")
_SPAN = re.compile(r"([0-9]{1,6})([mhdw])")


@dataclass(frozen=True, kw_only=True)
class TokenOptions:
    """
    The options of C{token add}.

    @ivar expires: A time span or a date.
    """

    label: str
    agents: Sequence[str] | None = None
    scopes: Sequence[str] | None = None
    maxConcurrent: str | None = None
    requestsPerMinute: str | None = None
    expires: str | None = None
    models: Sequence[str] | None = None


class InvalidOption(Exception):
    """
    The options are invalid.
    """


def addToken(
    options: TokenOptions,
    environ: Mapping[str, str],
    now: float,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """
    Create a token.

    @param now: Seconds since the epoch.
    @param stdout: Receives the token, alone on a line.
    @param stderr: Receives all other output.

    @return: The exit status.
    """
    token, digest = generateToken()
    try:
        kept = _buildToken(options, digest, now)
        _checkAgents(kept.agents or (), environ, stderr)
        state = stateDirectory(environ)
        prepareState(state, lambda path: None)
        with editTokens(state) as tokens:
            if kept.label in tokens.byLabel:
                raise InvalidOption(
                    f"A token {kept.label!r} exists. Revoke it first, or use another"
                    " label."
                )
            tokens.add(kept)
    except (OpenClawError, InvalidOption) as error:
        print(f"openclaw: {error}", file=stderr)
        return 1
    print(f"openclaw: wrote {tokensPath(state)}", file=stderr)
    print(f"The token {kept.label!r}, which is not shown again:", file=stderr)
    print(token, file=stdout)
    return 0


def _checkAgents(
    agents: Sequence[str], environ: Mapping[str, str], stderr: TextIO
) -> None:
    """
    @raise InvalidOption: The configuration has no such agent.
    """
    if not agents:
        return
    path = findConfig(None, environ)
    if path is None:
        print(
            "openclaw: no configuration found, so --agent is not checked; --config"
            " names the daemon's",
            file=stderr,
        )
        return
    known = entriesByID(loadConfig(path, environ).config.agents)
    for agent in agents:
        if agent not in known:
            raise InvalidOption(
                f"--agent: {path} has no agent {agent!r}; it has: {', '.join(known)}."
            )


def _buildToken(options: TokenOptions, digest: str, now: float) -> StoredToken:
    """
    @raise Unfit: An option is invalid.
    """
    if not re.fullmatch(LABEL_PATTERN, options.label):
        raise InvalidOption(
            "A label consists of lower-case letters, digits and -, at most 40."
        )
    agents = None
    if options.agents is not None:
        agents = tuple(sorted({agent.lower() for agent in options.agents}))
        if not all(_AGENT.fullmatch(agent) for agent in agents):
            raise InvalidOption("--agent: expected the id of an agent.")
    models = None
    if options.models is not None:
        names = [each.strip() for entry in options.models for each in entry.split(",")]
        models = tuple(dict.fromkeys(names))
        if not all(_MODEL.fullmatch(model) for model in models):
            raise InvalidOption(
                "--models: expected models such as openai/gpt-5 or patterns such as"
                " openai/*, separated by commas."
            )
    scopes = tuple(sorted(set(options.scopes or DEFAULT_SCOPES)))
    if not OPERATOR_SCOPES.issuperset(scopes):
        known = ", ".join(sorted(OPERATOR_SCOPES))
        raise InvalidOption(f"--scope: expected one of {known}.")
    return StoredToken(
        label=options.label,
        sha256=digest,
        createdAt=float(int(now)),
        scopes=scopes,
        agents=agents,
        models=models,
        maxConcurrent=_parseCount("--max-concurrent", options.maxConcurrent),
        requestsPerMinute=_parseCount("--rpm", options.requestsPerMinute),
        expiresAt=None
        if options.expires is None
        else parseExpiry(options.expires, now),
    )


def _parseCount(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,6}", text) or not 1 <= int(text) <= MAX_COUNT:
        raise InvalidOption(f"{option}: expected a number from 1 to {MAX_COUNT}.")
    return int(text)


def parseExpiry(text: str, now: float) -> float:
    """
    Parse the value of C{--expires}.

    @param text: A span from C{now} on, such as C{30d}; or an ISO 8601 date, which
        stands for its beginning, or date and time.  The default time zone is UTC.

    @return: Seconds since the epoch.

    @raise Unfit: The text has neither form, or the time is in the past.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        end = now + int(span[1]) * _UNITS[span[2]]
    else:
        try:
            date = datetime.fromisoformat(text)
            zoned = date if date.tzinfo else date.replace(tzinfo=UTC)
            end = zoned.timestamp()
        except (ValueError, OverflowError):
            raise InvalidOption(
                "--expires: expected a span such as 30d, 12h or 2w, or a date such as"
                " 2027-01-31."
            ) from None
    if end <= now:
        raise InvalidOption(f"--expires: {text} is in the past.")
    if end > LAST_MOMENT:
        raise InvalidOption(f"--expires: {text} is too far in the future.")
    return float(int(end))


def listTokens(
    asJSON: bool,
    environ: Mapping[str, str],
    now: float,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """
    Print all tokens without their secrets.

    @return: The exit status.
    """
    try:
        state = stateDirectory(environ)
        tokens = readTokens(state).values()
    except OpenClawError as error:
        print(f"openclaw: {error}", file=stderr)
        return 1
    print(f"openclaw: read {tokensPath(state)}", file=stderr)
    if asJSON:
        document = [_describeToken(token, now) for token in tokens]
        print(msgspec.json.format(msgspec.json.encode(document)).decode(), file=stdout)
    elif tokens:
        for line in _table([_row(token, now) for token in tokens]):
            print(line, file=stdout)
    else:
        print(f"There are no named tokens in {state}.", file=stderr)
    return 0


def _describeToken(token: StoredToken, now: float) -> dict[str, Any]:
    return {
        "label": token.label,
        "scopes": token.scopes,
        "agents": token.agents,
        "models": token.models,
        "maxConcurrent": token.maxConcurrent,
        "requestsPerMinute": token.requestsPerMinute,
        "createdAt": _formatTime(token.createdAt),
        "expiresAt": None if token.expiresAt is None else _formatTime(token.expiresAt),
        "expired": token.isExpired(now),
    }


_HEADINGS = ("LABEL", "SCOPES", "AGENTS", "MODELS", "RUNS", "RPM", "CREATED", "EXPIRES")


def _row(token: StoredToken, now: float) -> Sequence[str]:
    expires = "never" if token.expiresAt is None else _formatTime(token.expiresAt)
    return (
        token.label,
        ",".join(token.scopes),
        "all" if token.agents is None else ",".join(token.agents),
        "agents'" if token.models is None else ",".join(token.models),
        str(token.maxConcurrent or "-"),
        str(token.requestsPerMinute or "-"),
        _formatTime(token.createdAt),
        f"{expires} (expired)" if token.isExpired(now) else expires,
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


def _formatTime(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def revokeToken(
    label: str, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO
) -> int:
    """
    Revoke a token.

    @return: The exit status.
    """
    try:
        state = stateDirectory(environ)
        with editTokens(state) as tokens:
            if label not in tokens.byLabel:
                raise InvalidOption(f"There is no token {label!r} in {state}.")
            tokens.revoke(label)
    except (OpenClawError, InvalidOption) as error:
        print(f"openclaw: {error}", file=stderr)
        return 1
    print(f"openclaw: wrote {tokensPath(state)}", file=stderr)
    print(f"The token {label!r} is revoked.", file=stdout)
    return 0
