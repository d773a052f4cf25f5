"""
A program with Pydantic AI agents, which prints its results as JSON.  Its arguments are
a base URL and a token.
"""

import asyncio
import json
import sys
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

QUESTION = "Do I need an umbrella?"
CITIES: list[str] = []


class Forecast(BaseModel):
    """
    A structured answer.
    """

    city: str
    umbrella: bool


def weather(city: str) -> str:
    """
    Tell the weather.
    """
    CITIES.append(city)
    return f"rain in {city}"


async def run(agent: Agent[None, str]) -> dict[str, Any]:
    """
    Run an agent.
    """
    result = await agent.run(QUESTION)
    parts = [part for message in result.all_messages() for part in message.parts]
    return {
        "parts": [part.part_kind for part in parts],
        "answer": result.output,
        "tokens": result.usage.total_tokens,
    }


async def streamed(agent: Agent[None, str]) -> list[str]:
    """
    Return the texts of a run as they arrive.
    """
    async with agent.run_stream(QUESTION) as stream:
        words = stream.stream_text(delta=True, debounce_by=None)
        return [piece async for piece in words]


async def formed(model: OpenAIChatModel) -> dict[str, Any]:
    """
    Return a structured answer, which is the arguments of a required tool.
    """
    result = await Agent(model, output_type=Forecast).run(QUESTION)
    return result.output.model_dump()


async def main(url: str, token: str) -> dict[str, Any]:
    """
    Run everything.
    """
    provider = OpenAIProvider(base_url=url, api_key=token)
    model = OpenAIChatModel("openclaw", provider=provider)
    agent = Agent(model, tools=[weather])
    return {
        "whole": await run(agent),
        "streamed": await streamed(agent),
        "besideTheAgentsOwn": await run(agent),
        "formed": await formed(model),
        "cities": CITIES,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
