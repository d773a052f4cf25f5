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


def makeRunID() -> str:
    return f"run_{token_hex(12)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """
    A request for a run, the same for all surfaces.

    @ivar agent: The agent that runs.
    @ivar system: The complete system prompt.
    @ivar sessionKey: The key of the session.
    @ivar stateful: False for a run whose conversation is not stored.
    @ivar opening: The messages for a session without history.
    @ivar following: The messages without those that a session's history has already.
    @ivar model: The model to call instead of the agent's own, if given.
    @ivar clientTools: Tools that the client runs.
    @ivar toolChoice: The use of those tools.
    @ivar tools: The agent's own tools that this caller may use.
    @ivar caller: The caller's label.
    @ivar shareKey: The caller for fair sharing; see L{openclaw.interfaces.ICaller}.
        Default: the run counts as a caller of its own.
    @ivar namespace: The sessions that the run may see; see
        L{openclaw.interfaces.ICaller}.
    @ivar requestID: The ID of the HTTP request, if there is one.
    @ivar arrivedAt: The time when it had arrived, by the reactor's clock.  Default:
        when the run starts.
    @ivar runID: The run's ID in logs and headers.
    @ivar ignoredParams: The fields of the request that are not used, and those that
        were not sent to a model: a list for each call of a model, which is filled while
        the run continues.
    """

    agent: AgentSettings
    system: str
    sessionKey: str
    stateful: bool
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
    runID: str = field(default_factory=makeRunID)
    ignoredParams: list[Sequence[str]] = field(default_factory=list)

    @property
    def offeredClientTools(self) -> Sequence[ToolSpec]:
        """
        The client's tools that the model may call: none if C{toolChoice} is C{none},
        which does not apply to the agent's own tools.
        """
        return () if self.toolChoice == "none" else self.clientTools

    def models(self) -> Sequence[ModelRef]:
        """
        Return the models to call, in the order of preference.
        """
        if self.model is not None:
            return (self.model,)
        return (self.agent.model.primary, *self.agent.model.fallbacks)


@dataclass(frozen=True, kw_only=True)
class RunServices:
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
