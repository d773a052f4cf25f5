"""
The keys of C{models}: providers and their models.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from msgspec import Struct

from openclaw.config.secret import Secret
from openclaw.config.value_types import (
    BaseURL,
    ContextSize,
    Dialect,
    HeaderName,
    MaxTokensField,
    Modality,
    ModelID,
    Parallel,
    ParamName,
    ProviderName,
    ProxyURL,
    Seconds,
    ThinkingFormat,
    Threads,
    Tokens,
)

LOCAL_PROVIDER = "local"
"""
The provider name of the embedded model; no other provider can have it.
"""

LOCAL_MODEL = "smollm2-135m-instruct"
"""
The id of the embedded model that is distributed as a package.
"""


class ModelRef(Struct, frozen=True):
    """
    A reference to a model, written C{provider/id}.  The first C{/} separates, since
    model ids may contain more of them.

    @ivar provider: The name of an entry of C{models.providers}, or C{local}.
    @ivar model: The provider's own id of the model.
    """

    expectation: ClassVar[str] = 'a model as "provider/id"'

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """
        Parse C{provider/id}.

        @raise ValueError: The text does not have that form.
        """
        provider, slash, model = text.partition("/")
        if not (slash and provider and model) or text.split() != [text]:
            raise ValueError(f"expected {cls.expectation}")
        return cls(provider, model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ModelChoice(Struct, frozen=True, kw_only=True):
    """
    A model and its fallbacks.  In the file a plain string stands for C{primary} alone.

    @ivar primary: The model that is called first.
    @ivar fallbacks: The models that are called in turn when it fails.  Default: none.
    """

    shorthand: ClassVar[str] = "primary"
    expectation: ClassVar[str] = (
        'a model as "provider/id", or a mapping with "primary" and "fallbacks"'
    )

    primary: ModelRef
    fallbacks: tuple[ModelRef, ...] = ()


class Compat(Struct, frozen=True, kw_only=True):
    """
    Differences of a server, or of one model, from OpenAI's chat completions.  A key
    that is not given is looked up in L{openclaw.models.profile_table}.

    The names are OpenClaw's, but for C{contentBesideCalls}, C{requiresAlternation},
    C{seedField} and the last five.

    @ivar supportsStore: Accepts C{store}.
    @ivar supportsPromptCacheKey: Accepts C{prompt_cache_key}.
    @ivar supportsDeveloperRole: Takes the system prompt of reasoning models in the
        role C{developer}.
    @ivar supportsReasoningEffort: Accepts C{reasoning_effort}.
    @ivar supportsUsageInStreaming: Accepts C{stream_options}.
    @ivar supportsTools: Accepts C{tools}.
    @ivar supportsStrictMode: Accepts C{strict} in a tool.
    @ivar requiresStringContent: Takes text only as a string, not as a list of parts.
    @ivar strictMessageKeys: Refuses members of messages that OpenAI does not have.
    @ivar supportedReasoningEfforts: The values of C{reasoning_effort} that it has; the
        nearest is sent for others.
    @ivar reasoningEffortMap: Other words for values of C{reasoning_effort}.
    @ivar maxTokensField: The field for the limit of an answer.
    @ivar thinkingFormat: The form in which reasoning is switched on and off.
    @ivar requiresToolResultName: Wants the tool's name in a result.
    @ivar requiresAssistantAfterToolResult: Wants an assistant's message between a
        tool's result and a user's message.
    @ivar requiresThinkingAsText: Takes a model's thoughts back only as text.
    @ivar unopenedThinkTag: Begins its text with reasoning that C{</think>} ends and
        nothing begins.
    @ivar requiresReasoningContentOnAssistantMessages: Wants C{reasoning_content},
        empty if need be, in each assistant's message with tool calls.
    @ivar requiresMistralToolIds: Takes ids of tool calls of nine letters and digits.
    @ivar unsupportedToolSchemaKeywords: Keywords to leave out of the tools' JSON
        Schemas.
    @ivar contentBesideCalls: The C{content} beside tool calls if there is no text:
        C{empty} is C{""}, C{null} is C{null}, C{absent} leaves it out.
    @ivar requiresAlternation: Takes no two messages of one role in a row.
    @ivar seedField: The field for C{seed}.
    @ivar supportsToolChoice: Accepts C{tool_choice: required}.
    @ivar supportsNamedToolChoice: Accepts a C{tool_choice} that names a tool.
    @ivar supportsJsonObject: Accepts the C{response_format} C{json_object}.
    @ivar supportsJsonSchema: Accepts the C{response_format} C{json_schema}.
    @ivar supportsCacheControl: Accepts Anthropic's C{cache_control}.
    """

    supportsStore: bool | None = None
    supportsPromptCacheKey: bool | None = None
    supportsDeveloperRole: bool | None = None
    supportsReasoningEffort: bool | None = None
    supportsUsageInStreaming: bool | None = None
    supportsTools: bool | None = None
    supportsStrictMode: bool | None = None
    requiresStringContent: bool | None = None
    strictMessageKeys: bool | None = None
    supportedReasoningEfforts: tuple[str, ...] | None = None
    reasoningEffortMap: Mapping[str, str] | None = None
    maxTokensField: MaxTokensField | None = None
    thinkingFormat: ThinkingFormat | None = None
    requiresToolResultName: bool | None = None
    requiresAssistantAfterToolResult: bool | None = None
    requiresThinkingAsText: bool | None = None
    unopenedThinkTag: bool | None = None
    requiresReasoningContentOnAssistantMessages: bool | None = None
    requiresMistralToolIds: bool | None = None
    unsupportedToolSchemaKeywords: tuple[str, ...] | None = None
    contentBesideCalls: Literal["empty", "null", "absent"] | None = None
    requiresAlternation: bool | None = None
    seedField: ParamName | None = None
    supportsToolChoice: bool | None = None
    supportsNamedToolChoice: bool | None = None
    supportsJsonObject: bool | None = None
    supportsJsonSchema: bool | None = None
    supportsCacheControl: bool | None = None


class Model(Struct, frozen=True, kw_only=True):
    """
    A model of a provider.  In the file a plain string stands for C{id} alone.

    @ivar id: The provider's own id of the model.
    @ivar name: The display name.  Default: the id.
    @ivar contextWindow: The context window, in tokens.  Default: unknown.
    @ivar maxTokens: The limit of a completion, in tokens.  Default: unknown.
    @ivar input: The kinds of input.  Default: text.
    @ivar reasoning: It is a reasoning model.  Default: no.
    @ivar compat: What is special about it; goes before the provider's.
    @ivar dropParams: Fields that are not sent to it, beside the provider's.
    @ivar extraBody: Fields to add to each request to it, beside the provider's.
    """

    shorthand: ClassVar[str] = "id"
    expectation: ClassVar[str] = 'a model id, or a mapping with "id"'

    id: ModelID
    name: str | None = None
    contextWindow: Tokens | None = None
    maxTokens: Tokens | None = None
    input: tuple[Modality, ...] = ("text",)
    reasoning: bool = False
    compat: Compat = Compat()
    dropParams: tuple[ParamName, ...] = ()
    extraBody: Mapping[ParamName, Any] = {}


class Provider(Struct, frozen=True, kw_only=True):
    """
    A service that serves models.

    @ivar baseUrl: Its URL, such as C{https://api.example.com/v1}.
    @ivar apiKey: The API key.  Default: none is sent.
    @ivar api: The dialect: C{openai-completions}, which is the default,
        C{openai-responses}, C{anthropic-messages}, C{ollama}, C{google-generative-ai},
        or that of a plug-in.
    @ivar headers: HTTP headers to add to each request.  Default: none.
    @ivar proxy: The proxy for its requests, such as C{http://user:password@proxy:3128},
        or C{direct} for none.  Default: that of the environment, C{HTTPS_PROXY} and so
        on.
    @ivar connectTimeoutSeconds: The limit of connecting.  Default: 10.
    @ivar timeoutSeconds: The limit of the time between two bytes of a response.
        Default: 120.
    @ivar models: Its models.  Empty, the default, allows any model id.
    @ivar compat: What is special about it.  Default: looked up by its URL and name.
    @ivar dropParams: Fields of requests that are not sent to it.  Default: none.
    @ivar extraBody: Fields to add to the body of each request, in place of what is
        there under that name; C{null} removes it.  Default: none.
    """

    baseUrl: BaseURL
    apiKey: Secret | None = None
    api: Dialect = "openai-completions"
    headers: Mapping[HeaderName, Secret] = {}
    proxy: ProxyURL | None = None
    connectTimeoutSeconds: Seconds = 10
    timeoutSeconds: Seconds = 120
    models: tuple[Model, ...] = ()
    compat: Compat = Compat()
    dropParams: tuple[ParamName, ...] = ()
    extraBody: Mapping[ParamName, Any] = {}


class LocalModel(Struct, frozen=True, kw_only=True):
    """
    The embedded model, which runs in its own process.

    @ivar id: The id after C{local/}.  Default: L{LOCAL_MODEL}.
    @ivar modelPath: A GGUF file.  Default: the packaged weights.
    @ivar start: When to start the process: C{firstUse}, the default, or C{atOnce}.
    @ivar contextSize: The context window of each conversation, in tokens.  Default:
        4096.
    @ivar maxTokens: The limit of a completion if the request gives none, in tokens.
        Default: 512.
    @ivar parallel: The limit of concurrent completions.  Default: 2.
    @ivar threads: The processor threads to use.  Default: the engine's own choice.
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
    The providers of models.

    @ivar providers: Providers by name, the part of a model reference before the C{/}.
        The name C{local} is reserved.
    """

    providers: Mapping[ProviderName, Provider] = {}
    local: LocalModel = LocalModel()
