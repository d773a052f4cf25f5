"""
The clients that people have: each recipe of C{docs/clients.md} does what it says.
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

    async def startKeeper(self, changes: Mapping[str, Any] | None = None) -> Daemon:
        """
        Start it.
        """
        return await self.startAgent(changes, systemPrompt=OWN)

    async def printedBy(self, *command: str, **environ: str) -> str:
        """
        Run a command of a recipe.

        @return: What it printed.
        """
        known = {"OPENCLAW_GATEWAY_TOKEN": TOKEN}
        program = self.start(*command, environ={**known, **environ})
        # As from a terminal where nothing is typed: some read what is piped to them.
        program.transport.closeStdin()
        await program.ended
        self.assertEqual(program.status, 0, program.text)
        return program.output.rstrip("\n")

    def system(self, index: int = -1) -> str:
        """
        The system prompt of a call of the model.
        """
        first = self.upstream.calls[index].body["messages"][0]
        return first["content"] if first["role"] == "system" else ""

    def assertHelped(self, printed: str) -> None:
        """
        Assert that the client's agent called its own function for ours, and printed
        the answer.
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

        @return: What it printed.
        """
        daemon = await self.startKeeper()
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
        So does one of Pydantic AI.
        """
        self.assertHelped(await self.run_("Pydantic AI"))

    async def test_llamaIndex(self) -> None:
        """
        And one of LlamaIndex.  These are the requests that the recipe made with
        llama-index-llms-openai-like 0.8.1; its packages are too large to have here.
        """
        daemon = await self.startKeeper()
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
        daemon = await self.startKeeper()
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
        # The weights of the embedded model come as a plug-in of it, which lacks its
        # engine here.
        environ = {"LLM_USER_PATH": folder, "LLM_LOAD_PLUGINS": ""}
        return await self.printedBy(LLM, *arguments, **environ)

    async def test_asks(self) -> None:
        """
        It asks the agent, and goes on with what was said.
        """
        daemon = await self.startKeeper()
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
    Programs with model names of their own.
    """

    async def test_alias(self) -> None:
        """
        The agent answers by the name that the program knows, and by no other.
        """
        heading = "n8n, and clients with fixed model names"
        caller = self.caller(await self.startKeeper(safe_load(recipe(heading, "yaml"))))
        self.plays(SAYS)
        answer = await caller.ask(QUESTION, model="gpt-4o-mini")
        self.assertEqual((await answer.json())["model"], "gpt-4o-mini")
        self.assertIn(OWN, self.system())
        answer = await caller.ask(QUESTION, model="gpt-4o")
        self.assertEqual((answer.status, await answer.code()), (400, "model_not_found"))


class ChatProgramTests(ClientTestCase):
    """
    Programs in which people chat.  They send the whole chat each time, and ask for a
    title behind the first answer.
    """

    def setUp(self) -> None:
        """
        Let the model answer the same to all.
        """
        super().setUp()
        self.upstream.says("Hello")

    async def chat(
        self, headers: Mapping[str, str], *messages: dict[str, str]
    ) -> Answer:
        """
        One turn of the chat.
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
        A chat of Open WebUI is a session, to which its title does not belong.  The
        templates are filled in as Open WebUI 0.10 does it, which leaves an empty
        text where it has nothing.
        """
        self.daemon = await self.startKeeper()
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
        So is a conversation of LibreChat, which asks for titles with the same
        headers; one that it did not fill in makes no session.
        """
        self.daemon = await self.startKeeper()
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
