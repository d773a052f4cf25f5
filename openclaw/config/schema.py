"""
What can be configured: one Struct for each mapping of the file, with the same keys.

The defaults of the attributes are the built-in defaults.  A reader of these classes
can rely on every value: L{openclaw.config.checking} has converted and compared
them.  The whole of it is L{openclaw.config.root.Config}; what follows from several
keys together is in L{openclaw.config.agents} and L{openclaw.config.credentials}.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Literal

from msgspec import Struct

from openclaw.config.kinds import (
    AgentID,
    Amount,
    AmountOrZero,
    AuthMode,
    BaseURL,
    Bind,
    BodyBytes,
    ContextSize,
    Dialect,
    HeaderName,
    Host,
    Level,
    Modality,
    ModelID,
    Parallel,
    Port,
    ProviderName,
    Seconds,
    SecondsOrZero,
    Threads,
    Tokens,
)
from openclaw.config.secret import Secret
from openclaw.config.tools import ReachableTools, ToolPolicy

LOCAL_PROVIDER = "local"
"""
The name under which the embedded model is found; nobody else's.
"""

LOCAL_MODEL = "smollm2-135m-instruct"
"""
The id of the embedded model that comes as a package.
"""


class ModelRef(Struct, frozen=True):
    """
    A model and where it is.  Written C{provider/id}; the first C{/} is what
    separates, since a model id may hold more of them.

    @ivar provider: The name of an entry of C{models.providers}, or C{local}.
    @ivar model: The provider's own id of the model.
    """

    expectation: ClassVar[str] = 'a model as "provider/id"'

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """
        Read the written form.

        @raise ValueError: It is not of that form.
        """
        provider, slash, model = text.partition("/")
        if not (slash and provider and model) or text.split() != [text]:
            raise ValueError(f"expected {cls.expectation}")
        return cls(provider, model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ModelChoice(Struct, frozen=True, kw_only=True):
    """
    Which model to ask.  In the file a plain string stands for C{primary} alone.

    @ivar primary: The model that is asked first.
    @ivar fallbacks: The ones that are asked in turn when it fails.  Default: none.
    """

    shorthand: ClassVar[str] = "primary"
    expectation: ClassVar[str] = (
        'a model as "provider/id", or a mapping with "primary" and "fallbacks"'
    )

    primary: ModelRef
    fallbacks: tuple[ModelRef, ...] = ()


class Auth(Struct, frozen=True, kw_only=True):
    """
    What a caller must show; see L{openclaw.config.credentials} for what is in force.

    @ivar mode: The kind of credential, or C{None}: what is found decides.
    @ivar token: The bearer token.  Default: C{OPENCLAW_GATEWAY_TOKEN} from the
        environment, else a random one that is kept in the state directory.
    @ivar password: The password.  Default: C{OPENCLAW_GATEWAY_PASSWORD} from the
        environment.
    """

    mode: AuthMode | None = None
    token: Secret | None = None
    password: Secret | None = None


class TLS(Struct, frozen=True, kw_only=True):
    """
    TLS on the gateway's port: both files, or neither.

    @ivar certPath: The certificate and its chain, PEM.  Default: no TLS.
    @ivar keyPath: The private key, PEM.  Default: no TLS.
    """

    certPath: Path | None = None
    keyPath: Path | None = None


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
    """

    enabled: bool = False
    maxBodyBytes: BodyBytes = 20_971_520
    bodyTimeoutSeconds: Seconds = 30
    keepAliveSeconds: SecondsOrZero = 15
    modelAliases: Mapping[str, AgentID] = {}


class Endpoints(Struct, frozen=True, kw_only=True):
    """
    The HTTP endpoints that can be switched on.
    """

    chatCompletions: ChatCompletions = ChatCompletions()


class HTTP(Struct, frozen=True, kw_only=True):
    """
    The HTTP side of the gateway's port.
    """

    endpoints: Endpoints = Endpoints()


class Gateway(Struct, frozen=True, kw_only=True):
    """
    The door: where the daemon listens, and to whom.

    @ivar port: The TCP port; 0 for any free one.  Default: 18789.
    @ivar bind: C{loopback}, C{lan} (every interface), C{custom} (see
        C{customBindHost}) or an IP address.  Default: C{loopback}.
    @ivar customBindHost: The IP address for C{bind: custom}.  Default: none.
    @ivar drainSeconds: How long runs in progress may go on after SIGTERM; 0 ends
        them at once.  Default: 25.
    @ivar tools: What callers over HTTP may reach of an agent's tools.
    """

    port: Port = 18789
    bind: Bind = "loopback"
    customBindHost: Host | None = None
    auth: Auth = Auth()
    tls: TLS = TLS()
    drainSeconds: SecondsOrZero = 25
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


class AgentDefaults(Struct, frozen=True, kw_only=True):
    """
    What holds for each agent that does not say otherwise, and the limits for all.

    @ivar model: The model to ask.  Default: the embedded one, that is C{local/}
        and L{LocalModel.id}.
    @ivar workspace: The agent's directory.  Default: none.
    @ivar systemPrompt: The agent's own instructions.  Default: none.
    @ivar timeoutSeconds: How long a run may take in all.  Default: 600.
    @ivar maxModelCalls: How often a run may ask a model.  Default: 25.
    @ivar tools: The tools of an agent.  Default: none.
    @ivar maxConcurrent: The runs at once in the whole gateway.  Default: 256.
    @ivar maxQueued: The runs that may wait for a place.  Default: 256.
    """

    model: ModelChoice | None = None
    workspace: Path | None = None
    systemPrompt: str | None = None
    timeoutSeconds: Seconds = 600
    maxModelCalls: Amount = 25
    tools: ToolPolicy = ToolPolicy()
    maxConcurrent: Amount = 256
    maxQueued: AmountOrZero = 256


class AgentEntry(Struct, frozen=True, kw_only=True):
    """
    An agent.  What is C{None} comes from L{AgentDefaults}.

    @ivar default: Is this the agent for callers who name none?  At most one is.
    @ivar name: A name for people.  Default: the id.
    """

    default: bool = False
    name: str | None = None
    model: ModelChoice | None = None
    systemPrompt: str | None = None
    workspace: Path | None = None
    timeoutSeconds: Seconds | None = None
    maxModelCalls: Amount | None = None
    tools: ToolPolicy = ToolPolicy()


class ListedAgent(AgentEntry, frozen=True, kw_only=True):
    """
    An agent of C{agents.list}.

    @ivar id: Its id, in lower case.
    """

    id: AgentID


class Agents(Struct, frozen=True, kw_only=True):
    """
    The agents.  Both forms may be used side by side; no id may come twice.

    @ivar list: The older form: each agent with its id.
    @ivar entries: The newer form: agents by their id, in lower case.
    """

    defaults: AgentDefaults = AgentDefaults()
    list: tuple[ListedAgent, ...] = ()
    entries: Mapping[AgentID, AgentEntry] = {}


class Model(Struct, frozen=True, kw_only=True):
    """
    A model of a provider.  In the file a plain string stands for C{id} alone.

    @ivar id: The provider's own id of it.
    @ivar name: A name for people.  Default: the id.
    @ivar contextWindow: How much it can read, in tokens.  Default: unknown.
    @ivar maxTokens: The most it can answer, in tokens.  Default: unknown.
    @ivar input: What it can read.  Default: text.
    @ivar reasoning: Does it think aloud before it answers?  Default: no.
    """

    shorthand: ClassVar[str] = "id"
    expectation: ClassVar[str] = 'a model id, or a mapping with "id"'

    id: ModelID
    name: str | None = None
    contextWindow: Tokens | None = None
    maxTokens: Tokens | None = None
    input: tuple[Modality, ...] = ("text",)
    reasoning: bool = False


class Provider(Struct, frozen=True, kw_only=True):
    """
    A service that has models.

    @ivar baseUrl: Where it is, such as C{https://api.example.com/v1}.
    @ivar apiKey: The key to show it.  Default: none is shown.
    @ivar api: The dialect it speaks: C{openai-completions}, which is the default,
        C{openai-responses}, C{anthropic-messages}, C{ollama},
        C{google-generative-ai}, or that of a plug-in.
    @ivar headers: HTTP headers to add to each request.  Default: none.
    @ivar connectTimeoutSeconds: How long connecting may take.  Default: 10.
    @ivar timeoutSeconds: The longest silence between two bytes of an answer.
        Default: 120.
    @ivar models: What it has.  Empty, the default, stands for any model id.
    """

    baseUrl: BaseURL
    apiKey: Secret | None = None
    api: Dialect = "openai-completions"
    headers: Mapping[HeaderName, Secret] = {}
    connectTimeoutSeconds: Seconds = 10
    timeoutSeconds: Seconds = 120
    models: tuple[Model, ...] = ()


class LocalModel(Struct, frozen=True, kw_only=True):
    """
    The embedded model, which runs in a process of its own.

    @ivar id: Its id behind C{local/}.  Default: L{LOCAL_MODEL}.
    @ivar modelPath: A GGUF file.  Default: the packaged weights.
    @ivar start: When its process starts: C{firstUse}, the default, or C{atOnce}.
    @ivar contextSize: How much each of its conversations can hold, in tokens.
        Default: 4096.
    @ivar maxTokens: The longest answer where a request names no limit, in tokens.
        Default: 512.
    @ivar parallel: How many answers it works on at once.  Default: 2.
    @ivar threads: The processor threads it uses.  Default: its own choice.
    """

    id: ModelID = LOCAL_MODEL
    modelPath: Path | None = None
    start: Literal["firstUse", "atOnce"] = "firstUse"
    contextSize: ContextSize = 4096
    maxTokens: Tokens = 512
    parallel: Parallel = 2
    threads: Threads | None = None


class Models(Struct, frozen=True, kw_only=True):
    """
    Where models are.

    @ivar providers: Services by the name that stands before the C{/} of a model.
        The name C{local} is taken.
    """

    providers: Mapping[ProviderName, Provider] = {}
    local: LocalModel = LocalModel()


class Session(Struct, frozen=True, kw_only=True):
    """
    Conversations that are kept.

    @ivar store: The SQLite file.  Default: C{sessions.sqlite} in the state
        directory.
    @ivar waitSeconds: The longest wait for a session that has a run.  Default: 60.
    @ivar maxWaiting: The runs that may wait for one session.  Default: 16.
    """

    store: Path | None = None
    waitSeconds: SecondsOrZero = 60
    maxWaiting: AmountOrZero = 16


class Logging(Struct, frozen=True, kw_only=True):
    """
    The daemon's log.

    @ivar level: The least important lines that are written.  Default: C{info}.
    """

    level: Level = "info"


__all__ = [
    "HTTP",
    "LOCAL_MODEL",
    "LOCAL_PROVIDER",
    "TLS",
    "AgentDefaults",
    "AgentEntry",
    "Agents",
    "Auth",
    "ChatCompletions",
    "Endpoints",
    "Gateway",
    "ListedAgent",
    "LocalModel",
    "Logging",
    "Model",
    "ModelChoice",
    "ModelRef",
    "Models",
    "Provider",
    "Session",
]
