"""
Tests of L{openclaw.auth.named_tokens}.
"""

import os
import stat
import threading
from hashlib import sha256
from pathlib import Path

import msgspec
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from openclaw.auth.named_tokens import (
    TOKEN_PREFIX,
    NamedTokens,
    StoredToken,
    editTokens,
    generateToken,
    readTokens,
    tokensPath,
)
from openclaw.auth.realm import callerOfToken
from openclaw.errors import TokenFileError
from tests.auth.doorkeeper_doubles import addToken


class TokensTestCase(SynchronousTestCase):
    """
    A state directory, and a daemon's view of its tokens.
    """

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir(mode=0o700)
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.events: list[dict] = []
        log = Logger(observer=self.events.append)
        self.tokens = NamedTokens(self.state, self.clock.seconds, log)

    def known(self, token: str | bytes) -> str | None:
        """
        Return the label of a token, if it is valid.
        """
        raw = token if isinstance(token, bytes) else token.encode()
        found = self.tokens.find(raw)
        return None if found is None else found.label

    def revoke(self, label: str) -> None:
        """
        Revoke a token.
        """
        with editTokens(self.state) as tokens:
            tokens.revoke(label)


class NewTokenTests(SynchronousTestCase):
    """
    A new token.
    """

    def test_shape(self) -> None:
        """
        Its prefix identifies it to secret scanners, and its characters are valid in a
        header.
        """
        token, _ = generateToken()
        self.assertRegex(token, r"^oct_[A-Za-z0-9_-]{43}$")

    def test_random(self) -> None:
        """
        All tokens differ.
        """
        self.assertEqual(len({generateToken()[0] for _ in range(1000)}), 1000)


class FileTests(TokensTestCase):
    """
    The file.
    """

    def test_secret(self) -> None:
        """
        It does not contain the token or a part of it; and it is private, regardless of
        the umask.
        """
        self.addCleanup(os.umask, os.umask(0))
        token = addToken(self.state, "ci")
        text = tokensPath(self.state).read_text()
        for part in (token, token.removeprefix(TOKEN_PREFIX), token[4:20], token[-20:]):
            self.assertNotIn(part, text)
        self.assertIn(sha256(token.encode()).hexdigest(), text)
        mode = stat.S_IMODE(tokensPath(self.state).stat().st_mode)
        self.assertEqual(oct(mode), oct(0o600))

    def test_nothingBeside(self) -> None:
        """
        No other file is left in the directory, even after a failure.
        """
        addToken(self.state, "ci")
        try:
            with editTokens(self.state) as tokens:
                tokens.byLabel.clear()
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        self.assertEqual(os.listdir(self.state), [tokensPath(self.state).name])
        self.assertEqual([*readTokens(self.state)], ["ci"])

    def test_whole(self) -> None:
        """
        All attributes of a token are stored.
        """
        kept = StoredToken(
            label="ci",
            sha256="0" * 64,
            createdAt=1.0,
            scopes=("operator.read",),
            agents=("main", "other"),
            maxConcurrent=3,
            requestsPerMinute=60,
            expiresAt=2.0,
        )
        with editTokens(self.state) as tokens:
            tokens.add(kept)
        self.assertEqual(readTokens(self.state), {"ci": kept})

    def test_generations(self) -> None:
        """
        A token whose label was used before has a new namespace, each time; other labels
        are not affected.
        """
        seen = []
        for _ in range(3):
            addToken(self.state, "ci")
            addToken(self.state, "cd")
            tokens = readTokens(self.state)
            seen += [tokens["ci"].namespace, callerOfToken(tokens["ci"]).namespace]
            with editTokens(self.state) as changed:
                changed.revoke("ci")
                changed.byLabel.pop("cd")
        self.assertEqual(seen[::2], ["token:ci", "token:ci~2", "token:ci~3"])
        self.assertEqual(seen[1::2], seen[::2])

    def test_oldFile(self) -> None:
        """
        A file of an earlier version is read, and its tokens keep their sessions.
        """
        _, digest = generateToken()
        old = {"label": "ci", "sha256": digest, "createdAt": 0.0, "scopes": []}
        path = tokensPath(self.state)
        path.write_bytes(msgspec.json.encode({"version": 1, "tokens": [old]}))
        path.chmod(0o600)
        token = readTokens(self.state)["ci"]
        self.assertEqual((token.namespace, token.models), ("token:ci", None))

    def test_oldFileChanged(self) -> None:
        """
        Labels added to such a file may have been used before: their namespaces are new,
        also after further changes.
        """
        path = tokensPath(self.state)
        path.write_text('{"version": 1, "tokens": []}')
        path.chmod(0o600)
        for label in ("ci", "cd"):
            addToken(self.state, label)
        self.revoke("ci")
        addToken(self.state, "ci")
        names = {each.namespace for each in readTokens(self.state).values()}
        self.assertEqual(names, {"token:cd~2", "token:ci~3"})

    def test_atOnce(self) -> None:
        """
        Concurrent changes are all stored.
        """
        threads = [
            threading.Thread(target=addToken, args=(self.state, f"t{number}"))
            for number in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(
            set(readTokens(self.state)), {f"t{number}" for number in range(20)}
        )

    def test_noFile(self) -> None:
        """
        Without a file there are no tokens; without a directory none can be added.
        """
        self.assertEqual(readTokens(self.state), {})
        self.assertRaises(TokenFileError, addToken, self.state / "none", "ci")

    def test_faults(self) -> None:
        """
        A malformed file is an error that names it, and is not overwritten.
        """
        path = tokensPath(self.state)
        for text in ("", "{", "[]", '{"version": 2, "tokens": []}', '{"version": 1}'):
            path.write_text(text)
            path.chmod(0o600)
            error = self.assertRaises(TokenFileError, readTokens, self.state)
            self.assertIn(str(path), error.message)
            self.assertRaises(TokenFileError, addToken, self.state, "ci")
            self.assertEqual(path.read_text(), text)

    def test_odd(self) -> None:
        """
        An invalid label or digest is an error, so that no label has a colon.
        """
        for label, digest in (("a:b", "0" * 64), ("", "0" * 64), ("ci", "0" * 63)):
            text = (
                f'{{"version": 1, "tokens": [{{"label": "{label}",'
                f' "sha256": "{digest}", "createdAt": 1.0, "scopes": []}}]}}'
            )
            tokensPath(self.state).write_text(text)
            tokensPath(self.state).chmod(0o600)
            self.assertRaises(TokenFileError, readTokens, self.state)


class FindTests(TokensTestCase):
    """
    Tokens in a running daemon.
    """

    def test_known(self) -> None:
        """
        A token's label is found.
        """
        tokens = {label: addToken(self.state, label) for label in ("a", "b")}
        for label, token in tokens.items():
            self.assertEqual(self.known(token), label)

    def test_unknown(self) -> None:
        """
        Other texts are not tokens, even similar ones or a digest.
        """
        token = addToken(self.state, "ci")
        digest = sha256(token.encode()).hexdigest()
        for other in ("", token[:-1], token + "a", token.upper(), digest, "ci", "oct_"):
            self.assertIsNone(self.known(other))
        self.assertIsNone(self.known(b"oct_\xff"))

    def test_changes(self) -> None:
        """
        Added and revoked tokens take effect at the next request.
        """
        first = addToken(self.state, "first")
        self.assertEqual(self.known(first), "first")
        second = addToken(self.state, "second")
        self.assertEqual(self.known(second), "second")
        self.revoke("first")
        self.assertIsNone(self.known(first))
        self.assertEqual(self.known(second), "second")
        tokensPath(self.state).unlink()
        self.assertIsNone(self.known(second))

    def test_quickChanges(self) -> None:
        """
        Changes in quick succession are all noticed.
        """
        for number in range(50):
            token = addToken(self.state, f"t{number}")
            self.assertEqual(self.known(token), f"t{number}")
            self.revoke(f"t{number}")
            self.assertIsNone(self.known(token))

    def test_expiry(self) -> None:
        """
        A token is valid until the second of its expiry, without a change of the file.
        """
        token = addToken(self.state, "ci", expiresAt=self.clock.seconds() + 10)
        self.clock.advance(9.5)
        self.assertEqual(self.known(token), "ci")
        self.clock.advance(0.5)
        self.assertIsNone(self.known(token))

    def test_isRevoked(self) -> None:
        """
        A token is revoked if it is not in the file, or expired.  A token that only
        another process has seen yet is not, and neither are namespaces without a token.
        """
        addToken(self.state, "ci")
        addToken(self.state, "cd", expiresAt=self.clock.seconds() + 10)
        for name in ("token:ci", "token:cd", "", "user:ci"):
            self.assertFalse(self.tokens.isRevoked(name), name)
        for name in ("token:ci~2", "token:none"):
            self.assertTrue(self.tokens.isRevoked(name), name)
        self.revoke("ci")
        addToken(self.state, "ci")
        self.assertFalse(self.tokens.isRevoked("token:ci~2"))
        self.assertTrue(self.tokens.isRevoked("token:ci"))
        self.clock.advance(10)
        self.assertTrue(self.tokens.isRevoked("token:cd"))

    def test_readOnce(self) -> None:
        """
        An unchanged file is not read again.
        """
        token = addToken(self.state, "ci")
        before = self.tokens.find(token.encode())
        self.assertIs(self.tokens.find(token.encode()), before)

    def test_broken(self) -> None:
        """
        With a malformed file no token is valid, since it may contain a revocation.
        This is logged once.
        """
        token = addToken(self.state, "ci")
        self.assertEqual(self.known(token), "ci")
        path = tokensPath(self.state)
        path.write_text("{")
        for _ in range(3):
            self.assertIsNone(self.known(token))
        (event,) = self.events
        self.assertEqual(
            formatEvent(event),
            f"The file {path} is not a valid tokens file. Named tokens"
            " are rejected until this is fixed.",
        )

    def test_writable(self) -> None:
        """
        The same applies if other users could have written the file.
        """
        token = addToken(self.state, "ci")
        for mode in (0o620, 0o602):
            tokensPath(self.state).chmod(mode)
            self.assertIsNone(self.known(token))
        tokensPath(self.state).chmod(0o600)
        self.assertEqual(self.known(token), "ci")

    def test_hidden(self) -> None:
        """
        Neither the object's C{repr} nor the log has a token.
        """
        token = addToken(self.state, "ci")
        self.known(token)
        self.assertNotIn(token, repr(vars(self.tokens)) + repr(self.events))
