"""
Frameworks that build agents on an OpenAI endpoint, unaware of the agent behind it.
"""

import sys
from pathlib import Path
from typing import Any

from tests.integration.agent import AgentTestCase, calls, says

WEATHER = calls("weather", city="Kiel")
ANSWER = says("Take ", "an umbrella.")

TURNS = (
    *(WEATHER, ANSWER),  # whole
    *(WEATHER, ANSWER),  # streamed
    *(calls("read", path="city.txt"), WEATHER, ANSWER),  # beside the agent's own
)


class FrameworkTests(AgentTestCase):
    """
    The framework's agent calls its own function, sends the result, and gets the reply:
    plain, streamed, and after the gateway's agent has used its own tool.
    """

    async def seenByProgram(self, name: str, *turns: Any) -> Any:
        """
        Run a program, and assert the model calls of its first three runs.

        @return: The program's results.
        """
        daemon = await self.startAgent()
        (self.workspace / "city.txt").write_text("Kiel\n")
        self.plays(*TURNS, *turns)
        program = Path(__file__).with_name(name)
        seen = await self.seenBy(daemon, sys.executable, str(program))
        self.assertEqual(len(self.upstream.calls), len(TURNS) + len(turns))
        for index in (1, 3, 6):
            self.assertEqual(self.told(index), [("call_weather", "rain in Kiel")])
        self.assertLessEqual({"weather", "read"}, self.offered(4))
        [(callID, read)] = self.told(5)
        self.assertEqual(callID, "call_read")
        self.assertIn("Kiel", read)
        self.assertEqual(seen["cities"], ["Kiel"] * 3)
        self.assertEqual(seen["streamed"], ["Take ", "an umbrella."])
        return seen

    async def test_langChain(self) -> None:
        """
        C{create_agent} with a C{ChatOpenAI}; and C{bind_tools}, which requires a
        certain tool.
        """
        seen = await self.seenByProgram("langchain_agent.py", WEATHER)
        run = {
            "types": ["human", "ai", "tool", "ai"],
            "called": [{"city": "Kiel"}],
            "answer": "Take an umbrella.",
            "tokens": 10,
        }
        self.assertEqual(seen["whole"], run)
        self.assertEqual(seen["besideTheAgentsOwn"], run)
        self.assertEqual(
            seen["bound"],
            {"id": "call_weather", "args": {"city": "Kiel"}, "reason": "tool_calls"},
        )
        wanted = self.upstream.calls[-1].body["tool_choice"]
        self.assertEqual(wanted["function"]["name"], "weather")

    async def test_pydanticAI(self) -> None:
        """
        C{Agent} with an C{OpenAIChatModel}, C{run()} and C{run_stream()}; and a
        structured answer, which is a required tool.
        """
        forecast = {"city": "Kiel", "umbrella": True}
        seen = await self.seenByProgram(
            "pydantic_agent.py", calls("final_result", **forecast)
        )
        run = {
            "parts": ["user-prompt", "tool-call", "tool-return", "text"],
            "answer": "Take an umbrella.",
            "tokens": 20,
        }
        self.assertEqual(seen["whole"], run)
        # The model call for the agent's own tool is included in the usage.
        self.assertEqual(seen["besideTheAgentsOwn"], {**run, "tokens": 30})
        self.assertEqual(seen["formed"], forecast)
        self.assertEqual(self.upstream.calls[-1].body["tool_choice"], "required")
