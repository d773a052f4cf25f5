"""
The keys of C{gateway}.  The credential in force is found by
L{openclaw.config.gateway_credential}.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from openclaw.config.secret import Secret
from openclaw.config.tools import ReachableTools
from openclaw.config.value_types import (
    AgentID,
    AllBytes,
    Amount,
    AuthMode,
    Bind,
    BodyBytes,
    Bytes,
    HeaderName,
    Host,
    HostPattern,
    Milliseconds,
    Origin,
    Port,
    ProxyAddress,
    Seconds,
    SecondsOrZero,
    Workers,
)


class RateLimit(Struct, frozen=True, kw_only=True):
    """
    Limits of wrong credentials from one address.

    @ivar maxAttempts: As many in one window lock it out.  Default: 10.
    @ivar windowMs: How long a window is, in milliseconds.  Default: 60,000.
    @ivar lockoutMs: How long it is locked out, in milliseconds.  Default: 300,000.
    @ivar exemptLoopback: Is this machine itself never locked out?  Default: yes.
    """

    maxAttempts: Amount = 10
    windowMs: Milliseconds = 60_000
    lockoutMs: Milliseconds = 300_000
    exemptLoopback: bool = True


class TrustedProxy(Struct, frozen=True, kw_only=True):
    """
    The headers by which a proxy names the caller, for C{mode: trusted-proxy}.

    @ivar userHeader: The header with the user's name.  Default: none.
    @ivar requiredHeaders: Headers that a request must have too.  Default: none.
    @ivar allowUsers: The users who may come in.  Default: all of the proxy's.
    """

    userHeader: HeaderName | None = None
    requiredHeaders: tuple[HeaderName, ...] = ()
    allowUsers: tuple[str, ...] = ()


class Auth(Struct, frozen=True, kw_only=True):
    """
    The credential that callers must show; see L{openclaw.config.gateway_credential} for
    the one in force.

    @ivar mode: The kind of credential, or C{None}: what is found decides.
    @ivar token: The bearer token.  Default: C{OPENCLAW_GATEWAY_TOKEN} from the
        environment, else a random one that is kept in the state directory.
    @ivar password: The password.  Default: C{OPENCLAW_GATEWAY_PASSWORD} from the
        environment.
    @ivar rateLimit: What becomes of those who show wrong ones.
    @ivar trustedProxy: For the mode C{trusted-proxy}.
    """

    mode: AuthMode | None = None
    token: Secret | None = None
    password: Secret | None = None
    rateLimit: RateLimit = RateLimit()
    trustedProxy: TrustedProxy = TrustedProxy()


class TLS(Struct, frozen=True, kw_only=True):
    """
    TLS on the gateway's port: both files, or neither.

    @ivar certPath: The certificate and its chain, PEM.  Default: no TLS.
    @ivar keyPath: The private key, PEM.  Default: no TLS.
    """

    certPath: Path | None = None
    keyPath: Path | None = None


class Embeddings(Struct, frozen=True, kw_only=True):
    """
    The endpoint C{/v1/embeddings}, which is served beside C{/v1/chat/completions} and
    never alone.

    @ivar enabled: Whether it is served too.  Default: yes.
    @ivar maxConcurrent: The requests at once; those beyond are refused.
        Default: 32.
    """

    enabled: bool = True
    maxConcurrent: Amount = 32


class Images(Struct, frozen=True, kw_only=True):
    """
    Images in a request: in it as they are, or by their URL for the gateway to fetch.

    @ivar allowUrl: Whether they are fetched.  Default: no.
    @ivar urlAllowlist: The hosts they may be on; C{*.example.com} is every host below
        C{example.com}, but not itself.  Default: any on the public Internet.
    @ivar maxBytes: The largest image of either kind, in bytes.  Default: 10 MiB.
    @ivar timeoutSeconds: How long a fetch may take, redirects included.
        Default: 10.
    """

    allowUrl: bool = False
    urlAllowlist: tuple[HostPattern, ...] = ()
    maxBytes: Bytes = 10_485_760
    timeoutSeconds: Seconds = 10

    def allowsHost(self, host: str) -> bool:
        """
        May an image be on this host?  C{allowUrl} is another question.
        """
        name = host.lower().removesuffix(".")
        for pattern in map(str.lower, self.urlAllowlist):
            if name == pattern:
                return True
            if pattern.startswith("*.") and name.endswith(pattern[1:]):
                return True
        return not self.urlAllowlist


class Metrics(Struct, frozen=True, kw_only=True):
    """
    The endpoint C{/metrics}.

    @ivar enabled: Whether it is served.  Default: yes.
    @ivar open: Whether everybody may read it who can reach the port; otherwise it
        takes a credential with the scope C{operator.metrics}.  Default: no.
    """

    enabled: bool = True
    open: bool = False


class CORS(Struct, frozen=True, kw_only=True):
    """
    Origins of the web pages that may use the gateway from a browser.

    @ivar allowedOrigins: Their origins, such as C{https://chat.example.com}; C{*} is
        any.  Default: none, so that no page can.
    """

    allowedOrigins: tuple[Origin, ...] = ()


class ChatCompletions(Struct, frozen=True, kw_only=True):
    """
    The endpoint C{/v1/chat/completions} and its companions below C{/v1}.

    @ivar enabled: Whether it is served.  Default: no.
    @ivar maxBodyBytes: The largest request body, in bytes.  Default: 20 MiB.
    @ivar bodyTimeoutSeconds: How long a whole body may take to arrive.
        Default: 30.
    @ivar keepAliveSeconds: After how much silence a stream gets a comment; 0 for
        never.  Default: 15.
    @ivar modelAliases: Model names that programs ask for, and the id of the agent
        that answers.  Default: none.
    @ivar sessionHeaders: The headers in which chat programs say which chat a request
        is a part of; each chat is a session.  Default: Open WebUI's.
    @ivar images: The images of requests.
    """

    enabled: bool = False
    maxBodyBytes: BodyBytes = 20_971_520
    bodyTimeoutSeconds: Seconds = 30
    keepAliveSeconds: SecondsOrZero = 15
    modelAliases: Mapping[str, AgentID] = {}
    sessionHeaders: tuple[HeaderName, ...] = ("x-openwebui-chat-id",)
    images: Images = Images()


class Endpoints(Struct, frozen=True, kw_only=True):
    """
    The HTTP endpoints that can be switched on.
    """

    chatCompletions: ChatCompletions = ChatCompletions()
    embeddings: Embeddings = Embeddings()
    metrics: Metrics = Metrics()


class HTTP(Struct, frozen=True, kw_only=True):
    """
    The HTTP side of the gateway's port.

    @ivar headerTimeoutSeconds: How long the headers of a request may take to arrive.
        Default: 10.
    @ivar maxConnections: The connections at once, if the operating system allows so
        many.  Default: 10000.
    @ivar maxConnectionsPerAddress: The connections of one other machine.
        Default: 1000.
    @ivar maxBodyBytesInFlight: The bytes of all request bodies at once.
        Default: 256 MiB.
    @ivar allowedHosts: The names by which the gateway may be called; for loopback
        these are beside IP addresses and C{localhost}.  Default: none, which for
        others than loopback is any.
    @ivar cors: Which web pages may use the gateway.
    """

    endpoints: Endpoints = Endpoints()
    headerTimeoutSeconds: Seconds = 10
    maxConnections: Amount = 10_000
    maxConnectionsPerAddress: Amount = 1000
    maxBodyBytesInFlight: AllBytes = 268_435_456
    allowedHosts: tuple[HostPattern, ...] = ()
    cors: CORS = CORS()


class Gateway(Struct, frozen=True, kw_only=True):
    """
    C{gateway}: where the daemon listens, and to whom.

    @ivar port: The TCP port; 0 for any free one.  Default: 18789.
    @ivar bind: C{loopback}, C{lan} (every interface), C{custom} (see
        C{customBindHost}) or an IP address.  Default: C{loopback}.
    @ivar customBindHost: The IP address for C{bind: custom}.  Default: none.
    @ivar trustedProxies: The proxies that are believed when they say for whom they
        ask: addresses, networks, and C{unix} for UNIX sockets.  Default: none.
    @ivar drainSeconds: How long runs in progress may go on after SIGTERM; 0 ends
        them at once.  Default: 25.
    @ivar workers: The processes that serve; see C{docs/workers.md}.  Default: 1.
    @ivar tools: What callers over HTTP may reach of an agent's tools.
    """

    port: Port = 18789
    bind: Bind = "loopback"
    customBindHost: Host | None = None
    auth: Auth = Auth()
    trustedProxies: tuple[ProxyAddress, ...] = ()
    tls: TLS = TLS()
    drainSeconds: SecondsOrZero = 25
    workers: Workers = 1
    http: HTTP = HTTP()
    tools: ReachableTools = ReachableTools()

    def interface(self) -> str:
        """
        The IP address to listen on.
        """
        if self.bind == "custom" and self.customBindHost is not None:
            return self.customBindHost
        return {"loopback": "127.0.0.1", "lan": "0.0.0.0"}.get(self.bind, self.bind)

    def onLoopback(self) -> bool:
        """
        Can nobody but this machine reach L{interface}?
        """
        return ip_address(self.interface()).is_loopback
