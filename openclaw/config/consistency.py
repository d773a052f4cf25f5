"""
Check the keys of a configuration that depend on each other.
"""

from collections.abc import Iterator, Mapping, Sequence

from openclaw.config.agent_settings import entriesByID
from openclaw.config.agents import AgentEntry
from openclaw.config.findings import Findings, child, item
from openclaw.config.gateway_credential import PASSWORD_VARIABLE, credentialInForce
from openclaw.config.models import LOCAL_PROVIDER, ModelRef
from openclaw.config.root import Config
from openclaw.config.tools import OWN_KEYS

RESERVED_AGENT = "default"
"""
Names by which callers ask for the default agent, whatever its id is.
"""


def checkConsistency(
    config: Config,
    references: Sequence[tuple[str, ModelRef]],
    environ: Mapping[str, str],
    findings: Findings,
) -> None:
    """
    Note what does not fit together.

    @param config: May hold C{None} in the place of a required value, if a fault was
        noted there.
    @param references: The models that are referred to, with the paths of the keys.
    @param findings: What was found so far; a fault that only follows from another
        one is not added.
    """
    _checkBind(config, findings)
    _checkAuth(config, environ, findings)
    _checkProxies(config, findings)
    _checkTLS(config, findings)
    _checkBodies(config, findings)
    _checkAgents(config, findings)
    _checkAliases(config, findings)
    _checkTools(config, findings)
    _checkModels(config, references, findings)


def _checkBind(config: Config, findings: Findings) -> None:
    gateway = config.gateway
    keys = ("gateway.bind", "gateway.customBindHost")
    if findings.isFaulty(*keys, "gateway"):
        return
    if gateway.bind == "custom" and gateway.customBindHost is None:
        findings.fault(keys[1], 'missing; "gateway.bind: custom" needs an IP address')
    elif gateway.auth.mode == "none" and not gateway.onLoopback():
        findings.fault(
            "gateway.auth.mode",
            '"none" is only for loopback; others must show a token or a password',
        )


def _checkAuth(config: Config, environ: Mapping[str, str], findings: Findings) -> None:
    key = "gateway.auth.password"
    mode, secret, _ = credentialInForce(config, environ)
    if mode == "password" and secret is None and not findings.isFaulty(key):
        findings.fault(
            key,
            f'missing; "gateway.auth.mode: password" needs it here or in the '
            f"environment as {PASSWORD_VARIABLE}",
        )


def _checkProxies(config: Config, findings: Findings) -> None:
    gateway = config.gateway
    proxies, header = "gateway.trustedProxies", "gateway.auth.trustedProxy.userHeader"
    if gateway.auth.mode != "trusted-proxy":
        return
    needs = 'missing; "gateway.auth.mode: trusted-proxy" needs'
    # One of a wrong address was noted already.
    noted = any(fault.startswith(proxies) for fault in findings.faults)
    if not gateway.trustedProxies and not noted:
        findings.fault(proxies, f"{needs} the addresses of the proxies")
    if gateway.auth.trustedProxy.userHeader is None and not findings.isFaulty(
        header, "gateway.auth.trustedProxy"
    ):
        findings.fault(header, f"{needs} the header that names the user")


def _checkTLS(config: Config, findings: Findings) -> None:
    tls = config.gateway.tls
    certificate, key = "gateway.tls.certPath", "gateway.tls.keyPath"
    if findings.isFaulty(certificate, key):
        return
    if tls.certPath is None and tls.keyPath is not None:
        findings.fault(certificate, "missing; it belongs to keyPath")
    if tls.keyPath is None and tls.certPath is not None:
        findings.fault(key, "missing; it belongs to certPath")


def _checkBodies(config: Config, findings: Findings) -> None:
    http = config.gateway.http
    key, bound = (
        "gateway.http.endpoints.chatCompletions.maxBodyBytes",
        "gateway.http.maxBodyBytesInFlight",
    )
    if findings.isFaulty(key, bound, "gateway", "gateway.http"):
        return
    largest = http.endpoints.chatCompletions.maxBodyBytes
    most = http.maxBodyBytesInFlight
    if largest > most:
        findings.fault(bound, f"{most} is less than {key}, which is {largest}")


def _places(config: Config) -> Iterator[tuple[str, str, AgentEntry]]:
    """
    Each agent with the path of its entry and its id.
    """
    for index, agent in enumerate(config.agents.list):
        yield item("agents.list", index), agent.id, agent
    for agentID, entry in config.agents.entries.items():
        yield child("agents.entries", agentID), agentID, entry


def _checkAgents(config: Config, findings: Findings) -> None:
    taken: dict[str, str] = {}
    marked: str | None = None
    for place, agentID, entry in _places(config):
        if not agentID:
            continue
        if agentID in taken:
            key = child(place, "id") if place.endswith("]") else place
            findings.fault(key, f'the id "{agentID}" is taken by {taken[agentID]}')
        taken.setdefault(agentID, place)
        if entry.default and marked is not None:
            findings.fault(child(place, "default"), f"{marked} is the default already")
        if entry.default:
            marked = marked or place
    if RESERVED_AGENT in taken and config.defaultAgentID() != RESERVED_AGENT:
        findings.fault(
            taken[RESERVED_AGENT],
            f'only the default agent can have the id "{RESERVED_AGENT}", since '
            f"callers get the default agent by that name",
        )


def _checkAliases(config: Config, findings: Findings) -> None:
    if findings.isFaulty("agents", "agents.list", "agents.entries"):
        return
    known = list(entriesByID(config.agents))
    if not all(known):
        return
    path = "gateway.http.endpoints.chatCompletions.modelAliases"
    endpoint = config.gateway.http.endpoints.chatCompletions
    for alias, agentID in endpoint.modelAliases.items():
        if agentID not in known:
            findings.fault(
                child(path, alias),
                f'there is no agent "{agentID}"; there are: {", ".join(known)}',
            )


def _checkTools(config: Config, findings: Findings) -> None:
    for name in config.tools.plugins:
        if name in OWN_KEYS:
            findings.fault(
                child("tools.plugins", name),
                f'is no plug-in; what can be set for it is in "{OWN_KEYS[name]}"',
            )
    key, bound = "tools.exec.timeoutSeconds", "tools.exec.maxTimeoutSeconds"
    if findings.isFaulty(key, bound, "tools", "tools.exec"):
        return
    usual, most = config.tools.exec.timeoutSeconds, config.tools.exec.maxTimeoutSeconds
    if usual > most:
        findings.fault(key, f"{usual:g} is more than {bound}, which is {most:g}")


def _checkModels(
    config: Config,
    references: Sequence[tuple[str, ModelRef]],
    findings: Findings,
) -> None:
    for name in config.models.providers:
        if name.lower() == LOCAL_PROVIDER:
            findings.fault(
                child("models.providers", name),
                f'the name "{LOCAL_PROVIDER}" is taken by the embedded model',
            )
    if findings.isFaulty("models", "models.providers", "models.local.id"):
        return
    for path, reference in references:
        provider = config.models.providers.get(reference.provider)
        if provider is not None and not all(each.id for each in provider.models):
            continue
        problem = config.modelFault(reference)
        if problem is not None:
            findings.fault(path, problem)
