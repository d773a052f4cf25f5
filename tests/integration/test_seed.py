"""
The examples of the README.
"""

import json

from twisted.internet.defer import DeferredList

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import TOKEN, DaemonTestCase
from tests.integration.http_caller import frames, streamedWords
from tests.integration.program import Program
from tests.integration.requirements import missingModel, missingProgram

SHELL = "/bin/sh"
PORT = "18789"

CONFIG = """\
{
  gateway: {
    http: {
      endpoints: {
        chatCompletions: { enabled: true },
      },
    },
  },
}
"""

WHOLE = r"""
curl -sS http://127.0.0.1:18789/v1/chat/completions \
  -H 'Authorization: Bearer YOUR_TOKEN' -H 'Content-Type: application/json' -H 'x-openclaw-agent-id: main' \
  -d '{"model": "openclaw", "messages": [{"role":"user","content":"hi"}]}'
"""  # noqa: E501

STREAM = r"""
curl -N http://127.0.0.1:18789/v1/chat/completions \
  -H 'Authorization: Bearer YOUR_TOKEN' -H 'Content-Type: application/json' -H 'x-openclaw-agent-id: main' \
  -d '{"model": "openclaw", "stream": true, "messages": [{"role":"user","content":"hi"}]}'
"""  # noqa: E501


class SeedTestCase(DaemonTestCase):
    """
    A test case that runs the examples in a shell.
    """

    skip = missingProgram("curl")

    def paste(self, example: str, gateway: Daemon, token: str) -> Program:
        """
        Run an example in a shell, with the actual token and port.
        """
        port = gateway.url.rpartition(":")[2]
        command = example.replace("YOUR_TOKEN", token).replace(PORT, port)
        return self.start(SHELL, "-c", command)


class ScriptedSeedTests(SeedTestCase):
    """
    The examples with a scripted model.
    """

    async def test_whole(self) -> None:
        """
        The first example prints a completion.
        """
        self.upstream.says("Hello", " to you")
        curl = self.paste(WHOLE, await self.startDaemon(), TOKEN)
        await curl.ended
        self.assertEqual(curl.status, 0, curl.text)
        completion = json.loads(curl.output)
        self.assertEqual(completion["object"], "chat.completion")
        self.assertEqual(completion["model"], "openclaw")
        [choice] = completion["choices"]
        self.assertEqual(choice["message"]["content"], "Hello to you")
        self.assertEqual(choice["finish_reason"], "stop")

    async def test_theLogsOwn(self) -> None:
        """
        The command in the log works unchanged, including the token.
        """
        self.upstream.says("Hello", " to you")
        config = self.configure({"gateway": {"auth": {"token": None}}})
        daemon = await self.startDaemon(config=config)
        command = (await daemon.line(r"^\t(curl .*)"))[1]
        curl = self.start(SHELL, "-c", command)
        await curl.ended
        self.assertIn('"content":"Hello to you"', curl.output)

    async def test_wordsArriveAsTheyAreSaid(self) -> None:
        """
        The second example prints a text before the model sends the next.
        """
        asked = self.upstream.nextCall()
        curl = self.paste(STREAM, await self.startDaemon(), TOKEN)
        call = await asked
        for word in ("Hello", "again"):
            call.say(word)
            await curl.line(f'"{word}"')
        self.assertNotIn("[DONE]", curl.text)
        call.finish()
        await curl.ended
        self.assertEqual(curl.status, 0, curl.text)
        *chunks, end = frames(curl.output)
        self.assertEqual(streamedWords(curl.output), "Helloagain")
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(end, "[DONE]")


class EmbeddedSeedTests(SeedTestCase):
    """
    The examples and the configuration with the embedded model.
    """

    skip = SeedTestCase.skip or missingModel()

    async def startSeed(self) -> tuple[Daemon, str]:
        """
        Start a daemon with the example's configuration.

        @return: The daemon and its token.
        """
        config = self.folder / "openclaw.json5"
        config.write_text(CONFIG)
        daemon = await self.startDaemon(config=config)
        return daemon, (self.state / "gateway-token").read_text().strip()

    async def test_itAnswers(self) -> None:
        """
        The model replies.
        """
        daemon, token = await self.startSeed()
        # A small model may not end within the limit, but hardly twice.
        curls = [self.paste(WHOLE, daemon, token) for _ in range(2)]
        _, first = await DeferredList(
            [curl.ended for curl in curls], fireOnOneCallback=True
        )
        await daemon.stop("KILL")
        await curls[1 - first].ended
        curl = curls[first]
        self.assertEqual(curl.status, 0, curl.text)
        completion = json.loads(curl.output)
        self.assertTrue(completion["choices"][0]["message"]["content"].strip())
        self.assertGreater(completion["usage"]["completion_tokens"], 0)

    async def test_itStreams(self) -> None:
        """
        The model's text is streamed.
        """
        daemon, token = await self.startSeed()
        curl = self.paste(STREAM, daemon, token)
        pieces = 0
        while pieces < 2:
            said = (await curl.nextLine(r'"content":"(.*?)"\}'))[1]
            pieces += bool(said)
        # It may not end within the limit.
        await daemon.stop("KILL")
        await curl.ended
