"""
Fetching documents of the public Internet.

Error messages say little, since they may be shown to a stranger.
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
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from openclaw import __version__
from openclaw.interfaces import ToolError
from openclaw.net.client_tls import VerifyingPolicy
from openclaw.net.content_coding import ContentDecoder, replaceUnprintable
from openclaw.net.guarded_reactor import GuardedReactor
from openclaw.net.media_type import mediaType
from openclaw.net.outbound_proxy import ProxyChooser, ProxyError, proxyOfEnvironment
from openclaw.net.proxied_agent import ProxiedAgent

MAX_REDIRECTS = 5
MAX_URL_CHARACTERS = 4096
CONNECT_SECONDS = 10.0

HEADER_BYTES = 512 * 1024
"""
Limit of the bytes besides the content: headers, redirects and TLS.
"""

MAX_TYPE_CHARACTERS = 500
"""
The part of a C{Content-Type} that is parsed: parsing takes quadratic time.
"""

MAX_COOKIES = 50
MAX_COOKIE_BYTES = 4096

HEAD_BYTES = 128 * 1024
"""
Limit of the bytes until the headers of a response are complete, TLS included.
"""

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, kw_only=True)
class FetchOptions:
    """
    The limits of a fetch, and the accepted content.

    @ivar allowPrivate: Whether addresses outside the public Internet may be reached.
    @ivar ports: The TCP ports that may be reached.
    @ivar seconds: The time-out, redirects included.
    @ivar maxBytes: Limit of the decoded content.
    @ivar accept: The C{Accept} header.
    @ivar what: The accepted content in one word, for error messages.
    @ivar wants: Returns whether a media type is accepted.
    @ivar permitsHost: Returns whether a host may be reached.
    @ivar chooseProxy: Chooses the proxy of a URL.
    """

    allowPrivate: bool
    ports: tuple[int, ...]
    seconds: float
    maxBytes: int
    accept: str
    what: str
    wants: Callable[[str], bool] = lambda kind: True
    permitsHost: Callable[[str], bool] = lambda host: True
    chooseProxy: ProxyChooser = proxyOfEnvironment

    def check(self, text: str) -> URL:
        """
        Parse and check a URL before it is requested.

        @raise ToolError: It is not valid, or may not be fetched.
        """
        url = parseURL(text, self.ports)
        if not self.permitsHost(url.host):
            raise ToolError(f"{url.host} is not one of the allowed hosts.")
        return url


@dataclass(frozen=True, kw_only=True)
class FetchedDocument:
    """
    A fetched document.

    @ivar url: Its URL after redirects.
    @ivar contentType: The C{Content-Type} header.
    @ivar data: The content, or its beginning.
    @ivar whole: Whether C{data} is complete.
    @ivar tooLarge: Whether it is not, because the content exceeds the limit.
    """

    url: str
    contentType: str
    data: bytes
    whole: bool
    tooLarge: bool


def parseURL(text: str, ports: tuple[int, ...]) -> URL:
    """
    Parse a web address, and check its port.

    @raise ToolError: It is not valid, or may not be fetched.
    """
    try:
        url = URL.from_text(text.strip()).normalize().replace(fragment="")
        url = url if ":" in url.host else url.to_uri()
    except (ValueError, UnicodeError):
        raise ToolError("This is not a URL.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ToolError("Only http and https URLs can be fetched.")
    if ":" in url.host:
        # The URL library takes an IPv6 address for a misspelt name.
        raise ToolError("An IPv6 address can't be fetched; use the host's name.")
    if url.userinfo:
        raise ToolError("A URL with a user name or password can't be fetched.")
    if url.port not in ports:
        raise ToolError(f"Port {url.port} is not allowed.")
    return url


def fetch(reactor: Any, url: str, options: FetchOptions) -> "Deferred[FetchedDocument]":
    """
    Fetch a document, following redirects.  All connections are closed when this fires.

    @return: Fails with L{ToolError} if it cannot be fetched.  May be cancelled.
    """
    return Deferred.fromCoroutine(_fetch(reactor, url, options))


async def _fetch(reactor: Any, url: str, options: FetchOptions) -> FetchedDocument:
    fetch = _Fetch(reactor, options)
    # A Deferred of its own distinguishes cancellation from failure: the agent maps both
    # to its own errors.
    result: Deferred[FetchedDocument] = Deferred()

    def finish(outcome: FetchedDocument | Failure) -> None:
        if not result.called:
            result.callback(outcome)

    def timedOut(_: object, seconds: float) -> Failure:
        return Failure(ToolError(f"The fetch took longer than {seconds:g} s."))

    fetching = Deferred.fromCoroutine(fetch.run(url))
    fetching.addBoth(finish)
    try:
        return await result.addTimeout(options.seconds, reactor, timedOut)
    finally:
        fetching.cancel()
        fetch.close()


class _Fetch:
    def __init__(self, reactor: Any, options: FetchOptions) -> None:
        self._terms = options
        self._reactor = reactor
        self._guard = GuardedReactor(
            reactor,
            allowPrivate=options.allowPrivate,
            maxBytes=options.maxBytes + HEADER_BYTES,
        )
        # A proxy may be in a private network.
        self._proxyGuard = GuardedReactor(
            reactor, allowPrivate=True, maxBytes=options.maxBytes + HEADER_BYTES
        )
        # Imported at the first use: half a megabyte that many daemons never need.
        from treq.client import HTTPClient

        agent = ProxiedAgent(
            self._guard,
            self._proxyGuard,
            VerifyingPolicy(),
            CONNECT_SECONDS,
            options.chooseProxy,
        )
        self._agent = _LenientAgent(agent)
        self._http = HTTPClient(self._agent)

    def close(self) -> None:
        self._guard.abort()
        self._proxyGuard.abort()

    def _limitNext(self, maxBytes: int) -> None:
        self._guard.limitNext(maxBytes)
        self._proxyGuard.limitNext(maxBytes)

    async def run(self, text: str) -> FetchedDocument:
        """
        Fetch, following redirects.

        @raise ToolError: The document cannot be fetched.
        """
        url = self._terms.check(text)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._request(url)
            if response.code not in _REDIRECTS:
                return await self._readDocument(url, response)
            location = _decodeHeader(response, b"location", "")
            self.close()
            if not location or len(location) > MAX_URL_CHARACTERS:
                raise ToolError(f"{url.to_text()} redirects to an invalid URL.")
            try:
                following = url.click(location).to_text()
            except (ValueError, UnicodeError):
                raise ToolError(
                    f"{url.to_text()} redirects to an invalid URL."
                ) from None
            url = self._terms.check(following)
        raise ToolError(f"More than {MAX_REDIRECTS} redirects.")

    async def _request(self, url: URL) -> IResponse:
        headers = {
            "User-Agent": [f"openclaw/{__version__}"],
            "Accept": [self._terms.accept],
        }
        self._limitNext(HEAD_BYTES)
        try:
            response = await self._http.get(
                url,
                headers=Headers(headers),
                allow_redirects=False,
                unbuffered=True,
                reactor=cast(Any, self._guard),
            )
            self._limitNext(self._terms.maxBytes + HEADER_BYTES)
            return cast(IResponse, response)
        except DNSLookupError:
            if self._guard.refused:
                raise ToolError(
                    f"{url.host} is not on the public Internet and may not be reached."
                ) from None
            raise ToolError(f"There is no host {url.host}.") from None
        except ProxyError as error:
            raise ToolError(f"Can't connect to {url.host}. {error.message}") from None
        except ConnectError:
            raise ToolError(f"Can't connect to {url.host}.") from None
        except Exception:
            # Invalid HTTP or TLS.  The details are of no use to a model.
            raise ToolError(f"{url.to_text()} gives no valid HTTP response.") from None

    async def _readDocument(self, url: URL, response: IResponse) -> FetchedDocument:
        where = url.to_text()
        # A proxy may have transformed what is 203.
        if response.code not in (200, 203):
            phrase = replaceUnprintable(response.phrase.decode("latin-1")[:100])
            raise ToolError(f"{where} answers {response.code} {phrase}.")
        contentType = _decodeHeader(response, b"content-type", "text/plain")
        contentType = replaceUnprintable(contentType[:MAX_TYPE_CHARACTERS])
        kind, _ = mediaType(contentType)
        if not self._terms.wants(kind):
            raise ToolError(f"{where} is not {self._terms.what} but {kind[:100]}.")
        try:
            decoder = ContentDecoder(self._agent.codings)
            body = _Body(self._reactor, self._terms.maxBytes, decoder)
            response.deliverBody(body)
            data = await body.done
        except ToolError as error:
            raise ToolError(f"{where} sends {error}.") from None
        return FetchedDocument(
            url=where,
            contentType=contentType,
            data=data,
            whole=body.whole,
            tooLarge=body.tooLarge,
        )


def _decodeHeader(response: IResponse, name: bytes, default: str) -> str:
    """
    Return the first header of a name, decoded as UTF-8 or else Latin-1.
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
    An agent below treq that removes headers which treq does not handle well: content
    codings, which it would decode without a limit, and cookies that are not ASCII.

    @ivar codings: The content codings of the last response.
    """

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent
        self.codings: list[bytes] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> "Deferred[IResponse]":
        requested: Deferred[IResponse] = self._agent.request(
            method, uri, headers, bodyProducer
        )
        return requested.addCallback(self._cleanHeaders)

    def _cleanHeaders(self, response: IResponse) -> IResponse:
        headers = response.headers
        self.codings = list(headers.getRawHeaders(b"content-encoding", []))
        headers.removeHeader(b"content-encoding")
        headers.removeHeader(b"set-cookie2")
        cookies = headers.getRawHeaders(b"set-cookie", [])[:MAX_COOKIES]
        headers.setRawHeaders(
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
    Decodes and collects content, up to a limit.

    @ivar done: Fires with the content; fails with L{ToolError} if it is damaged.
    @ivar whole: Whether the content is complete.
    @ivar tooLarge: Whether it exceeds the limit.
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
        Decode one piece.  Further pieces are decoded in later iterations of the
        reactor.
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
            self.done.errback(ToolError("truncated compressed content"))
            return
        self.done.callback(bytes(self._data))
