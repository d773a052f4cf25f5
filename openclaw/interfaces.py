"""
Every zope Interface of OpenClaw: the parts that can be replaced.

Methods that can take time return a Deferred.  Arguments and results are those of
L{openclaw.messages}, L{openclaw.events} and L{openclaw.errors}.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from twisted.cred.credentials import ICredentials
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

from openclaw.events import ModelListener
from openclaw.messages import FinishReason, Message, Thought, ToolCall, Usage


class Sampling(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Sampling parameters, with the names, ranges and meanings of OpenAI's chat
    completions, and C{top_k} and C{min_p} of other servers.  C{None} is not sent.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None
    response_format: Mapping[str, Any] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    parallel_tool_calls: bool | None = None
    top_k: int | None = None
    min_p: float | None = None
    service_tier: str | None = None
    verbosity: str | None = None
    metadata: Mapping[str, Any] | None = None
    store: bool | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class ToolSpec(msgspec.Struct, frozen=True):
    """
    The description of a tool for a model.

    @ivar parameters: The JSON Schema of the arguments, which are an object.
    @ivar strict: OpenAI's C{strict}: the arguments must follow the schema exactly.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool | None = None


class NamedTool(msgspec.Struct, frozen=True):
    """
    The requirement that the model calls this tool.
    """

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool
"""
OpenAI's C{tool_choice}; C{required} means at least one call of any tool.
"""


class ModelRequest(msgspec.Struct, frozen=True):
    """
    A request to a model.

    @ivar model: The provider's id of the model.
    @ivar system: The system prompt; may be empty.
    @ivar messages: The conversation, oldest first.
    @ivar tools: The tools that the model may call.
    @ivar maxOutputTokens: The model's output limit, if it is configured; some dialects
        require a limit.
    @ivar contextWindow: The model's context window in tokens, if it is configured.
    @ivar reasoning: Whether the model is known to reason before it answers.
    @ivar caller: The key by which a provider with a queue shares its capacity; see
        L{ICaller.shareKey}.
    @ivar cacheKey: The key of the provider's prompt cache, the same for all requests of
        a conversation; may be empty.
    """

    model: str
    system: str
    messages: Sequence[Message]
    sampling: Sampling = Sampling()
    tools: Sequence[ToolSpec] = ()
    toolChoice: ToolChoice = "auto"
    maxOutputTokens: int | None = None
    contextWindow: int | None = None
    reasoning: bool = False
    caller: str = ""
    cacheKey: str = ""


class ModelReply(msgspec.Struct, frozen=True):
    """
    A model's complete reply.

    @ivar text: The text of all L{openclaw.events.TextDelta}s, without a thought at its
        beginning of which only the end is marked.
    @ivar toolCalls: The calls of all L{openclaw.events.ToolCallDelta}s.
    @ivar thoughts: The reasoning that the provider requires back in the next request.
    @ivar refusal: The text of all L{openclaw.events.RefusalDelta}s.
    """

    text: str
    finishReason: FinishReason
    usage: Usage
    toolCalls: Sequence[ToolCall] = ()
    thoughts: Sequence[Thought] = ()
    refusal: str = ""


class IModelCall(IPushProducer):
    """
    A call of a model in progress.

    Pausing it stops reading from the upstream socket, so that a slow client does not
    fill the memory.
    """

    done: "Deferred[ModelReply]" = Attribute(
        """
        A L{Deferred} that fires once: with a L{ModelReply} after the last event, or
        with an L{openclaw.errors.OpenClawError}.
        """
    )

    usage: Usage = Attribute(
        """
        The token counts that the provider has reported so far.  They are valid at any
        time, also after a failure: a truncated answer is charged, too.
        """
    )

    ignoredParams: Sequence[str] = Attribute(
        """
        The fields of the request that are not sent, since this model would reject or
        ignore them, by OpenAI's names.  Valid as soon as the call exists.
        """
    )

    def cancel() -> None:
        """
        Close the upstream socket immediately, in any phase of the call.  No event
        follows, and C{done} fails with L{openclaw.errors.RunCancelled}.  Does nothing
        after C{done} has fired.
        """


class IModelProvider(Interface):
    """
    A provider of models, one for each entry of C{models.providers}.
    """

    name: str = Attribute(
        """
        The name before the C{/} in C{provider/model}.
        """
    )

    def ask(request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Call a model.  The call's C{done} reports failures of the provider; this method
        raises only for programming errors.

        @param listener: Called with each batch of events, synchronously, during the
            reactor's read of the upstream socket.
        """

    def close() -> "Deferred[None]":
        """
        Close pooled connections and child processes as soon as no call needs them.
        """


Vector = bytes | Sequence[float]
"""
An embedding: its numbers, or their bytes as in OpenAI's base64 form, little-endian and
32 bits each.
"""


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """
    Texts to embed.

    @ivar model: The provider's id of the model.
    @ivar inputs: The texts, each as a string or as the model's tokens; none is empty.
    @ivar dimensions: The length of the vectors; C{None} is the model's default.
    @ivar base64: Whether the caller requested base64, so that bytes suffice.
    @ivar caller: As in L{ModelRequest}.
    """

    model: str
    inputs: Sequence[str | Sequence[int]]
    dimensions: int | None = None
    base64: bool = False
    caller: str = ""


class EmbeddingReply(msgspec.Struct, frozen=True):
    """
    The embeddings of texts.

    @ivar vectors: One for each input, in the same order, all of the same length.
    @ivar promptTokens: The tokens of the inputs; 0 if the provider does not report
        them.
    @ivar estimated: C{promptTokens} is an estimate.
    """

    vectors: Sequence[Vector]
    promptTokens: int
    estimated: bool = False


class IEmbedder(Interface):
    """
    A provider of models that can also embed texts.
    """

    def embed(request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Embed texts.

        @return: Fails with an L{openclaw.errors.OpenClawError}.  Cancelling it closes
            the upstream socket immediately.
        """


class IModelProviderMaker(IPlugin):
    """
    A factory of providers, selected by C{models.providers.<name>.api}.
    L{twisted.plugin} finds makers in C{openclaw.plugins}.
    """

    api: str = Attribute(
        """
        The maker's name in the configuration: lower-case letters, digits and C{-}.
        """
    )

    def makeProvider(
        name: str, settings: Any, reactor: Any, log: Logger
    ) -> IModelProvider:
        """
        Make a provider.  It must not connect before its first call.

        @param name: The provider's name in the configuration.
        @param settings: The provider's configuration, an L{openclaw.config.Provider}.
        @param reactor: A full reactor: time, TCP, processes and threads.
        @param log: For the provider's own errors; never for keys or texts.

        @raise ValueError: The settings are invalid; the message gives the reason.
        """


class ToolError(Exception):
    """
    A tool call failed.  The model gets a result with C{isError} and this text, and the
    run continues.
    """


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """
    The environment of a tool call.

    @ivar namespace: The namespace of the sessions that the run may read; see
        L{ICaller}.
    @ivar reactor: A full reactor: time, TCP, processes and threads.
    @ivar workspace: The agent's directory, or C{None} if it has none.
    @ivar sessions: The session store, for reading.
    @ivar settings: The settings under C{tools.<name>} of the configuration.
    @ivar log: For the tool's own errors; never for arguments or results.
    @ivar shareKey: The key by which threads are shared; see L{ICaller}.
    """

    agentID: str
    sessionKey: str
    runID: str
    workspace: Path | None
    reactor: Any
    sessions: "ISessionStore"
    settings: Any
    log: Logger
    namespace: str = ""
    shareKey: str = ""


class ITool(IPlugin):
    """
    A tool of agents.  L{twisted.plugin} finds tools in C{openclaw.plugins}; one object
    serves all runs concurrently.
    """

    name: str = Attribute(
        """
        The function name for the model: letters, digits, C{_} and C{-}.
        """
    )

    description: str = Attribute(
        """
        The tool's purpose and use, for the model.  Lists show the first line.
        """
    )

    parameters: Mapping[str, Any] = Attribute(
        """
        The JSON Schema of the arguments, which are an object.  Arguments are validated
        before C{run} is called.
        """
    )

    readOnly: bool = Attribute(
        """
        Whether calls change nothing, so that they may run concurrently and be repeated.
        """
    )

    def run(arguments: Mapping[str, Any], context: ToolContext) -> "Deferred[str]":
        """
        Run the tool.

        @return: The result for the model.  Fails with L{ToolError} for errors that the
            model should see.  Cancelling it stops the work, and leaves no process,
            socket or partly written file behind.
        """


class Claim(msgspec.Struct, frozen=True):
    """
    A run's exclusive claim on a session.  While it is held, no other run in any process
    can begin a turn of that session.
    """

    sessionKey: str
    runID: str


class Summary(msgspec.Struct, frozen=True):
    """
    A summary of the oldest part of a transcript that exceeds a model's context window.

    @ivar messageCount: The number of messages that it replaces, from the first one on.
    """

    text: str
    messageCount: int


class Conversation(msgspec.Struct, frozen=True):
    """
    A session at the beginning of a turn.

    @ivar messages: The messages after the summary, oldest first.
    @ivar summary: The newest summary of the messages before, if there is one.
    @ivar skipped: The number of oldest messages after the summary that were not loaded,
        because they exceed the limit.
    """

    messages: Sequence[Message]
    summary: Summary | None = None
    skipped: int = 0


class Outline(msgspec.Struct, frozen=True):
    """
    The assistant's messages at the end of a session.

    @ivar messages: The newest messages, oldest first; if they are not all, the first is
        a user's.  Users' messages are empty, and tool results are left out.
    @ivar complete: Whether the session has no older messages.
    @ivar first: The first message of the session, if it is a user's and short.
    @ivar size: The characters that were read for this.
    """

    messages: Sequence[Message] = ()
    complete: bool = True
    first: Message | None = None
    size: int = 0


class Tail(msgspec.Struct, frozen=True):
    """
    The end of a session.

    @ivar agentID: The session's agent; C{None} if the session does not exist.
    @ivar messageCount: The number of messages in the transcript.
    @ivar messages: The newest of them, oldest first.  A long one may have only the
        beginning of its text, no calls, and images without data.
    """

    agentID: str | None = None
    messageCount: int = 0
    messages: Sequence[Message] = ()


class SessionInfo(msgspec.Struct, frozen=True):
    """
    An entry in a list of sessions.

    @ivar messageCount: The number of messages in the transcript.
    @ivar createdAt: Seconds since the epoch.
    @ivar updatedAt: Seconds since the epoch.
    """

    sessionKey: str
    agentID: str
    messageCount: int
    createdAt: float
    updatedAt: float


class ISessionStore(Interface):
    """
    A store of transcripts, which are append-only: messages are never rewritten.

    Each method is one transaction.  Once its Deferred has fired, its writes survive a
    crash of the process.  All fail with L{openclaw.errors.StoreError} if the store
    fails or is not open.

    Cancelling such a Deferred ends the wait, not the transaction.  Callers that need to
    know whether a claim was taken must let C{beginTurn} finish.
    """

    def open() -> "Deferred[None]":
        """
        Open the store, and create or migrate its schema.  Fails if the schema is newer
        than this program.
        """

    def close() -> "Deferred[None]":
        """
        Finish the transactions in progress, release the claims of this object, and
        close its threads, files and sockets.  Does nothing if the store is not open.
        """

    def beginTurn(
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> "Deferred[Conversation | None]":
        """
        Claim a session and append the caller's messages.

        @param opening: The messages to append to a new or empty session.
        @param following: The messages to append to a session with messages.

        @param agentID: The agent of a new session.  It never changes.

        @return: The conversation with the new messages at its end.  It does not include
            messages that the newest summary replaces, and of the older messages only
            the newest within L{openclaw.sessions.store.validation.MAX_LOADED_BYTES} and
            C{MAX_LOADED_MESSAGES}.  C{None}, with nothing written, if any run holds the
            session, even this one.  Fails with L{openclaw.errors.InvalidRequest}, with
            nothing written and no claim taken, if an appended tool result has no
            unanswered call.
        """

    def endTurn(
        claim: Claim, messages: Sequence[Message], summary: Summary | None = None
    ) -> "Deferred[None]":
        """
        Append the run's messages (none, for a failed run) and release the claim.
        Without the claim nothing is written, and the Deferred fails.

        @param summary: A new summary, which may include messages that are appended now.
            The transcript keeps the messages that it replaces.
        """

    def renew(claims: Sequence[Claim]) -> "Deferred[None]":
        """
        Extend these claims.  A claim that is not renewed for C{leaseSeconds}, or whose
        process is known to be dead, can be taken over.  Renewing a claim that was taken
        over has no effect; one that merely expired becomes valid again.
        """

    leaseSeconds: float = Attribute(
        """
        The life of a claim that is not renewed, in seconds.
        """
    )

    def transcript(sessionKey: str) -> "Deferred[Sequence[Message]]":
        """
        Return all messages of a session, oldest first; none for an unknown one.
        """

    def outline(sessionKey: str) -> "Deferred[Outline]":
        """
        Return the assistant's newest messages of a session: whole answers, with a total
        of about L{openclaw.sessions.store.outlines.OUTLINE_CHARACTERS}.
        """

    def tail(sessionKey: str, limit: int) -> "Deferred[Tail]":
        """
        Return the newest messages of a session, without reading the rest.

        @param limit: The number of messages; fewer are returned if they are long.
        """

    def sessions(
        agentID: str | None = None, prefix: str = "", limit: int | None = None
    ) -> "Deferred[Sequence[SessionInfo]]":
        """
        List sessions, the most recently used first, without reading transcripts.

        @param agentID: The agent; C{None} for all.

        @param prefix: The beginning of the keys.

        @param limit: The number of sessions; C{None} for all.
        """

    fault: "str | None" = Attribute(
        """
        The reason why turns can't be stored, in a few words for operators; C{None} if
        they can.
        """
    )

    def probe() -> "Deferred[None]":
        """
        Update C{fault}: check whether it has ended, or whether the store has failed
        since.  Never fails.
        """


class IBearerToken(ICredentials):
    """
    The secret of an C{Authorization: Bearer} header, as it was sent.
    """

    token: bytes = Attribute("")


class INamedToken(ICredentials):
    """
    The secret of an C{Authorization: Bearer} header that may be a named token.
    """

    token: bytes = Attribute("")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """
    Limits of a caller; C{None} is no limit.

    @ivar requestsPerMinute: The number of requests in any 60 seconds.
    """

    concurrentRuns: int | None = None
    requestsPerMinute: int | None = None


class ICaller(Interface):
    """
    The avatar of an authenticated caller, with its permissions.
    """

    label: str = Attribute(
        """
        A name for logs.  Never a secret.
        """
    )

    namespace: str = Attribute(
        """
        The namespace of the sessions that the caller may use, such as C{token:ci} or
        C{user:ann}.  The operator's is empty, and permits all sessions.
        """
    )

    quota: Quota = Attribute(
        """
        The limits of all callers with this label together.
        """
    )

    shareKey: str = Attribute(
        """
        The key by which the gateway's resources are shared fairly: the label of a token
        or user; the address of a caller with the shared secret or without a credential.
        """
    )

    def hasScope(scope: str) -> bool:
        """
        Return whether the caller has a scope such as C{operator.write}.
        """

    def mayUse(agentID: str) -> bool:
        """
        Return whether the caller may run the agent.
        """

    def mayNameModel(model: str, *, isOwn: bool) -> bool:
        """
        Return whether the caller may name a model in C{x-openclaw-model}.

        @param model: C{provider/id}.

        @param isOwn: Whether it is configured for one of the caller's agents.
        """

    def withScopes(scopes: Sequence[str]) -> "ICaller":
        """
        Return the same caller with no other scopes than these.
        """
