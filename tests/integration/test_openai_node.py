"""
OpenAI's Node SDK, which must not notice a difference to OpenAI.
"""

from typing import Any

from openclaw.testing import ServedCall
from tests.integration.agent import calls, says
from tests.integration.nodejs import NodeTestCase
from tests.integration.test_embeddings_api import VECTORS, give


class CallTests(NodeTestCase):
    """
    The SDK in a Node process.
    """

    def answer(self, call: ServedCall) -> None:
        """
        Reply to a model call.
        """
        if call.path.endswith("/embeddings"):
            give(call)
            return
        call.say("Hello", " to you")
        if call.body["messages"][-1]["content"] == "break off":
            call.end()
        else:
            call.finish(usage={"prompt_tokens": 7, "completion_tokens": 3})

    async def test_everything(self) -> None:
        """
        Replies, streams, accumulation, embeddings, models, and classes of errors.
        """
        self.upstream.answer = self.answer
        agents = {"defaults": {"embeddingModel": "scripted/vectors"}}
        daemon = await self.startDaemon(config=self.configure({"agents": agents}))
        seen = await self.seenByNode(daemon, "calls.mjs")
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
        vectors = {"vectors": VECTORS, "tokens": 5}
        self.assertEqual(seen["embedded"], vectors)
        self.assertEqual(seen["embeddedAsNumbers"], vectors)
        asked = [
            call.body.get("encoding_format")
            for call in self.upstream.calls
            if call.path.endswith("/embeddings")
        ]
        self.assertEqual(asked, ["base64", None])
        self.assertEqual(seen["models"], ["openclaw", "openclaw/default", MAIN])
        self.assertEqual(seen["model"], MAIN)
        self.assertEqual(seen["brokenStream"]["read"], ["", "Hello", " to you"])
        self.assertEqual(
            [
                seen["brokenStream"]["error"],
                seen["embeddedWrong"],
                seen["wrongToken"],
                seen["wrongAgent"],
                seen["unknownModel"],
            ],
            [
                error("APIError", None, "upstream_truncated"),
                error("BadRequestError", 400, None, "input[1]"),
                error("AuthenticationError", 401, "invalid_api_key"),
                error("BadRequestError", 400, "unknown_agent", "model"),
                error("NotFoundError", 404, "model_not_found", "model"),
            ],
        )


class RunToolsTests(NodeTestCase):
    """
    C{runTools()}, which calls the client's functions and continues until the agent has
    replied.
    """

    def assertRun(self, seen: Any, **more: Any) -> None:
        """
        Assert the results of a run in the program.
        """
        self.assertEqual(
            seen,
            {
                "called": [{"city": "Kiel"}],
                "answer": "Take an umbrella.",
                "roles": ["user", "assistant", "tool", "assistant"],
                "reason": "stop",
                **more,
            },
        )

    async def test_everything(self) -> None:
        """
        The function gets the model's arguments, its result reaches the model, and the
        reply arrives: plain, streamed, and after the agent has used its own tool.
        """
        daemon = await self.startAgent()
        (self.workspace / "city.txt").write_text("Kiel\n")
        weather = calls("weather", "I look.", city="Kiel")
        answer = says("Take ", "an umbrella.")
        own = calls("read", path="city.txt")
        self.plays(weather, answer, weather, answer, own, weather, answer)
        seen = await self.seenByNode(daemon, "run_tools.mjs")
        self.assertRun(seen["whole"])
        # Each text arrived separately.
        words = ["I look.", "Take ", "an umbrella."]
        self.assertRun(seen["streamed"], words=words)
        self.assertRun(seen["besideTheAgentsOwn"], words=words)
        for index in (1, 3, 6):
            self.assertEqual(self.told(index), [("call_weather", "rain")])
        self.assertLessEqual({"weather", "read"}, self.offered(4))


MAIN = "openclaw/main"


def error(
    name: str, status: int | None, code: str | None, param: str | None = None
) -> dict[str, str | int | None]:
    """
    Return an error as the program prints it.
    """
    return {"name": name, "status": status, "code": code, "param": param}
