"""
Fetching from the public Internet on somebody else's word.

Whoever asks is told little when it fails: these words may end up with a stranger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hyperlink import URL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from openclaw import __version__
from openclaw.interfaces import ToolError
from openclaw.net.client_tls import VerifyingPolicy
from openclaw.net.content_coding import ContentDecoder, printable
from openclaw.net.guarded_reactor import GuardedReactor
from openclaw.net.media_type import mediaType

MAX_REDIRECTS = 5
MAX_URL_CHARACTERS = 4096
CONNECT_SECONDS = 10.0

HEADER_BYTES = 512 * 1024
"""
Bytes beside the content: headers, redirects and TLS.
"""

MAX_TYPE_CHARACTERS = 500
"""
As much of a C{Content-Type} is looked at: its parser takes quadratic time.
"""

MAX_COOKIES = 50
MAX_COOKIE_BYTES = 4096

HEAD_BYTES = 128 * 1024
"""
Bytes until the headers of an answer are complete, those of TLS included.
"""

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, kw_only=True)
class FetchTerms:
    """
    The limits of a fetch, and its purpose.

    @ivar allowPrivate: May it reach addresses that are not of the public Internet?
    @ivar ports: The TCP ports it may reach.
    @ivar seconds: How long it may take, redirects included.
    @ivar maxBytes: How much of the content is read.
    @ivar accept: What the server is told of what is wanted.
    @ivar what: The same in one word.
    @ivar wants: Whether a media type is that, as far as can be seen from it.
    @ivar permitsHost: Whether a host may be asked.
    """

    allowPrivate: bool
    ports: tuple[int, ...]
    seconds: float
    maxBytes: int
    accept: str
    what: str
    wants: Callable[[str], bool] = lambda kind: True
    permitsHost: Callable[[str], bool] = lambda host: True

    def check(self, text: str) -> URL:
        """
        A URL that may be fetched, as far as can be seen from it.

        @raise ToolError: It may not, or is none.
        """
        url = checkedURL(text, self.ports)
        if not self.permitsHost(url.host):
            raise ToolError(f"{url.host} is not among the hosts that may be asked.")
        return url


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """
    A fetched document.

    @ivar url: Where it was found in the end.
    @ivar contentType: What the server says it is.
    @ivar data: It, or the beginning of it.
    @ivar whole: Is that all?
    @ivar tooLarge: Is it not, since there was more than may be read?
    """

    url: str
    contentType: str
    data: bytes
    whole: bool
    tooLarge: bool


def checkedURL(text: str, ports: tuple[int, ...]) -> URL:
    """
    A web address, with a port that may be reached.

    @raise ToolError: It is none.
    """
    try:
        url = URL.from_text(text.strip()).normalize().replace(fragment="")
        url = url if ":" in url.host else url.to_uri()
    except (ValueError, UnicodeError):
        raise ToolError("This is not a URL.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ToolError("Only http and https URLs can be fetched.")
    if ":" in url.host:
        # The URL library takes it for a name that is misspelt.
        raise ToolError("An IPv6 address can't be fetched; use the host's name.")
    if url.userinfo:
        raise ToolError("A URL with a user name or password can't be fetched.")
    if url.port not in ports:
        raise ToolError(f"Port {url.port} may not be used.")
    return url


def fetch(reactor: Any, url: str, terms: FetchTerms) -> "Deferred[Fetched]":
    """
    Fetch, following redirects.  No connection outlives this.

    @return: Fails with L{ToolError} if it can't be had.  May be cancelled.
    """
    return Deferred.fromCoroutine(_fetch(reactor, url, terms))


async def _fetch(reactor: Any, url: str, terms: FetchTerms) -> Fetched:
    fetch = _Fetch(reactor, terms)
    # Apart from the fetch, so that its cancellation is told from its failure: the
    # agent below makes errors of its own of both.
    result: Deferred[Fetched] = Deferred()

    def ended(outcome: Fetched | Failure) -> None:
        if not result.called:
            result.callback(outcome)

    def late(_: object, seconds: float) -> Failure:
        return Failure(ToolError(f"The fetch took longer than {seconds:g} s."))

    fetching = Deferred.fromCoroutine(fetch.run(url))
    fetching.addBoth(ended)
    try:
        return await result.addTimeout(terms.seconds, reactor, late)
    finally:
        fetching.cancel()
        fetch.close()


class _Fetch:
    """
    One fetch, redirects and all.
    """

    def __init__(self, reactor: Any, terms: FetchTerms) -> None:
        self._terms = terms
        self._reactor = reactor
        self._guard = GuardedReactor(
            reactor,
            allowPrivate=terms.allowPrivate,
            maxBytes=terms.maxBytes + HEADER_BYTES,
        )
        guard = cast(Any, self._guard)
        # Names are looked up and connected to through the guard; the agent does TLS,
        # with the name that is in the URL.
        pool = HTTPConnectionPool(guard, persistent=False)
        # With the first page: half a megabyte that many never need.
        from treq.client import HTTPClient

        policy = VerifyingPolicy()
        agent = Agent(guard, policy, connectTimeout=CONNECT_SECONDS, pool=pool)
        self._agent = _LenientAgent(agent)
        self._http = HTTPClient(self._agent)

    def close(self) -> None:
        """
        Close what is still open.
        """
        self._guard.abort()

    async def run(self, text: str) -> Fetched:
        """
        Fetch, following redirects.

        @raise ToolError: It can't be had.
        """
        url = self._terms.check(text)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._ask(url)
            if response.code not in _REDIRECTS:
                return await self._content(url, response)
            location = _headerText(response, b"location", "")
            self._guard.abort()
            if not location or len(location) > MAX_URL_CHARACTERS:
                raise ToolError(f"{url.to_text()} redirects to nowhere.")
            try:
                following = url.click(location).to_text()
            except (ValueError, UnicodeError):
                raise ToolError(f"{url.to_text()} redirects to nowhere.") from None
            url = self._terms.check(following)
        raise ToolError(f"More than {MAX_REDIRECTS} redirects.")

    async def _ask(self, url: URL) -> IResponse:
        headers = {
            "User-Agent": [f"openclaw/{__version__}"],
            "Accept": [self._terms.accept],
        }
        self._guard.expect(HEAD_BYTES)
        try:
            response = await self._http.get(
                url,
                headers=Headers(headers),
                allow_redirects=False,
                unbuffered=True,
                reactor=cast(Any, self._guard),
            )
            self._guard.expect(self._terms.maxBytes + HEADER_BYTES)
            return cast(IResponse, response)
        except DNSLookupError:
            if self._guard.refused:
                raise ToolError(
                    f"{url.host} is not on the public Internet, and may not be reached."
                ) from None
            raise ToolError(f"There is no host {url.host}.") from None
        except ConnectError:
            raise ToolError(f"{url.host} can't be connected to.") from None
        except Exception:
            # Broken HTTP or TLS.  What exactly is of no use to a model.
            raise ToolError(f"{url.to_text()} gives no proper answer.") from None

    async def _content(self, url: URL, response: IResponse) -> Fetched:
        where = url.to_text()
        if response.code != 200:
            phrase = printable(response.phrase.decode("latin-1")[:100])
            raise ToolError(f"{where} answers {response.code} {phrase}.")
        said = _headerText(response, b"content-type", "text/plain")
        said = printable(said[:MAX_TYPE_CHARACTERS])
        kind, _ = mediaType(said)
        if not self._terms.wants(kind):
            raise ToolError(f"{where} is not {self._terms.what} but {kind[:100]}.")
        try:
            decoder = ContentDecoder(self._agent.codings)
            body = _Body(self._reactor, self._terms.maxBytes, decoder)
            response.deliverBody(body)
            data = await body.done
        except ToolError as error:
            raise ToolError(f"{where} sends {error}.") from None
        return Fetched(
            url=where,
            contentType=said,
            data=data,
            whole=body.whole,
            tooLarge=body.tooLarge,
        )


def _headerText(response: IResponse, name: bytes, default: str) -> str:
    """
    The first header of this name, in UTF-8 or else in Latin-1: any byte may come.
    """
    values: Sequence[bytes] | None = response.headers.getRawHeaders(name)
    if not values:
        return default
    try:
        return values[0].decode("utf-8")
    except UnicodeDecodeError:
        return values[0].decode("latin-1")


@implementer(IAgent)
class _LenientAgent:
    """
    Stands below treq, and keeps from it the headers that it can't cope with: codings,
    which it would undo without a bound, and cookies that are not ASCII.

    @ivar codings: The content codings of the last response.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.codings: list[bytes] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> "Deferred[IResponse]":
        """
        See L{IAgent}.
        """
        asked: Deferred[IResponse] = self._agent.request(
            method, uri, headers, bodyProducer
        )
        return asked.addCallback(self._responded)

    def _responded(self, response: IResponse) -> IResponse:
        given = response.headers
        self.codings = list(given.getRawHeaders(b"content-encoding", []))
        given.removeHeader(b"content-encoding")
        given.removeHeader(b"set-cookie2")
        cookies = given.getRawHeaders(b"set-cookie", [])[:MAX_COOKIES]
        given.setRawHeaders(
            b"set-cookie",
            [
                each
                for each in cookies
                if each.isascii() and len(each) <= MAX_COOKIE_BYTES
            ],
        )
        return response


class _Body(Protocol):
    """
    Decodes and collects content, up to a bound.

    @ivar done: Fires with the content; fails with L{ToolError} if it is broken.
    @ivar whole: Is that all?
    @ivar tooLarge: Was there more than may be read?
    """

    def __init__(self, reactor: Any, limit: int, decoder: ContentDecoder) -> None:
        self.done: Deferred[bytes] = Deferred(self._cancelled)
        self.whole = True
        self.tooLarge = False
        self._reactor = reactor
        self._limit = limit
        self._decoder = decoder
        self._data = bytearray()
        self._later: IDelayedCall | None = None
        self._waiting: list[bytes] = []
        self._ended: Failure | None = None

    def _cancelled(self, _: object) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._waiting.append(data)
        if self._later is None:
            self._decode()

    def _decode(self) -> None:
        """
        Decode one piece.  More of it waits until others have had their turn.
        """
        self._later = None
        data, self._waiting = b"".join(self._waiting), []
        try:
            self._data += self._decoder.decode(data)
        except ToolError as error:
            self._stop(error)
            return
        if len(self._data) > self._limit:
            self.whole, self.tooLarge = False, True
            del self._data[self._limit :]
            self._stop(bytes(self._data))
        elif self._decoder.pending:
            self._later = self._reactor.callLater(0, self._decode)
        elif self._ended is not None:
            self._finish(self._ended)

    def _stop(self, outcome: bytes | ToolError) -> None:
        if self._ended is None:
            cast(IPushProducer, self.transport).stopProducing()
        if isinstance(outcome, ToolError):
            self.done.errback(outcome)
        else:
            self.done.callback(outcome)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        self._ended = reason
        if self._later is None:
            self._finish(reason)

    def _finish(self, reason: Failure) -> None:
        if reason.check(ResponseDone, PotentialDataLoss):
            try:
                self._decoder.finish(closed=bool(reason.check(PotentialDataLoss)))
            except ToolError as error:
                self.done.errback(error)
                return
        elif self._decoder.identity:
            self.whole = False
        else:
            self.done.errback(ToolError("compressed content that breaks off"))
            return
        self.done.callback(bytes(self._data))
