"""
Log lines for people: the banner once the daemon is ready, and the agents at a reload.
"""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from twisted.logger import Logger

from openclaw.agents.agent_directory import AgentDirectory
from openclaw.api.routes import CHAT_COMPLETIONS
from openclaw.config import Config, ResolvedCredential
from openclaw.net.threads import runInThread
from openclaw.server.live_config import LiveConfig
from openclaw.state_directory import tokenFile
from openclaw.tools.policy import grantsTool
from openclaw.tools.sandbox import describeSandbox

EXAMPLE = '{"model":"openclaw","messages":[{"role":"user","content":"hi"}]}'


def startupBanner(
    *,
    live: LiveConfig,
    credential: ResolvedCredential,
    urls: Sequence[str],
    state: Path,
) -> str:
    """
    Return the lines of the banner.

    @param urls: The base URLs of the ports.

    @param state: The state directory.
    """
    shown, header = _credential(credential, tokenFile(state))
    if not live.config.gateway.http.endpoints.chatCompletions.enabled:
        return (
            f"Listening on {', '.join(urls)}; credential: {shown}. The endpoint is"
            f" off: to enable it, set {CHAT_COMPLETIONS.key} to true in"
            f" {live.path or state / 'openclaw.yaml'}"
        )
    others = [f"also at {', '.join(urls[1:])}"] if urls[1:] else []
    return "\n".join(
        [
            f"Ready at {urls[0]}/v1",
            *others,
            f"credential: {shown}",
            f"agents: {describeAgents(live.directory)}",
            "try:",
            f"curl -sS {_target(urls[0])}/v1/chat/completions{header}"
            f" -H 'Content-Type: application/json' -d '{EXAMPLE}'",
        ]
    )


def describeAgents(directory: AgentDirectory) -> str:
    """
    List the agents and their models on one line.
    """
    return ", ".join(
        f"{agent.id}{' (default)' if agent.id == directory.defaultID else ''}"
        f" on {agent.model.primary}"
        for agent in directory.agents.values()
    )


def describeAgentChanges(before: AgentDirectory, after: AgentDirectory) -> list[str]:
    """
    List the agents that a reload added or removed, and a new default.
    """
    added = [each for each in after.agents if each not in before.agents]
    removed = [each for each in before.agents if each not in after.agents]
    changes = []
    if added:
        changes.append(f"added {', '.join(added)}")
    if removed:
        changes.append(f"removed {', '.join(removed)}")
    if before.defaultID != after.defaultID:
        changes.append(
            f"the default is now {after.defaultID}, it was {before.defaultID}"
        )
    return changes


def _target(url: str) -> str:
    """
    Return a base URL for curl, which has an option for UNIX sockets.
    """
    kind, _, rest = url.partition(":")
    if kind != "unix":
        return url
    return f"--unix-socket {quote(rest.partition(':')[0])} http://localhost"


def _credential(credential: ResolvedCredential, path: Path) -> tuple[str, str]:
    """
    @return: The location of the credential, and curl's option that sends it.
    """
    mode, secret, source = credential
    if mode == "none":
        return "none", ""
    if mode == "trusted-proxy":
        return "the user header of a trusted proxy", ""
    if secret is None:
        return (
            f"the token in {path}",
            f' -H "Authorization: Bearer $(cat {quote(str(path))})"',
        )
    return f"the {mode} from {source}", ' -H "Authorization: Bearer YOUR_TOKEN"'


async def logSandbox(reactor: Any, config: Config, log: Logger) -> None:
    """
    Log in which sandbox commands run, if an agent can run any.
    """
    if grantsTool(config, "exec"):
        text = await runInThread(reactor, lambda _: describeSandbox(config.tools.exec))
        log.info("{text}", text=text)
