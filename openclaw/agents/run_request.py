"""
The request for a run, and the services that a run needs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from openclaw.agents.run_queue import RunQueue
from openclaw.agents.toolbox import OfferedTool
from openclaw.config import AgentSettings, Model, ModelRef
from openclaw.interfaces import (
    IModelProvider,
    ISessionStore,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from openclaw.messages import Message
from openclaw.metrics.tally import Tally
from openclaw.models.failover import RefusedKeys
from openclaw.net.fair_semaphore import FairSemaphore

DEFAULT_SAMPLING = Sampling()


def newRunID() -> str:
    """
    A name for a run.
    """
    return f"run_{token_hex(12)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """
    A request for a run, the same from every surface.

    @ivar agent: Who shall answer.
    @ivar system: The whole system prompt.
    @ivar sessionKey: The conversation's key.
    @ivar kept: False for a stateless run, which leaves nothing behind.
    @ivar opening: What the caller said, for a conversation that has no history yet.
    @ivar following: The same without what such a history must hold already.
    @ivar model: Asked instead of the agent's own, if given.
    @ivar clientTools: Tools that the caller carries out.
    @ivar toolChoice: What the model may do with those.
    @ivar tools: The agent's own tools that this caller may reach.
    @ivar caller: The label of who asks.
    @ivar shareKey: The caller among whom the gateway's resources are divided; see
        L{openclaw.interfaces.ICaller}.  Default: the run counts as one of its own.
    @ivar namespace: Whose sessions the run may see; see
        L{openclaw.interfaces.ICaller}.
    @ivar requestID: The name of the request over HTTP, if there is one.
    @ivar arrivedAt: When it had arrived, by the reactor's clock.  Default: when the
        run begins.
    @ivar runID: The run's name in logs and headers.
    """

    agent: AgentSettings
    system: str
    sessionKey: str
    kept: bool
    opening: Sequence[Message]
    following: Sequence[Message]
    sampling: Sampling = DEFAULT_SAMPLING
    model: ModelRef | None = None
    clientTools: Sequence[ToolSpec] = ()
    toolChoice: ToolChoice = "auto"
    tools: Mapping[str, OfferedTool] = field(default_factory=dict)
    caller: str = ""
    shareKey: str = ""
    namespace: str = ""
    requestID: str | None = None
    arrivedAt: float | None = None
    runID: str = field(default_factory=newRunID)

    @property
    def offeredClientTools(self) -> Sequence[ToolSpec]:
        """
        The caller's tools that the model may call: with C{none} the caller forbids
        those, and not the agent's own.
        """
        return () if self.toolChoice == "none" else self.clientTools

    def models(self) -> Sequence[ModelRef]:
        """
        The models to ask, in the order of preference.
        """
        if self.model is not None:
            return (self.model,)
        return (self.agent.model.primary, *self.agent.model.fallbacks)


@dataclass(frozen=True, kw_only=True)
class RunServices:
    """
    The services that a run needs.
    """

    reactor: IReactorTime
    queue: RunQueue
    store: ISessionStore
    providers: Callable[[str], IModelProvider | None]
    refusedKeys: RefusedKeys
    toolSettings: Callable[[str], Any]
    findModel: Callable[[ModelRef], Model | None]
    claimWaitSeconds: float
    log: Logger
    toolCalls: FairSemaphore
    tally: Tally = field(default_factory=Tally)
