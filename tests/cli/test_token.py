"""
Tests of L{openclaw.cli.token}.
"""

import json
import os
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase, TestCase

from openclaw.auth.named_tokens import readTokens, tokensPath
from openclaw.cli.token import (
    InvalidOption,
    TokenOptions,
    addToken,
    listTokens,
    parseExpiry,
    revokeToken,
)
from tests.cli.command_process import Command

NOW = 1_800_000_000.5
DAY = 86_400


class TokenTestCase(SynchronousTestCase):
    """
    The command, with a state directory that does not exist yet.
    """

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.environ = {"OPENCLAW_STATE_DIR": str(self.state)}

    def configureAgents(self, *agents: str) -> None:
        """
        Write a configuration with these agents.
        """
        self.state.mkdir(mode=0o700)
        entries: dict[str, object] = {agent: {} for agent in agents}
        (self.state / "openclaw.yaml").write_text(
            json.dumps({"agents": {"entries": entries}})
        )

    def said(self, command, *arguments) -> tuple[int, str, str]:
        """
        Run a command.

        @return: The exit status, stdout and stderr.
        """
        stdout, stderr = StringIO(), StringIO()
        status = command(*arguments, stdout, stderr)
        return status, stdout.getvalue(), stderr.getvalue()

    def add(self, label: str = "ci", **more: object) -> tuple[int, str, str]:
        """
        Run C{add}.
        """
        wanted = TokenOptions(label=label, **more)
        return self.said(addToken, wanted, self.environ, NOW)

    def listed(self, asJSON: bool = False, now: float = NOW) -> tuple[int, str, str]:
        """
        Run C{list}.
        """
        return self.said(listTokens, asJSON, self.environ, now)

    def revoke(self, label: str) -> tuple[int, str, str]:
        """
        Run C{revoke}.
        """
        return self.said(revokeToken, label, self.environ)

    def assertRejected(self, reason: str, **wanted: object) -> None:
        """
        Assert that no token is created, and the reason is printed.
        """
        status, stdout, stderr = self.add(**wanted)
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn(reason, stderr)
        self.assertFalse(tokensPath(self.state).exists())


class AddTests(TokenTestCase):
    """
    Adding a token.
    """

    def test_shown(self) -> None:
        """
        The token is the only standard output, for use in scripts; the directory is
        created if necessary.
        """
        status, stdout, stderr = self.add()
        self.assertEqual(status, 0)
        self.assertRegex(stdout, r"\Aoct_[A-Za-z0-9_-]{43}\n\Z")
        self.assertIn("not shown again", stderr)
        self.assertEqual(self.state.stat().st_mode & 0o777, 0o700)

    def test_kept(self) -> None:
        """
        The given scopes are stored; by default a token has the minimum.
        """
        self.configureAgents("main", "ops")
        self.add("plain")
        self.add(
            "full",
            agents=["Main", "ops", "main"],
            scopes=["operator.read"],
            maxConcurrent="2",
            requestsPerMinute="60",
            expires="30d",
        )
        plain, full = readTokens(self.state).values()
        self.assertEqual(
            (plain.scopes, plain.agents, plain.expiresAt),
            (("operator.write",), None, None),
        )
        self.assertEqual((plain.maxConcurrent, plain.requestsPerMinute), (None, None))
        self.assertEqual(
            (full.scopes, full.agents), (("operator.read",), ("main", "ops"))
        )
        self.assertEqual((full.maxConcurrent, full.requestsPerMinute), (2, 60))
        self.assertEqual(full.expiresAt, 1_800_000_000 + 30 * DAY)

    def test_labels(self) -> None:
        """
        A label can't be another caller's namespace, a path or several lines.
        """
        for label in ("", "a" * 41, "CI", "a:b", "a b", "a/b", "a\n", "\u00e4", "a_b"):
            self.assertRejected("label", label=label)

    def test_taken(self) -> None:
        """
        A label is in use until its token is revoked.
        """
        self.add()
        before = tokensPath(self.state).read_text()
        status, stdout, stderr = self.add()
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn("A token 'ci' exists", stderr)
        self.assertEqual(tokensPath(self.state).read_text(), before)

    def test_unfit(self) -> None:
        """
        Invalid options create no token.
        """
        for text in ("0", "-1", "1.5", "many", "", "1000000", "\u0663"):
            self.assertRejected("--rpm", requestsPerMinute=text)
            self.assertRejected("--max-concurrent", maxConcurrent=text)
        self.assertRejected("--agent", agents=["a b"])
        # A misspelt scope would create a token without permissions.
        self.configureAgents("main", "ops")
        self.assertRejected("has no agent 'mian'; it has: main, ops.", agents=["mian"])
        self.assertRejected("--scope", scopes=["root"])
        self.assertRejected("--expires", expires="soon")


class ExpiryTests(SynchronousTestCase):
    """
    The expiry of a token.
    """

    def test_spans(self) -> None:
        """
        After minutes, hours, days or weeks.
        """
        for text, seconds in (
            ("5m", 300),
            ("12h", 43_200),
            ("1d", DAY),
            ("2w", 14 * DAY),
        ):
            self.assertEqual(parseExpiry(text, NOW), int(NOW) + seconds)

    def test_dates(self) -> None:
        """
        At the beginning of a day, or at a time, in UTC by default.
        """
        for text in ("2027-01-31", "2027-01-31T00:00", "2027-01-31T01:00+01:00"):
            self.assertEqual(parseExpiry(text, NOW), 1_801_353_600)

    def test_unfit(self) -> None:
        """
        Not in the past, and not after the last date.
        """
        for text in (
            "",
            "30",
            "0d",
            "-1d",
            "1y",
            "2020-01-01",
            "2027-02-30",
            "999999w",
            "9999999d",
        ):
            self.assertRaises(InvalidOption, parseExpiry, text, NOW)


class ListTests(TokenTestCase):
    """
    Listing tokens.
    """

    def test_table(self) -> None:
        """
        A line for each has its permissions and expiry.
        """
        self.add("ci", agents=["main"], requestsPerMinute="60", expires="1d")
        self.add("cd", models=["a/b,c/*"])
        _, text, _ = self.listed(now=NOW + 2 * DAY)
        lines = [line.split() for line in text.splitlines()]
        self.assertEqual(
            lines,
            [
                [
                    *("LABEL", "SCOPES", "AGENTS", "MODELS", "RUNS", "RPM"),
                    *("CREATED", "EXPIRES"),
                ],
                [
                    *("ci", "operator.write", "main", "agents'", "-", "60"),
                    *("2027-01-15T08:00:00Z", "2027-01-16T08:00:00Z", "(expired)"),
                ],
                [
                    *("cd", "operator.write", "all", "a/b,c/*", "-", "-"),
                    *("2027-01-15T08:00:00Z", "never"),
                ],
            ],
        )

    def test_json(self) -> None:
        """
        The same as JSON; neither has the token or its digest.
        """
        _, token, _ = self.add("ci", expires="1d")
        status, text, _ = self.listed(asJSON=True)
        (shown,) = json.loads(text)
        self.assertEqual((status, shown["label"], shown["expired"]), (0, "ci", False))
        digest = readTokens(self.state)["ci"].sha256
        for output in (text, self.listed()[1]):
            self.assertNotIn(digest, output)
            self.assertNotIn(token.strip(), output)

    def test_none(self) -> None:
        """
        Without tokens, or without a directory, the output says so.
        """
        status, stdout, stderr = self.listed()
        self.assertEqual((status, stdout), (0, ""))
        self.assertIn(f"There are no named tokens in {self.state}.\n", stderr)
        self.assertEqual(self.listed(asJSON=True)[:2], (0, "[]\n"))

    def test_broken(self) -> None:
        """
        The error names an invalid file.
        """
        self.state.mkdir()
        tokensPath(self.state).write_text("{")
        tokensPath(self.state).chmod(0o600)
        status, stdout, stderr = self.listed()
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn(str(tokensPath(self.state)), stderr)


class RevokeTests(TokenTestCase):
    """
    Revoking a token.
    """

    def test_gone(self) -> None:
        """
        The token is removed, and its label is free; others are not changed.
        """
        self.add("ci")
        self.add("cd")
        self.assertEqual(self.revoke("ci")[0], 0)
        self.assertEqual([*readTokens(self.state)], ["cd"])
        self.assertEqual(self.add("ci")[0], 0)

    def test_unknown(self) -> None:
        """
        Revoking an unknown token is an error that refers to C{list}.
        """
        self.add("ci")
        for label in ("cl", "CI", ""):
            status, _, stderr = self.revoke(label)
            self.assertEqual(status, 1)
            self.assertIn(f"There is no token {label!r}", stderr)
        self.assertEqual([*readTokens(self.state)], ["ci"])


class CommandTests(TestCase):
    """
    The command as a process.
    """

    timeout = 60

    async def test_life(self) -> None:
        """
        A token is added, listed and revoked.
        """
        state = Path(self.mktemp()).absolute()
        outputs = []
        for arguments in (
            ["add", "ci", "--agent", "main", "--rpm", "5"],
            ["list"],
            ["revoke", "ci"],
        ):
            command = Command.start(
                {"OPENCLAW_STATE_DIR": str(state)}, "token", *arguments
            )
            self.addCleanup(command.kill)
            self.assertEqual(await command.ended, 0, command.stderr)
            outputs.append(command.stdout)
        self.assertTrue(outputs[0].startswith("oct_"))
        self.assertIn("main", outputs[1])
        self.assertEqual(readTokens(state), {})


class OwnerTests(TokenTestCase):
    """
    Root runs the command, and the daemon has another user.
    """

    if os.geteuid() != 0:
        skip = "only root can give files away"

    def test_owner(self) -> None:
        """
        The file gets the owner of the directory.
        """
        self.state.mkdir()
        os.chown(self.state, 4711, 4712)
        self.assertEqual(self.add()[0], 0)
        self.addCleanup(os.chown, self.state, 0, 0)
        status = tokensPath(self.state).stat()
        self.assertEqual((status.st_uid, status.st_gid), (4711, 4712))
        self.assertEqual(status.st_mode & 0o777, 0o600)
