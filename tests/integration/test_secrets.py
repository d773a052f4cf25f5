"""
No log line, error or response contains a secret.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase, merged
from tests.integration.http_caller import Answer

# None of them looks like a secret, so no pattern finds them.
TOKEN = "Quince7Marmalade"
PASSWORD = "Walnut8Cupboard"
BASIC = "Saffron9Doorstep"
KEY = "Juniper4Lantern"
HEADER = "Copper5Thimble"
NUMBER = 4815162342
SECRETS = (TOKEN, PASSWORD, BASIC, KEY, HEADER, str(NUMBER))


CARELESS_CHECKER = """
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(ICheckerFactory, ICredentialsChecker, IPlugin)
class Careless:
    authType = "careless"
    authHelp = argStringFormat = ""
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argument):
        return self

    def requestAvatarId(self, credentials):
        raise RuntimeError(f"no directory for {credentials.password}")


careless = Careless()
"""


def basic(password: str) -> str:
    """
    Return the value of an C{Authorization} header.
    """
    return f"Basic {b64encode(f'ann:{password}'.encode()).decode()}"


def forms(secret: str) -> list[str]:
    """
    Return the forms of a secret that must not be visible: itself, alone or with a name
    in base64, and each half of it.
    """
    half = len(secret) // 2
    return [
        secret,
        secret[:half],
        secret[half:],
        b64encode(secret.encode()).decode().rstrip("="),
        basic(secret).removeprefix("Basic ").rstrip("="),
    ]


class SecretTests(DaemonTestCase):
    """
    Sessions of a daemon with all kinds of failures.
    """

    def setUp(self) -> None:
        """
        Record all responses.
        """
        super().setUp()
        self.seen: list[str] = []

    def document(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return a configuration with many secrets, and verbose logs.
        """
        ours = {
            "gateway": {"auth": {"token": TOKEN, "password": PASSWORD}},
            "models": {
                "providers": {"scripted": {"apiKey": KEY, "headers": {"X-Id": HEADER}}}
            },
            "logging": {"level": "debug"},
        }
        return merged(super().document(ours), changes or {})

    async def see(self, answer: Answer) -> int:
        """
        Record a response.
        """
        self.seen += [
            f"{name.decode()}: {value.decode()}"
            for name, values in answer.headers.getAllRawHeaders()
            for value in values
        ]
        self.seen.append(await answer.whole())
        return answer.status

    def assertNothingSeen(self, *daemons: Daemon) -> None:
        """
        Assert that neither responses nor the daemons' output contain a secret.
        """
        everything = "\n".join([*self.seen, *(daemon.text for daemon in daemons)])
        self.assertTrue(everything.strip())
        for secret in SECRETS:
            for form in forms(secret):
                self.assertNotIn(form.lower(), everything.lower())

    async def tryCredentials(self, daemon: Daemon, right: str, wrong: str) -> None:
        """
        Send all kinds of credentials.
        """
        stranger = self.caller(daemon, None)
        self.assertEqual(await self.see(await stranger.ask("hi")), 401)
        for token, status in (
            (right, 200),
            (wrong, 401),
            (right + "x", 401),
            (right[:-1], 401),
        ):
            caller = self.caller(daemon, token)
            self.assertEqual(await self.see(await caller.ask("hi")), status)
            self.assertEqual(await self.see(await caller.get("/v1/models")), status)
        for header in (
            f"Basic {right}",
            f"Basic {b64encode(right.encode()).decode()}",
            basic(right),
            f"Digest {right}",
            right,
        ):
            answer = await stranger.ask("hi", headers={"authorization": header})
            self.assertEqual(await self.see(answer), 401)
        answer = await stranger.get(f"/v1/models?token={right}")
        self.assertEqual(await self.see(answer), 401)

    async def test_credentials(self) -> None:
        """
        Credentials, valid and invalid, in all places.
        """
        self.upstream.says("so")
        byToken = await self.startDaemon()
        await self.tryCredentials(byToken, TOKEN, PASSWORD)
        config = self.configure({"gateway": {"auth": {"mode": "password"}}})
        byPassword = await self.startDaemon(config=config)
        await self.tryCredentials(byPassword, PASSWORD, TOKEN)
        environ = {
            "OPENCLAW_GATEWAY_TOKEN": TOKEN,
            "OPENCLAW_GATEWAY_PASSWORD": PASSWORD,
        }
        config = self.configure({"gateway": {"auth": {"token": None}}})
        byVariable = await self.startDaemon(config=config, environ=environ)
        await self.tryCredentials(byVariable, TOKEN, PASSWORD)
        self.assertNothingSeen(byToken, byPassword, byVariable)

    async def test_basic(self) -> None:
        """
        A user's password, valid and invalid, and an unreadable password file.
        """
        self.upstream.says("so")
        passwords = self.folder / "passwords"
        passwords.write_text(f"ann:{BASIC}\n")
        daemon = await self.startDaemon("--auth", f"file:{passwords}")
        stranger = self.caller(daemon, None)
        for password, status in ((BASIC, 200), (PASSWORD, 401), (BASIC + "x", 401)):
            headers = {"authorization": basic(password)}
            answer = await stranger.ask("hi", headers=headers)
            self.assertEqual(await self.see(answer), status)
        passwords.unlink()
        headers = {"authorization": basic(BASIC)}
        self.assertEqual(await self.see(await stranger.ask("hi", headers=headers)), 401)
        await daemon.line("#error")
        self.assertNothingSeen(daemon)

    async def test_brokenChecker(self) -> None:
        """
        A failing checker with a secret in its traceback.
        """
        plugins = self.folder / "python" / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "careless.py").write_text(CARELESS_CHECKER)
        environ = {"PYTHONPATH": str(self.folder / "python")}
        daemon = await self.startDaemon("--auth", "careless", environ=environ)
        stranger = self.caller(daemon, None)
        headers = {"authorization": basic(BASIC)}
        answer = await stranger.ask("hi", headers=headers)
        self.assertEqual(await self.see(answer), 401)
        await daemon.line("checker failed")
        self.assertNothingSeen(daemon)

    async def test_provider(self) -> None:
        """
        A provider that quotes requests in errors of all kinds.
        """
        daemon = await self.startDaemon()
        caller = self.caller(daemon, TOKEN)
        for answer in ANSWERS:
            self.upstream.answer = answer
            for streaming in (False, True):
                asked = await caller.ask("hi", stream=streaming)
                await self.see(asked)
                self.assertIn("error", self.seen[-1])
        sent = self.upstream.calls[-1].headers
        self.assertEqual(
            (sent["authorization"], sent["x-id"]), (f"Bearer {KEY}", HEADER)
        )
        self.assertNothingSeen(daemon)

    async def test_configuration(self) -> None:
        """
        A configuration with errors at its secrets, at the start and at a reload.
        """
        self.upstream.says("so")
        running = await self.startDaemon()
        refused = []
        for number, text in enumerate(self.brokenConfigurations()):
            config = self.folder / f"broken{number}.json"
            config.write_text(text)
            refused.append(self.spawn(config=config))
            (self.folder / "openclaw.json").write_text(text)
            said = running.nextLine("The new configuration is rejected")
            running.send("HUP")
            await said
        self.assertTrue(refused)
        for daemon in refused:
            await daemon.ended
            self.assertEqual(daemon.status, 1)
            self.assertIn(".json", daemon.text)
        caller = self.caller(running, TOKEN)
        self.assertEqual(await self.see(await caller.ask("hi")), 200)
        self.assertNothingSeen(running, *refused)

    def brokenConfigurations(self) -> list[str]:
        """
        Return invalid files.
        """
        auth = {"token": [TOKEN], "password": {PASSWORD: 1}}
        provider = {"apiKey": [KEY], "headers": {"X-Id": [HEADER], "bad name": HEADER}}
        wrongKinds = self.document(
            {"gateway": {"auth": auth}, "models": {"providers": {"scripted": provider}}}
        )
        whole = json.dumps(self.document())
        noQuotes = self.document(
            {
                "gateway": {"auth": {"token": NUMBER}},
                "models": {"providers": {"scripted": {"apiKey": NUMBER}}},
            }
        )
        return [
            json.dumps(wrongKinds),
            json.dumps(noQuotes),
            whole.replace(f'"{TOKEN}"', f'"{TOKEN}'),
            whole.replace(f'"{KEY}"', f'"{KEY}" "{HEADER}"'),
            whole.replace(f'"{KEY}"', f'"{KEY}${{NO_SUCH_VARIABLE}}"'),
        ]

    async def test_brokenStore(self) -> None:
        """
        A session store that fails during a run.
        """
        self.upstream.says("so")
        daemon = await self.startDaemon()
        caller = self.caller(daemon, TOKEN)
        self.assertEqual(await self.see(await caller.ask("hi", user="ann")), 200)
        (self.state / "sessions.sqlite").write_bytes(b"no database" * 1000)
        (self.state / "sessions.sqlite-wal").write_bytes(b"no log" * 1000)
        await self.see(await caller.ask("hi", user="bob"))
        await self.see(await caller.ask("hi", stream=True, user="bob"))
        await daemon.stop()
        self.assertNothingSeen(daemon)


def quoting(call: ServedCall) -> str:
    """
    Reply like a provider that quotes the request's credential.
    """
    sent = call.headers
    return f"Got {sent['authorization']} and {sent['x-id']}"


def breakOff(call: ServedCall) -> None:
    """
    Send an error within the stream.
    """
    call.say("some words")
    call.chunk(error={"message": quoting(call)})
    call.end()


ANSWERS = (
    *(
        lambda call, status=status: call.refuse(status, quoting(call))
        for status in (400, 401, 403, 404, 422, 429, 500, 503)
    ),
    lambda call: call.refuse(302, quoting(call), [("location", f"/{KEY}")]),
    breakOff,
    lambda call: (call.send(f"data: {quoting(call)}\n\n".encode()), call.end()),
    lambda call: (call.send(quoting(call).encode()), call.end()),
    lambda call: (call.send(b"data: \xff" + KEY.encode() + b"\n\n"), call.end()),
    lambda call: call.cut(),
)
"""
Failures and malformed responses of a provider.
"""
