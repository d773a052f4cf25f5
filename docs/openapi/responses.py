"""
Schemas of response bodies.

The gateway writes these bodies elsewhere, some of them piece by piece; the docstrings
here are the descriptions in the document.  A member that may be C{UNSET} may be absent.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class ErrorDetail(Struct):
    """
    The description of an error.
    """

    message: str
    type: str
    param: str | None
    code: str | None


class Error(Struct):
    """
    The answer to a request that failed, on every path.
    """

    error: ErrorDetail


class CalledFunction(Struct):
    """
    The called function and its arguments: a JSON text that the model wrote.
    """

    name: str
    arguments: str


class ToolCallSchema(Struct):
    """
    A call of one of the client's tools.
    """

    id: str
    type: Literal["function"]
    function: CalledFunction
    extra_content: dict[str, Any] | UnsetType = UNSET


class AssistantAnswer(Struct):
    """
    The agent's message.
    """

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[ToolCallSchema] | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET


class Choice(Struct):
    """
    The only choice.
    """

    index: Literal[0]
    message: AssistantAnswer
    logprobs: None
    finish_reason: FinishReason


class PromptTokensDetails(Struct):
    """
    Prompt tokens that the provider had cached.
    """

    cached_tokens: int


class CompletionTokensDetails(Struct):
    """
    Completion tokens spent on reasoning.
    """

    reasoning_tokens: int


class CompletionUsage(Struct):
    """
    Usage of all model calls within a run.  If a provider reports none, it is estimated.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails
    estimated: bool | UnsetType = UNSET


class ChatCompletion(Struct):
    """
    A whole answer.
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    system_fingerprint: str


class FunctionDelta(Struct):
    """
    The name comes once; the pieces of the arguments are to be joined.
    """

    arguments: str
    name: str | UnsetType = UNSET


class ToolCallDelta(Struct):
    """
    A piece of a call.  All but the first have only the index and more arguments.
    """

    index: int
    function: FunctionDelta | UnsetType = UNSET
    extra_content: dict[str, Any] | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET


class Delta(Struct):
    """
    The new part of the message.
    """

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCallDelta] | UnsetType = UNSET


class ChunkChoice(Struct):
    """
    The only choice.
    """

    index: Literal[0]
    delta: Delta
    logprobs: None
    finish_reason: FinishReason | None


class AgentTool(Struct):
    """
    Progress of one of the agent's own tools.
    """

    id: str
    name: str
    status: Literal["started", "ok", "refused", "failed"]


class AgentProgress(Struct):
    """
    Progress of the agent before it answers; sent on request.
    """

    tool: AgentTool


class ChatCompletionChunk(Struct):
    """
    The data of each event of a stream, but the last one, which is [DONE]. A stream that
    fails has an Error as the one before.
    """

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | UnsetType = UNSET
    openclaw: AgentProgress | UnsetType = UNSET


class Embedding(Struct):
    """
    The vector of one input: numbers, or in base64 32-bit ones, little-endian.
    """

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Struct):
    """
    Tokens of the inputs.  If the provider does not report them, they are estimated.
    """

    prompt_tokens: int
    total_tokens: int
    estimated: bool | UnsetType = UNSET


class EmbeddingList(Struct):
    """
    The vectors, in the order of the inputs.
    """

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Model(Struct):
    """
    A model that a request can name.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: Literal["openclaw"]


class ModelList(Struct):
    """
    The models that the caller may use.
    """

    object: Literal["list"]
    data: list[Model]


class Run(Struct):
    """
    A run.  A finished one has its result or its error.
    """

    id: str
    object: Literal["run"]
    status: Literal["queued", "in_progress", "completed", "failed", "cancelled"]
    created: int
    agent: str
    session_key: str
    caller: str
    result: ChatCompletion | UnsetType | None = UNSET
    error: ErrorDetail | UnsetType | None = UNSET


class RunList(Struct):
    """
    The runs in progress that the caller may see.
    """

    object: Literal["list"]
    data: list[Run]


class Health(Struct):
    """
    The process lives.
    """

    ok: bool
    status: Literal["live"]


class Ready(Struct):
    """
    The readiness of the gateway.  C{failing} lists the reasons why it is not ready.
    """

    ok: bool
    ready: bool
    status: Literal["ready", "not ready"]
    uptimeMs: int
    failing: list[str]


class Index(Struct):
    """
    The description of the gateway, for people who open its address.
    """

    name: str
    message: str
    baseURL: str
    models: str
    health: str


class Started(Struct):
    """
    The start of the gateway.  C{failing} is there only with status 503: the reasons why
    it has not started, or why runs fail.
    """

    ok: bool
    status: Literal["started", "not started"]
    version: str
    uptimeMs: int
    failing: list[str] | UnsetType = UNSET


ANSWERS: tuple[Any, ...] = (
    ChatCompletion,
    ChatCompletionChunk,
    EmbeddingList,
    Error,
    Health,
    Index,
    Model,
    ModelList,
    Ready,
    Run,
    RunList,
    Started,
)
"""
The whole bodies: schemas that are not only parts of others.
"""
