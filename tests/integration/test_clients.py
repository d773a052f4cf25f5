"""
Tests of the recipes in C{docs/clients.md} with the real clients.
"""

import sys
from collections.abc import Mapping
from json import loads
from pathlib import Path
from typing import Any

from yaml import safe_load

from tests.api.chat_bodies import assistant, user
from tests.integration.agent import AgentTestCase, calls, says
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import TOKEN
from tests.integration.http_caller import Answer
from tests.integration.nodejs import FOLDER, NodeTestCase, nodeCommand
from tests.integration.recipes import recipe

LLM = str(Path(sys.executable).with_name("llm"))
SESSION = "x-openclaw-session-key"
QUESTION = "Do I need an umbrella?"
ANSWER = "Take an umbrella."
OWN = "You are the keeper of this house."
WEATHER = calls("weather", city="Kiel")
SAYS = says("Take ", "an umbrella.")
TITLE = "### Task:\nGenerate a concise, 3-5 word title with an emoji."


class ClientTestCase(AgentTestCase):
    """
    A gateway whose agent has instructions and tools.
    """

    async def startWithTools(self, changes: Mapping[str, Any] | None = None) -> Daemon:
        """
        Start the daemon.
        """
        return await self.startAgent(changes, systemPrompt=OWN)

    async def printedBy(self, *command: str, **environ: str) -> str:
        """
        Run a command of a recipe.

        @return: Its output.
        """
        known = {"OPENCLAW_GATEWAY_TOKEN": TOKEN}
        program = self.start(*command, environ={**known, **environ})
        # As from a terminal without input: some programs read what is piped to them.
        program.transport.closeStdin()
        await program.ended
        self.assertEqual(program.status, 0, program.text)
        return program.output.rstrip("\n")

    def system(self, index: int = -1) -> str:
        """
        Return the system prompt of a model call.
        """
        first = self.upstream.calls[index].body["messages"][0]
        return first["content"] if first["role"] == "system" else ""

    def assertHelped(self, printed: str) -> None:
        """
        Assert that the client's agent called its own function for ours, and printed the
        answer.
        """
        self.assertEqual(printed, ANSWER)
        self.assertEqual(len(self.upstream.calls), 2)
        self.assertIn(OWN, self.system())
        self.assertLessEqual({"weather", "read"}, self.offered(0))
        self.assertEqual(self.told(), [("call_weather", "rain in Kiel")])


class PythonTests(ClientTestCase):
    """
    Programs in Python.
    """

    async def run_(self, heading: str) -> str:
        """
        Run the program of a recipe.

        @return: Its output.
        """
        daemon = await self.startWithTools()
        program = self.folder / "program.py"
        program.write_text(recipe(heading, "python", f"{daemon.url}/v1"))
        self.plays(WEATHER, SAYS)
        return await self.printedBy(sys.executable, str(program))

    async def test_langChain(self) -> None:
        """
        An agent of LangChain uses its own function.
        """
        self.assertHelped(await self.run_("LangChain"))

    async def test_pydanticAI(self) -> None:
        """
        An agent of Pydantic AI uses its own function.
        """
        self.assertHelped(await self.run_("Pydantic AI"))

    async def test_llamaIndex(self) -> None:
        """
        An agent of LlamaIndex uses its own function.  These are the requests that the
        recipe made with llama-index-llms-openai-like 0.8.1; its packages are too large
        for the tests.
        """
        daemon = await self.startWithTools()
        compile(recipe("LlamaIndex", "python"), "recipe", "exec")
        self.plays(WEATHER, SAYS)
        caller = self.caller(daemon)
        first = await caller.ask("", **LLAMA_INDEX)
        self.assertIn('"finish_reason":"tool_calls"', await first.whole())
        messages = [*LLAMA_INDEX["messages"], *LLAMA_INDEX_GOES_ON]
        second = await caller.ask("", **{**LLAMA_INDEX, "messages": messages})
        self.assertHelped(await second.words())
        body = self.upstream.calls[0].body
        self.assertEqual(body["temperature"], 0.1)
        self.assertTrue(body["parallel_tool_calls"])


class VercelTests(ClientTestCase, NodeTestCase):
    """
    A program in JavaScript.
    """

    async def test_stream(self) -> None:
        """
        C{streamText} uses a tool and prints what the agent says.
        """
        daemon = await self.startWithTools()
        await self.install()
        # Node looks for packages beside the program.
        (self.folder / "node_modules").symlink_to(FOLDER / "node_modules")
        program = self.folder / "program.mjs"
        program.write_text(recipe("Vercel AI SDK", "js", f"{daemon.url}/v1"))
        self.plays(WEATHER, SAYS)
        node = nodeCommand() or ()
        self.assertHelped(await self.printedBy(*node, str(program)))
        usage = self.upstream.calls[0].body["stream_options"]
        self.assertEqual(usage, {"include_usage": True})


class LLMTests(ClientTestCase):
    """
    The command C{llm}.
    """

    async def llm(self, *arguments: str) -> str:
        """
        Run it.
        """
        folder = str(self.folder / "llm")
        # The package of the embedded model's weights has a plug-in for llm, whose
        # engine is missing here.
        environ = {"LLM_USER_PATH": folder, "LLM_LOAD_PLUGINS": ""}
        return await self.printedBy(LLM, *arguments, **environ)

    async def test_asks(self) -> None:
        """
        It sends a message, and continues the conversation.
        """
        daemon = await self.startWithTools()
        models = self.folder / "llm" / "extra-openai-models.yaml"
        models.parent.mkdir()
        models.write_text(recipe("llm", "yaml", f"{daemon.url}/v1"))
        self.plays(SAYS, SAYS)
        keys, ask = recipe("llm", "bash").splitlines()
        self.assertEqual(ask, f"llm -m openclaw '{QUESTION}'")
        self.assertTrue(keys.startswith("llm keys set openclaw --value "))
        await self.llm("keys", "set", "openclaw", "--value", TOKEN)
        self.assertEqual(await self.llm("-m", "openclaw", QUESTION), ANSWER)
        self.assertIn(OWN, self.system())
        self.assertEqual(await self.llm("-c", "Why?"), ANSWER)
        told = [("user", QUESTION), ("assistant", ANSWER), ("user", "Why?")]
        self.assertEqual(self.upstream.heard(), told)


class AliasTests(ClientTestCase):
    """
    Programs with fixed model names.
    """

    async def test_alias(self) -> None:
        """
        The agent replies to the program's model name, and to no other.
        """
        heading = "n8n, and clients with fixed model names"
        caller = self.caller(
            await self.startWithTools(safe_load(recipe(heading, "yaml")))
        )
        self.plays(SAYS)
        answer = await caller.ask(QUESTION, model="gpt-4o-mini")
        self.assertEqual((await answer.json())["model"], "gpt-4o-mini")
        self.assertIn(OWN, self.system())
        answer = await caller.ask(QUESTION, model="gpt-4o")
        self.assertEqual((answer.status, await answer.code()), (400, "model_not_found"))


class ChatProgramTests(ClientTestCase):
    """
    Chat programs, which send the whole chat each time, and request a title after the
    first reply.
    """

    def setUp(self) -> None:
        """
        Let the model send the same reply to all calls.
        """
        super().setUp()
        self.upstream.says("Hello")

    async def chat(
        self, headers: Mapping[str, str], *messages: dict[str, str]
    ) -> Answer:
        """
        Complete one turn of the chat.
        """
        daemon = self.caller(self.daemon)
        fields = {"stream": True, "messages": messages}
        answer = await daemon.ask("", headers=headers, **fields)
        self.assertEqual(await answer.words(), "Hello")
        self.assertIn(OWN, self.system())
        return answer

    def assertPlain(self, answer: Answer) -> None:
        """
        Assert that a title came from the model alone, without a session.
        """
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.upstream.heard(), [("user", TITLE)])
        self.assertEqual((self.system(), self.offered()), ("", set()))
        self.assertIn(":openai:", answer.header(SESSION) or "")

    async def test_openWebUI(self) -> None:
        """
        A chat of Open WebUI is a session, without its title.  The templates are filled
        in like by Open WebUI 0.10, which leaves missing values empty.
        """
        self.daemon = await self.startWithTools()
        templates = loads(recipe("Open WebUI", "json"))

        def headers(task: str = "") -> dict[str, str]:
            values = {"{{CHAT_ID}}": "5f2c-9", "{{TASK}}": task}
            return {name: values[template] for name, template in templates.items()}

        first = await self.chat(headers(), user("One"))
        self.assertEqual(first.header(SESSION), "agent:main:openwebui:5f2c-9")
        title = await self.caller(self.daemon).ask(
            TITLE, headers=headers("title_generation"), max_completion_tokens=1000
        )
        self.assertEqual(await title.words(), "Hello")
        self.assertPlain(title)
        again = [user("One"), assistant("Hello"), user("Two")]
        second = await self.chat(headers(), *again)
        self.assertEqual(second.header(SESSION), first.header(SESSION))
        told = [("user", "One"), ("assistant", "Hello"), ("user", "Two")]
        self.assertEqual(self.upstream.heard(), told)

    async def test_libreChat(self) -> None:
        """
        A conversation of LibreChat is a session, too; its titles have the same headers,
        and an unfilled template selects no session.
        """
        self.daemon = await self.startWithTools()
        [endpoint] = safe_load(recipe("LibreChat", "yaml"))["endpoints"]["custom"]
        [(name, template)] = endpoint["headers"].items()
        body = "{{LIBRECHAT_BODY_CONVERSATIONID}}"
        headers = {name: template.replace(body, "98c7-1")}
        first = await self.chat(headers, user("One"))
        self.assertEqual(first.header(SESSION), "agent:main:98c7-1")
        title = await self.caller(self.daemon).ask(
            TITLE, headers=headers, model=endpoint["titleModel"], user="65a1"
        )
        self.assertEqual(await title.words(), "Hello")
        self.assertPlain(title)
        again = [user("One"), assistant("Hello"), user("Two")]
        await self.chat(headers, *again)
        told = [("user", "One"), ("assistant", "Hello"), ("user", "Two")]
        self.assertEqual(self.upstream.heard(), told)
        unfilled = await self.chat({name: template}, user("Three"))
        self.assertIn(":openai:", unfilled.header(SESSION) or "")


LLAMA_INDEX: dict[str, Any] = {
    "messages": [{"role": "user", "content": QUESTION}],
    "model": "openclaw",
    "parallel_tool_calls": True,
    "stream": True,
    "temperature": 0.1,
    "tool_choice": "auto",
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "weather(city: str) -> str\nTell the weather.",
                "parameters": {
                    "properties": {"city": {"title": "City", "type": "string"}},
                    "required": ["city"],
                    "type": "object",
                    "additionalProperties": False,
                },
                "strict": False,
            },
        }
    ],
}
LLAMA_INDEX_GOES_ON: list[dict[str, Any]] = [
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city": "Kiel"}'},
                "id": "call_weather",
            }
        ],
    },
    {"role": "tool", "content": "rain in Kiel", "tool_call_id": "call_weather"},
]
