"""
OpenAI's Node SDK, as the Python one: it must not notice a difference.
"""

import json
import os
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from openclaw.testing import ServedCall
from tests.integration.house import TOKEN, HouseTestCase
from tests.integration.needs import missingProgram
from tests.integration.program import Program

SDK = "openai@^7.15"
CALLER = Path(__file__).with_name("openai_node.mjs")
ROOT = Path(__file__).parents[2]
"""
Where C{node_modules} is kept from one run of the tests to the next: Node looks for
it in each folder above the program.
"""


class NodeTests(HouseTestCase):
    """
    The SDK in a Node process.
    """

    skip = missingProgram("node", "npm")

    async def install(self) -> None:
        """
        Fetch the SDK, unless an earlier run did.
        """
        if (ROOT / "node_modules" / "openai" / "package.json").is_file():
            return
        npm = Program()
        command = ["npm", "install", "--prefix", str(ROOT), "--no-save"]
        options = ["--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=0"]
        npm.start(reactor, [*command, *options, SDK], os.environ)
        self.addCleanup(npm.stop, "KILL")
        await npm.ended
        if npm.status != 0:
            raise SkipTest(f"npm could not fetch {SDK}: {npm.text[-500:]}")

    def answer(self, call: ServedCall) -> None:
        """
        Play the model.
        """
        call.say("Hello", " to you")
        if call.body["messages"][-1]["content"] == "break off":
            call.end()
        else:
            call.finish(usage={"prompt_tokens": 7, "completion_tokens": 3})

    async def test_everything(self) -> None:
        """
        It answers, streams, accumulates, lists models, and maps errors to its
        classes.
        """
        await self.install()
        self.upstream.answer = self.answer
        daemon = await self.startDaemon()
        node = self.start("node", str(CALLER), f"{daemon.url}/v1", TOKEN)
        await node.ended
        self.assertEqual(node.status, 0, node.text)
        seen = json.loads(node.output)
        self.assertEqual(
            seen["whole"],
            {
                "content": "Hello to you",
                "reason": "stop",
                "tokens": 10,
                "hasRequestID": True,
            },
        )
        self.assertEqual(
            seen["streamed"],
            {"pieces": ["", "Hello", " to you", None], "tokens": 10},
        )
        self.assertEqual(seen["accumulated"], "Hello to you")
        self.assertEqual(seen["models"], ["openclaw", "openclaw/default", MAIN])
        self.assertEqual(seen["model"], MAIN)
        self.assertEqual(seen["brokenStream"]["read"], ["", "Hello", " to you"])
        self.assertEqual(
            [
                seen["brokenStream"]["error"],
                seen["wrongToken"],
                seen["wrongAgent"],
                seen["unknownModel"],
            ],
            [
                error("APIError", None, "upstream_truncated"),
                error("AuthenticationError", 401, "invalid_api_key"),
                error("BadRequestError", 400, "unknown_agent", "model"),
                error("NotFoundError", 404, "model_not_found", "model"),
            ],
        )


MAIN = "openclaw/main"


def error(
    name: str, status: int | None, code: str, param: str | None = None
) -> dict[str, str | int | None]:
    """
    An error as the program prints it.
    """
    return {"name": name, "status": status, "code": code, "param": param}
