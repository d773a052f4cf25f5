"""
What to ask of a server, and how often.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle
from urllib.parse import urlsplit

import msgspec

from benchmarks.replies import Expected, modeOf

QUESTION = "How much of a request's time is spent on the way?"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to ask of whom, and how often.

    @ivar url: The server's base URL, with the C{/v1}.
    @ivar token: The bearer token to send, if any.
    @ivar model: The model to ask for.
    @ivar mode: The mode (see L{benchmarks.replies}) in which the upstream answers.
    @ivar stream: Whether to ask for streams.
    @ivar coalesced: Whether a stream may bring several words in one chunk.
    @ivar connections: How many connections are kept open.
    @ivar requests: How many requests to send.
    @ivar seconds: After this long no more requests fall due.
    @ivar rate: Requests that fall due each second; C{None} is the closed loop.
    @ivar users: The sessions to ask in, in turn; with none, requests are stateless.
    @ivar history: How many turns each request brings along before its question.
    """

    url: str
    token: str | None = None
    model: str
    mode: str
    stream: bool = False
    coalesced: bool = False
    connections: int = 1
    requests: int = 100
    seconds: float = 60.0
    rate: float | None = None
    users: Sequence[str] = ()
    history: int = 0

    def answer(self) -> list[str]:
        mode = modeOf(self.mode)
        if mode is None:
            raise ValueError(f"there is no mode {self.mode}")
        return mode.deltas()

    def interval(self) -> float:
        mode = modeOf(self.mode)
        return 0.0 if mode is None else mode.interval

    def expected(self) -> Expected:
        words = self.answer()
        return Expected("".join(words), None if self.coalesced else len(words))

    def dueAt(self, index: int) -> float:
        """
        At a fixed rate: how many seconds after the start a request is due.

        @param index: Which request, from 0.
        """
        assert self.rate is not None
        return index / self.rate

    def requestsToSend(self) -> Iterator[bytes]:
        """
        The requests, one after the other and without end, ready to be written.
        """
        return cycle([self.request(user) for user in self.users or (None,)])

    def request(self, user: str | None) -> bytes:
        """
        One request, ready to be written.

        @param user: The session to ask in, if any.
        """
        question = {"role": "user", "content": QUESTION}
        answer = {"role": "assistant", "content": "".join(self.answer())}
        asked = {
            "model": self.model,
            "messages": [*([question, answer] * self.history), question],
            **({"stream": True} if self.stream else {}),
            **({"user": user} if user else {}),
        }
        body = msgspec.json.encode(asked)
        url = urlsplit(self.url)
        lines = [
            f"POST {url.path}/chat/completions HTTP/1.1",
            f"Host: {url.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *([f"Authorization: Bearer {self.token}"] if self.token else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body
