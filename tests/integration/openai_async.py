"""
A program with OpenAI's asynchronous SDK, which prints its results as JSON.  Its
arguments are a base URL and a token.
"""

import asyncio
import json
import sys
from typing import Any

import openai

HI: Any = [{"role": "user", "content": "hi"}]


async def whole(client: openai.AsyncOpenAI) -> str | None:
    """
    Return a reply.
    """
    completion = await client.chat.completions.create(model="openclaw", messages=HI)
    return completion.choices[0].message.content


async def streamed(client: openai.AsyncOpenAI) -> list[str | None]:
    """
    Return the pieces of a reply.
    """
    stream = await client.chat.completions.create(
        model="openclaw", messages=HI, stream=True
    )
    return [chunk.choices[0].delta.content async for chunk in stream]


async def embedded(client: openai.AsyncOpenAI) -> list[list[float]]:
    """
    Return the vectors of two texts.
    """
    answer = await client.embeddings.create(model="openclaw", input=["a", "b"])
    return [each.embedding for each in answer.data]


async def errorOf(client: openai.AsyncOpenAI, model: str) -> list[str | None]:
    """
    Return the class and the code of an error.
    """
    try:
        await client.chat.completions.create(model=model, messages=HI)
    except openai.APIError as error:
        return [type(error).__name__, error.code]
    return []


async def main(url: str, token: str) -> dict[str, Any]:
    """
    Run everything.
    """
    async with openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0) as client:
        stranger = client.with_options(api_key="wrong")
        return {
            "whole": await whole(client),
            "streamed": await streamed(client),
            "together": await asyncio.gather(*(whole(client) for _ in range(5))),
            "embedded": await embedded(client),
            "wrongToken": await errorOf(stranger, "openclaw"),
            "wrongModel": await errorOf(client, "gpt-4o"),
            "models": [model.id async for model in client.models.list()],
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
