"""
Every zope Interface of OpenClaw: the parts that can be replaced.

Methods that can take time return a Deferred.  What is given to them and what
comes back is the vocabulary of L{openclaw.messages}, L{openclaw.events} and
L{openclaw.errors}.
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
    Sampling parameters. The names, ranges and meanings are those of OpenAI's chat
    completions, and of the servers that have C{top_k} and C{min_p}; a field that is
    C{None} is not sent.
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
    A tool as a model sees it.

    @ivar parameters: The JSON Schema of its arguments, an object's.
    @ivar strict: OpenAI's wish that arguments follow the schema to the letter.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool | None = None


class NamedTool(msgspec.Struct, frozen=True):
    """
    The wish that the model calls this one tool.
    """

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool
"""
The tools that a model may call; C{required} means any of them, but one.
"""


class ModelRequest(msgspec.Struct, frozen=True):
    """
    One question to a model.

    @ivar model: The provider's own id of the model.
    @ivar system: The system prompt, or the empty string for none.
    @ivar messages: The conversation, oldest first.
    @ivar tools: What the model may call.
    @ivar maxOutputTokens: The most that this model can answer, where that is
        configured; some dialects must name a bound.
    @ivar contextWindow: How much this model can read, in tokens, where that is
        configured.
    @ivar reasoning: The model is known to think before it answers.
    @ivar caller: For a provider in which calls wait for each other: among whom to
        take turns; see L{ICaller.shareKey}.
    @ivar cacheKey: The same for all requests of one conversation, so that a provider
        finds what it has cached; empty for none.
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
    A model's answer.

    @ivar text: All of the answer: the L{openclaw.events.TextDelta}s, joined.
    @ivar toolCalls: The calls that the L{openclaw.events.ToolCallDelta}s add up to.
    @ivar thoughts: What the provider wants back in the next request.
    """

    text: str
    finishReason: FinishReason
    usage: Usage
    toolCalls: Sequence[ToolCall] = ()
    thoughts: Sequence[Thought] = ()


class IModelCall(IPushProducer):
    """
    One question on its way to a model and back.

    Pausing stops the reading of the upstream socket, so that a reader who is slow
    makes the model wait instead of filling memory.
    """

    done: "Deferred[ModelReply]" = Attribute(
        """
        A L{Deferred} that fires once: with a L{ModelReply} after the last event,
        or with an L{openclaw.errors.OpenClawError}.
        """
    )

    usage: Usage = Attribute(
        """
        The tokens spent, as far as the provider has reported them.  It is valid at any
        time, also after a failure: an answer that broke off has its price.
        """
    )

    ignoredParams: Sequence[str] = Attribute(
        """
        The fields of the request that are not sent, since this model would refuse or
        ignore them, by OpenAI's names.  Valid as soon as the call is made.
        """
    )

    def cancel() -> None:
        """
        Stop the model: close the upstream socket now, in whatever phase the call
        is.  No event follows, and C{done} fails with
        L{openclaw.errors.RunCancelled}.  Does nothing once C{done} has fired.
        """


class IModelProvider(Interface):
    """
    A provider of models. One for each entry of C{models.providers}.
    """

    name: str = Attribute(
        """
        The name that stands before the C{/} in C{provider/model}.
        """
    )

    def ask(request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Ask a model.  Failures of the provider are reported through the call's
        C{done}; this method raises only for programming errors.

        @param listener: Called with each batch of events, synchronously, from
            within the reactor's read of the upstream socket.
        """

    def close() -> "Deferred[None]":
        """
        Let go of what is idle (pooled connections, a child process) as soon as no
        call needs it.
        """


Vector = bytes | Sequence[float]
"""
An embedding: its numbers, or the same as OpenAI's base64 stands for, 32 bits each and
little-endian.
"""


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """
    Texts to embed.

    @ivar model: The provider's own id of the model.
    @ivar inputs: The texts, each as it is or as the model's tokens; none is empty.
    @ivar dimensions: How long the vectors shall be; C{None} leaves it to the model.
    @ivar base64: The caller wants base64, so that no other form need be made.
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

    @ivar vectors: One for each input, in the same order, all of one length.
    @ivar promptTokens: What was read, in tokens; 0 where the provider does not say.
    """

    vectors: Sequence[Vector]
    promptTokens: int


class IEmbedder(Interface):
    """
    A provider of models that can also embed texts.
    """

    def embed(request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Embed texts.

        @return: Fails with an L{openclaw.errors.OpenClawError}.  Cancelling it closes
            the upstream socket at once.
        """


class IModelProviderMaker(IPlugin):
    """
    One way to reach models: what C{models.providers.<name>.api} names.  Makers are
    found by L{twisted.plugin} in C{openclaw.plugins}.
    """

    api: str = Attribute(
        """
        What the configuration calls it: lower-case letters, digits and C{-}.
        """
    )

    def makeProvider(
        name: str, settings: Any, reactor: Any, log: Logger
    ) -> IModelProvider:
        """
        Make a provider.  It connects to nobody before it is asked.

        @param name: What the configuration calls it.
        @param settings: What the configuration says of it, an
            L{openclaw.config.Provider}.
        @param reactor: A whole one: time, TCP, processes and threads.
        @param log: For the provider's own troubles; never for keys or texts.

        @raise ValueError: The settings are wrong; the message says how.
        """


class ToolError(Exception):
    """
    A tool could not do what it was asked.  The model is told, by a result whose
    C{isError} is set, and may try something else; the run goes on.
    """


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """
    The circumstances of a tool call.

    @ivar namespace: Whose sessions the run may see, as in L{ICaller}.
    @ivar reactor: A whole one: time, TCP, processes and threads.
    @ivar workspace: The agent's directory, or C{None} if it has none.
    @ivar sessions: The session store, for reading.
    @ivar settings: What C{tools.<name>} of the configuration says for this tool.
    @ivar log: For the tool's own troubles; never for arguments or results.
    @ivar shareKey: Among whom threads are divided; see L{ICaller}.
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
    Something that an agent can do.  Tools are found by L{twisted.plugin} in
    C{openclaw.plugins}; one object serves all runs, at once.
    """

    name: str = Attribute(
        """
        What the model calls it: letters, digits, C{_} and C{-}.
        """
    )

    description: str = Attribute(
        """
        What it does and when to use it, for the model.  The first line stands for
        the whole in lists.
        """
    )

    parameters: Mapping[str, Any] = Attribute(
        """
        The JSON Schema of its arguments, an object's.  Arguments are checked against
        it before C{run} is called.
        """
    )

    readOnly: bool = Attribute(
        """
        It changes nothing, anywhere: it may run beside others, and once too often.
        """
    )

    def run(arguments: Mapping[str, Any], context: ToolContext) -> "Deferred[str]":
        """
        Do it.

        @return: What the model is told.  Fails with L{ToolError} for what the model
            should know.  Cancelling it stops the work, and leaves nothing behind:
            no process, no socket, no half-written file.
        """


class Claim(msgspec.Struct, frozen=True):
    """
    A run's hold on a session.  While one process holds it no other can begin a
    turn there.

    @ivar sessionKey: The session.
    @ivar runID: The run that holds it.
    """

    sessionKey: str
    runID: str


class Summary(msgspec.Struct, frozen=True):
    """
    A summary of the oldest part of a transcript that exceeds a model's context window.

    @ivar text: The summary.
    @ivar messageCount: How many messages, from the first one on, it stands for.
    """

    text: str
    messageCount: int


class Conversation(msgspec.Struct, frozen=True):
    """
    A session, as a run's turn begins.

    @ivar messages: What was said since the summary, oldest first.
    @ivar summary: The newest summary of what was said before that, if there is one.
    @ivar skipped: How many messages behind the summary were not loaded, the oldest,
        because there is too much.
    """

    messages: Sequence[Message]
    summary: Summary | None = None
    skipped: int = 0


class Outline(msgspec.Struct, frozen=True):
    """
    The assistant's part of the end of a session.

    @ivar messages: The newest messages, oldest first, from a user's on if these are
        not all.  Of the users' the words are left out, and tools' results altogether.
    @ivar complete: These are all.
    @ivar first: The first message, if it is a user's and not a long one.
    @ivar size: How much had to be read for this, in characters.
    """

    messages: Sequence[Message] = ()
    complete: bool = True
    first: Message | None = None
    size: int = 0


class Tail(msgspec.Struct, frozen=True):
    """
    The end of a session.

    @ivar agentID: The agent whose session it is; C{None} if there is no such session.
    @ivar messageCount: The number of messages in the transcript.
    @ivar messages: The newest of them, oldest first.  Of a long one there may be only
        the beginning of its text, without calls, and images without their data.
    """

    agentID: str | None = None
    messageCount: int = 0
    messages: Sequence[Message] = ()


class SessionInfo(msgspec.Struct, frozen=True):
    """
    A session as a list shows it.

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
    Transcripts, kept.  They are append-only: nothing rewrites what was said.

    Each method is one transaction.  Once its Deferred has fired, what it wrote
    survives a crash of the process.  All fail with
    L{openclaw.errors.StoreError} when the store itself does, or is not open.

    Cancelling such a Deferred stops the waiting, not the work.  Who must know
    whether a claim was had waits for C{beginTurn} to its end.
    """

    def open() -> "Deferred[None]":
        """
        Make the store ready; create or upgrade its schema.  A schema newer than
        this program is refused.
        """

    def close() -> "Deferred[None]":
        """
        Finish what is under way, give back the claims that were taken through
        this object, and let go of every thread, file and socket.  A store that is
        not open stays so.
        """

    def beginTurn(
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> "Deferred[Conversation | None]":
        """
        Take the claim and, if it could be had, append what the caller said.

        @param opening: What is appended when the session is new or empty.
        @param following: What is appended when it already has a history.

        @param agentID: Whose a new session is.  It stays with that agent.

        @return: The conversation with the new messages at its end, without what the
            newest summary stands for, and of what was there before them only the
            newest L{openclaw.sessions.store.validation.MAX_LOADED_BYTES} and
            C{MAX_LOADED_MESSAGES}; or C{None}, with nothing written, while a run
            holds the session, be it this one: a run begins a turn once.  Fails with
            L{openclaw.errors.InvalidRequest}, with nothing written and no claim
            taken, when a tool's result among what would be appended answers no call
            that is without a result.
        """

    def endTurn(
        claim: Claim, messages: Sequence[Message], summary: Summary | None = None
    ) -> "Deferred[None]":
        """
        Append what the run answered (nothing, for a run that failed) and give the
        claim back.  Without the claim nothing is written and the Deferred fails.

        @param summary: A new one.  It may stand for messages that are appended now;
            the transcript keeps all that it stands for.
        """

    def renew(claims: Sequence[Claim]) -> "Deferred[None]":
        """
        Say that these claims are alive.  A claim that is not renewed for
        C{leaseSeconds}, or whose process is known to be dead, can be taken over.
        One that was taken over stays lost; one that was not is as good as ever.
        """

    leaseSeconds: float = Attribute(
        """
        How long a claim lasts without being renewed.
        """
    )

    def transcript(sessionKey: str) -> "Deferred[Sequence[Message]]":
        """
        All that was said in a session, oldest first; empty for an unknown one.
        """

    def outline(sessionKey: str) -> "Deferred[Outline]":
        """
        Return the assistant's latest messages of a session: about
        L{openclaw.sessions.store.outlines.OUTLINE_CHARACTERS}, and whole answers.
        """

    def tail(sessionKey: str, limit: int) -> "Deferred[Tail]":
        """
        Return the newest messages of a session, without reading the rest.

        @param limit: Messages; fewer are returned if they are long.
        """

    def sessions(
        agentID: str | None = None, prefix: str = "", limit: int | None = None
    ) -> "Deferred[Sequence[SessionInfo]]":
        """
        The sessions (of one agent), the most lately used first.  Reads no
        transcript.

        @param prefix: How their keys begin.

        @param limit: Sessions; C{None} for all.
        """

    fault: "str | None" = Attribute(
        """
        What keeps turns from being kept, in a few words for operators; C{None} while
        they are.
        """
    )

    def probe() -> "Deferred[None]":
        """
        Look whether what C{fault} says is over, or whether a fault can be seen without
        writing anything.  Never fails.
        """


class IBearerToken(ICredentials):
    """
    The secret of an C{Authorization: Bearer} header.
    """

    token: bytes = Attribute(
        """
        The secret as it was sent.
        """
    )


class INamedToken(ICredentials):
    """
    The same of a token that may be one of those that have names.
    """

    token: bytes = Attribute(
        """
        The token as it was sent.
        """
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """
    Limits of a caller; C{None} is for no limit.

    @ivar concurrentRuns: The runs at once.
    @ivar requestsPerMinute: The requests in any 60 seconds.
    """

    concurrentRuns: int | None = None
    requestsPerMinute: int | None = None


class ICaller(Interface):
    """
    The avatar: who asks, and what they may do.  All that the gateway knows of a
    credential once L{openclaw.auth} has checked it.
    """

    label: str = Attribute(
        """
        A name for logs.  Never a secret.
        """
    )

    namespace: str = Attribute(
        """
        What the names of the caller's sessions begin with, which are the only ones
        that the caller may see and continue: such as C{token:ci} or C{user:ann}.
        The empty string is the operator's, who may see and continue all.
        """
    )

    quota: Quota = Attribute(
        """
        How much of the gateway the caller may have, in all requests together of
        those who have this label.
        """
    )

    shareKey: str = Attribute(
        """
        The identity by which the gateway's resources are divided among callers: the
        label of a token or a user; for those who share a secret or need none, their
        address.
        """
    )

    def hasScope(scope: str) -> bool:
        """
        May this caller do what C{scope} (such as C{operator.write}) names?
        """

    def mayUse(agentID: str) -> bool:
        """
        May this caller run the agent?
        """

    def mayNameModel(model: str, *, isOwn: bool) -> bool:
        """
        May this caller name the model in C{x-openclaw-model}?

        @param model: C{provider/id}.

        @param isOwn: Is it configured for one of the caller's agents?
        """

    def narrowed(scopes: Sequence[str]) -> "ICaller":
        """
        The same caller with no more than these scopes.
        """


__all__ = [
    "Claim",
    "Conversation",
    "EmbeddingReply",
    "EmbeddingRequest",
    "IBearerToken",
    "ICaller",
    "IEmbedder",
    "IModelCall",
    "IModelProvider",
    "IModelProviderMaker",
    "INamedToken",
    "ISessionStore",
    "ITool",
    "ModelReply",
    "ModelRequest",
    "NamedTool",
    "Quota",
    "Sampling",
    "SessionInfo",
    "Summary",
    "ToolChoice",
    "ToolContext",
    "ToolError",
    "ToolSpec",
    "Vector",
]
