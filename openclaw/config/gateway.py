"""
The keys of C{gateway}.  L{openclaw.config.gateway_credential} finds the effective
credential.
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
    Limits of failed authentications from one address.

    @ivar maxAttempts: Failures in one window that lock the address out.  Default: 10.
    @ivar windowMs: The window, in milliseconds.  Default: 60,000.
    @ivar lockoutMs: The lockout, in milliseconds.  Default: 300,000.
    @ivar exemptLoopback: Never lock out loopback addresses.  Default: yes.
    """

    maxAttempts: Amount = 10
    windowMs: Milliseconds = 60_000
    lockoutMs: Milliseconds = 300_000
    exemptLoopback: bool = True


class TrustedProxy(Struct, frozen=True, kw_only=True):
    """
    The identity headers of a proxy, for C{mode: trusted-proxy}.

    @ivar userHeader: The header with the user's name.  Default: none.
    @ivar requiredHeaders: Further headers that a request must have.  Default: none.
    @ivar allowUsers: The users that may authenticate.  Default: all.
    """

    userHeader: HeaderName | None = None
    requiredHeaders: tuple[HeaderName, ...] = ()
    allowUsers: tuple[str, ...] = ()


class Auth(Struct, frozen=True, kw_only=True):
    """
    Authentication; see L{openclaw.config.gateway_credential} for the effective
    credential.

    @ivar mode: The kind of credential.  Default: by the credentials that are
        configured.
    @ivar token: The bearer token.  Default: C{OPENCLAW_GATEWAY_TOKEN} from the
        environment, else a random one, stored in the state directory.
    @ivar password: The password.  Default: C{OPENCLAW_GATEWAY_PASSWORD} from the
        environment.
    @ivar rateLimit: Limits of failed authentications.
    @ivar trustedProxy: Settings of the mode C{trusted-proxy}.
    """

    mode: AuthMode | None = None
    token: Secret | None = None
    password: Secret | None = None
    rateLimit: RateLimit = RateLimit()
    trustedProxy: TrustedProxy = TrustedProxy()


class TLS(Struct, frozen=True, kw_only=True):
    """
    TLS on the gateway's port.  Both files, or neither.

    @ivar certPath: The certificate and its chain, PEM.  Default: no TLS.
    @ivar keyPath: The private key, PEM.  Default: no TLS.
    """

    certPath: Path | None = None
    keyPath: Path | None = None


class Embeddings(Struct, frozen=True, kw_only=True):
    """
    The endpoint C{/v1/embeddings}, which is only served with C{/v1/chat/completions}.

    @ivar enabled: Serve it.  Default: yes.
    @ivar maxConcurrent: The limit of concurrent requests; further ones are rejected.
        Default: 32.
    """

    enabled: bool = True
    maxConcurrent: Amount = 32


class Images(Struct, frozen=True, kw_only=True):
    """
    Images in a request: inline, or by URL for the gateway to fetch.

    @ivar allowUrl: Fetch images by URL.  Default: no.
    @ivar urlAllowlist: The hosts to fetch from; C{*.example.com} is every host below
        C{example.com}, but not itself.  Default: any on the public Internet.
    @ivar maxBytes: The limit of an image, inline or fetched, in bytes.  Default: 10
        MiB.
    @ivar timeoutSeconds: The limit of a fetch, including redirects.  Default: 10.
    """

    allowUrl: bool = False
    urlAllowlist: tuple[HostPattern, ...] = ()
    maxBytes: Bytes = 10_485_760
    timeoutSeconds: Seconds = 10

    def allowsHost(self, host: str) -> bool:
        """
        Return whether C{urlAllowlist} permits this host.  It does not look at
        C{allowUrl}.
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

    @ivar enabled: Serve it.  Default: yes.
    @ivar open: Serve it without authentication; otherwise it takes a credential with
        the scope C{operator.metrics}.  Default: no.
    """

    enabled: bool = True
    open: bool = False


class CORS(Struct, frozen=True, kw_only=True):
    """
    The origins of web pages that may call the gateway from a browser.

    @ivar allowedOrigins: Origins such as C{https://chat.example.com}; C{*} is any.
        Default: none.
    """

    allowedOrigins: tuple[Origin, ...] = ()


class ChatCompletions(Struct, frozen=True, kw_only=True):
    """
    The endpoint C{/v1/chat/completions} and the others below C{/v1}.

    @ivar enabled: Serve it.  Default: no.
    @ivar maxBodyBytes: The limit of a request body, in bytes.  Default: 20 MiB.
    @ivar bodyTimeoutSeconds: The time in which a body must arrive.  Default: 30.
    @ivar keepAliveSeconds: The silence after which a stream gets a comment; 0 for
        never. Default: 15.
    @ivar modelAliases: Names that requests may give as C{model}, and the agent's id for
        each.  Default: none.
    @ivar sessionHeaders: Headers in which chat clients send the id of a chat; each chat
        is a session.  Default: Open WebUI's.
    @ivar images: Images in requests.
    """

    enabled: bool = False
    maxBodyBytes: BodyBytes = 20_971_520
    bodyTimeoutSeconds: Seconds = 30
    keepAliveSeconds: SecondsOrZero = 15
    modelAliases: Mapping[str, AgentID] = {}
    sessionHeaders: tuple[HeaderName, ...] = ("x-openwebui-chat-id",)
    images: Images = Images()


class Endpoints(Struct, frozen=True, kw_only=True):
    chatCompletions: ChatCompletions = ChatCompletions()
    embeddings: Embeddings = Embeddings()
    metrics: Metrics = Metrics()


class HTTP(Struct, frozen=True, kw_only=True):
    """
    Limits of HTTP connections and requests.

    @ivar headerTimeoutSeconds: The time in which a request's headers must arrive.
        Default: 10.
    @ivar maxConnections: The limit of concurrent connections, unless the operating
        system's is lower.  Default: 10000.
    @ivar maxConnectionsPerAddress: The limit of connections from one address that is
        not loopback. Default: 1000.
    @ivar maxBodyBytesInFlight: The limit of all request bodies together, in bytes.
        Default: 256 MiB.
    @ivar allowedHosts: Names that a C{Host} header may have.  On loopback, IP addresses
        and C{localhost} are allowed as well.  Default: none, which allows any name on
        other interfaces.
    @ivar cors: Access for web pages.
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
    C{gateway}: the port and access to it.

    @ivar port: The TCP port; 0 for any free one.  Default: 18789.
    @ivar bind: C{loopback}, C{lan} (every interface), C{custom} (see C{customBindHost})
        or an IP address.  Default: C{loopback}.
    @ivar customBindHost: The IP address for C{bind: custom}.  Default: none.
    @ivar trustedProxies: Proxies whose identity headers are trusted: addresses,
        networks, and C{unix} for UNIX sockets.  Default: none.
    @ivar drainSeconds: The time that runs in progress have to end after SIGTERM; 0
        cancels them at once.  Default: 25.
    @ivar workers: The number of worker processes; see C{docs/workers.md}.  Default: 1.
    @ivar tools: The tools that runs of HTTP requests may use.
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
        if self.bind == "custom" and self.customBindHost is not None:
            return self.customBindHost
        return {"loopback": "127.0.0.1", "lan": "0.0.0.0"}.get(self.bind, self.bind)

    def onLoopback(self) -> bool:
        return ip_address(self.interface()).is_loopback
