"""
The description of the HTTP API against the real daemon.
"""

import re
import sys
from base64 import b64encode
from pathlib import Path
from struct import pack
from typing import Any

import jsonschema_rs
import yaml

from docs.openapi.document import document
from openclaw.api.client_headers import KEY_HEADER
from openclaw.testing import ServedCall
from tests.integration.agent import AgentTestCase, calls, says
from tests.integration.daemon_case import TOKEN, DaemonTestCase
from tests.integration.http_caller import Caller, frames

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
KEPT = {"x-openclaw-on-disconnect": "continue"}
MODEL = "scripted/words"

LENIENT = """
[[operations]]
include-name = ["POST /v1/chat/completions", "POST /v1/embeddings"]
[operations.checks]
positive_data_acceptance.enabled = false
"""
"""
Requests that fit the schemas can still be rejected, such as for an unknown tool choice.
"""


def answer(call: ServedCall) -> None:
    """
    Reply immediately to each model call.
    """
    if not call.path.endswith("/embeddings"):
        says("Hello", " to you")(call)
        return
    given = call.body["input"]
    many = isinstance(given, list) and not isinstance(given[0], int)
    vector: Any = [0.5] * min(call.body.get("dimensions") or 3, 1000)
    if call.body.get("encoding_format") == "base64":
        vector = b64encode(pack(f"<{len(vector)}f", *vector)).decode()
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index in range(len(given) if many else 1)
    ]
    call.give({"data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}})


class GeneratedTests(DaemonTestCase):
    """
    Requests that fit the description, and others.
    """

    timeout = 180

    async def test_everything(self) -> None:
        """
        Hundreds of requests for all paths get responses that the description contains:
        the status, type, headers and body; invalid requests get errors, and none an
        internal error.
        """
        self.upstream.answer = answer
        agents = {"defaults": {"embeddingModel": "scripted/vectors"}}
        config = self.configure({"agents": agents})
        daemon = await self.startDaemon(config=config)
        asked = await self.caller(daemon).ask("hi", headers=KEPT)
        settings = self.folder / "schemathesis.toml"
        settings.write_text(LENIENT)
        program = self.start(
            str(SCHEMATHESIS),
            f"--config-file={settings}",
            "run",
            str(self.described(asked.header("x-openclaw-run-id") or "")),
            f"--url={daemon.url}",
            f"--header=Authorization: Bearer {TOKEN}",
            # Then any `model` is accepted.
            "--header=x-openclaw-agent-id: main",
            f"--header=x-openclaw-model: {MODEL}",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=30",
            "--seed=1",
            "--generation-database=none",
            "--continue-on-failure",
            "--no-color",
        )
        await program.ended
        self.assertEqual(program.status, 0, program.text)
        self.assertIn("Tested: 16", program.output)
        tried = re.search(r"(\d+) generated, (\d+) passed", program.output)
        assert tried is not None
        self.assertEqual(tried[1], tried[2])
        self.assertGreater(int(tried[1]), 500)
        self.assertNotIn("Traceback", daemon.text)

    def described(self, runID: str) -> Path:
        """
        Return the description, with the id of an existing run.
        """
        described = document()
        # Requests with the same key and different bodies would all be rejected.
        completion = described["paths"]["/v1/chat/completions"]["post"]
        completion["parameters"] = [
            each for each in completion["parameters"] if each["name"] != KEY_HEADER
        ]
        for path, item in described["paths"].items():
            if path.startswith("/v1/runs/"):
                item["parameters"][0]["example"] = runID
        file = self.folder / "openapi.yaml"
        file.write_text(yaml.safe_dump(described))
        return file


class AnswerTests(AgentTestCase):
    """
    Responses that no generated request causes have the described schemas, without
    further members.
    """

    def setUp(self) -> None:
        """
        Allow only described members.
        """
        super().setUp()
        self.components = strict(document()["components"])

    def assertShape(self, value: Any, name: str) -> None:
        """
        Assert that a document has a schema.
        """
        schema = {"$ref": f"#/components/schemas/{name}"}
        jsonschema_rs.validate({**schema, "components": self.components}, value)

    async def assertRun(self, caller: Caller, path: str, status: str) -> None:
        """
        Assert the state of a run.
        """
        run = await (await caller.get(path)).json()
        self.assertEqual(run["status"], status)
        self.assertShape(run, "Run")

    async def test_runs(self) -> None:
        """
        Runs in all states.
        """
        caller = self.caller(await self.startDaemon(config=self.configure()))
        ends = {
            "completed": lambda call: call.finish(),
            "failed": lambda call: call.end(),
            "cancelled": None,
        }
        self.upstream.answer = lambda call: call.say("so")
        for status, end in ends.items():
            answer = await caller.ask("hi", headers=KEPT, stream=True)
            path = f"/v1/runs/{answer.header('x-openclaw-run-id')}"
            self.assertShape(await (await caller.get("/v1/runs")).json(), "RunList")
            await self.assertRun(caller, path, "in_progress")
            if end is None:
                cancelled = await (await caller.post(f"{path}/cancel")).json()
                self.assertShape(cancelled, "Run")
            else:
                end(self.upstream.calls[-1])
            *events, done = frames(await answer.whole())
            self.assertEqual(done, "[DONE]")
            self.assertTrue(events)
            for event in events:
                error = "error" in event
                self.assertShape(event, "Error" if error else "ChatCompletionChunk")
            await self.assertRun(caller, path, status)

    async def test_tools(self) -> None:
        """
        Tool calls, the client's and the agent's own, streamed and plain.
        """
        caller = self.caller(await self.startAgent())
        (self.workspace / "city.txt").write_text("Kiel\n")
        fields: dict[str, Any] = {
            "tools": [{"type": "function", "function": {"name": "weather"}}],
            "stream_options": {"include_usage": True},
            "headers": {"x-openclaw-events": "tools, reasoning"},
        }
        own, weather = calls("read", path="city.txt"), calls("weather", city="Kiel")
        self.plays(own, weather, own, weather)
        answer = await caller.ask("hi", stream=True, **fields)
        *chunks, _ = frames(await answer.whole())
        for chunk in chunks:
            self.assertShape(chunk, "ChatCompletionChunk")
        progress = [each["openclaw"] for each in chunks if "openclaw" in each]
        self.assertEqual([each["tool"]["status"] for each in progress], PROGRESS)
        completion = await (await caller.ask("hi", **fields)).json()
        self.assertEqual(completion["choices"][0]["finish_reason"], "tool_calls")
        self.assertShape(completion, "ChatCompletion")


PROGRESS = ["started", "ok"]


def strict(value: Any) -> Any:
    """
    Make schemas reject further members.
    """
    if isinstance(value, list):
        return [strict(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {key: strict(each) for key, each in value.items()}
    if isinstance(value.get("properties"), dict):
        changed["additionalProperties"] = False
    return changed
