"""
A program with LangChain agents, which prints its results as JSON.  Its arguments are a
base URL and a token.
"""

import json
import sys
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

QUESTION: Any = {"messages": [{"role": "user", "content": "Do I need an umbrella?"}]}
CITIES: list[str] = []


@tool
def weather(city: str) -> str:
    """
    Tell the weather.
    """
    CITIES.append(city)
    return f"rain in {city}"


def run(agent: Any) -> dict[str, Any]:
    """
    Run an agent.
    """
    messages = agent.invoke(QUESTION)["messages"]
    return {
        "types": [message.type for message in messages],
        "called": [call["args"] for call in messages[1].tool_calls],
        "answer": messages[-1].text,
        "tokens": messages[-1].usage_metadata["total_tokens"],
    }


def streamed(agent: Any) -> list[str]:
    """
    Return the texts of a run as they arrive.
    """
    pieces = agent.stream(QUESTION, stream_mode="messages")
    return [
        piece.text
        for piece, _ in pieces
        if piece.type == "AIMessageChunk" and piece.text
    ]


def bound(model: ChatOpenAI) -> dict[str, Any]:
    """
    Return a required call of a certain tool, assembled from the stream's chunks.
    """
    bound = model.bind_tools([weather], tool_choice="weather")
    whole: Any = None
    for chunk in bound.stream("Do I need an umbrella?"):
        whole = chunk if whole is None else whole + chunk
    [call] = whole.tool_calls
    return {
        "id": call["id"],
        "args": call["args"],
        "reason": whole.response_metadata["finish_reason"],
    }


def main(url: str, token: str) -> dict[str, Any]:
    """
    Run everything.
    """
    model = ChatOpenAI(base_url=url, api_key=token, model="openclaw", max_retries=0)
    agent = create_agent(model, tools=[weather])
    return {
        "whole": run(agent),
        "streamed": streamed(agent),
        "besideTheAgentsOwn": run(agent),
        "bound": bound(model),
        "cities": CITIES,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
