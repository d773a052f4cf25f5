"""
Check the keys of a configuration that depend on each other.
"""

from collections.abc import Mapping, Sequence

from openclaw.config.agent_settings import entriesByID, locateEntries
from openclaw.config.findings import Findings, childPath
from openclaw.config.gateway_credential import PASSWORD_VARIABLE, resolveCredential
from openclaw.config.models import LOCAL_PROVIDER, ModelRef
from openclaw.config.root import Config
from openclaw.config.tools import OWN_KEYS

RESERVED_AGENT = "default"
"""
The name that stands for the default agent in requests, whatever its id is.
"""


def checkConsistency(
    config: Config,
    references: Sequence[tuple[str, ModelRef]],
    environ: Mapping[str, str],
    findings: Findings,
) -> None:
    """
    Add an error for each combination of keys that is not allowed.

    @param config: May hold C{None} for a required value that had an error.
    @param references: The models that are referred to, with the paths of their keys.
    @param findings: The findings so far; an error that only follows from another one is
        not added.
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
    if findings.hasError(*keys, "gateway"):
        return
    if gateway.bind == "custom" and gateway.customBindHost is None:
        findings.addError(
            keys[1], 'missing; "gateway.bind: custom" needs an IP address'
        )
    elif gateway.auth.mode == "none" and not gateway.onLoopback():
        findings.addError(
            "gateway.auth.mode",
            '"none" is only allowed on loopback; use "token" or "password"',
        )


def _checkAuth(config: Config, environ: Mapping[str, str], findings: Findings) -> None:
    key = "gateway.auth.password"
    mode, secret, _ = resolveCredential(config, environ)
    if mode == "password" and secret is None and not findings.hasError(key):
        findings.addError(
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
    # An invalid address already has an error.
    noted = any(error.startswith(proxies) for error in findings.errors)
    if not gateway.trustedProxies and not noted:
        findings.addError(proxies, f"{needs} the addresses of the proxies")
    if gateway.auth.trustedProxy.userHeader is None and not findings.hasError(
        header, "gateway.auth.trustedProxy"
    ):
        findings.addError(header, f"{needs} the header that names the user")


def _checkTLS(config: Config, findings: Findings) -> None:
    tls = config.gateway.tls
    certificate, key = "gateway.tls.certPath", "gateway.tls.keyPath"
    if findings.hasError(certificate, key):
        return
    if tls.certPath is None and tls.keyPath is not None:
        findings.addError(certificate, "missing; required with keyPath")
    if tls.keyPath is None and tls.certPath is not None:
        findings.addError(key, "missing; required with certPath")


def _checkBodies(config: Config, findings: Findings) -> None:
    http = config.gateway.http
    key, bound = (
        "gateway.http.endpoints.chatCompletions.maxBodyBytes",
        "gateway.http.maxBodyBytesInFlight",
    )
    if findings.hasError(key, bound, "gateway", "gateway.http"):
        return
    largest = http.endpoints.chatCompletions.maxBodyBytes
    most = http.maxBodyBytesInFlight
    if largest > most:
        findings.addError(bound, f"{most} is less than {key}, which is {largest}")


def _checkAgents(config: Config, findings: Findings) -> None:
    taken: dict[str, str] = {}
    marked: str | None = None
    for path, agentID, entry in locateEntries(config.agents):
        if not agentID:
            continue
        if agentID in taken:
            key = childPath(path, "id") if path.endswith("]") else path
            findings.addError(key, f'the id "{agentID}" is used by {taken[agentID]}')
        taken.setdefault(agentID, path)
        if entry.default and marked is not None:
            findings.addError(
                childPath(path, "default"), f"{marked} is already the default"
            )
        if entry.default:
            marked = marked or path
    if RESERVED_AGENT in taken and config.defaultAgentID() != RESERVED_AGENT:
        findings.addError(
            taken[RESERVED_AGENT],
            f'only the default agent can have the id "{RESERVED_AGENT}", since '
            f"requests for that name get the default agent",
        )


def _checkAliases(config: Config, findings: Findings) -> None:
    if findings.hasError("agents", "agents.list", "agents.entries"):
        return
    known = list(entriesByID(config.agents))
    if not all(known):
        return
    path = "gateway.http.endpoints.chatCompletions.modelAliases"
    endpoint = config.gateway.http.endpoints.chatCompletions
    for alias, agentID in endpoint.modelAliases.items():
        if agentID not in known:
            findings.addError(
                childPath(path, alias),
                f'unknown agent "{agentID}"; known: {", ".join(known)}',
            )


def _checkTools(config: Config, findings: Findings) -> None:
    for name in config.tools.plugins:
        if name in OWN_KEYS:
            findings.addError(
                childPath("tools.plugins", name),
                f'not a plug-in; its settings are in "{OWN_KEYS[name]}"',
            )
    key, bound = "tools.exec.timeoutSeconds", "tools.exec.maxTimeoutSeconds"
    if findings.hasError(key, bound, "tools", "tools.exec"):
        return
    usual, most = config.tools.exec.timeoutSeconds, config.tools.exec.maxTimeoutSeconds
    if usual > most:
        findings.addError(key, f"{usual:g} is more than {bound}, which is {most:g}")


def _checkModels(
    config: Config,
    references: Sequence[tuple[str, ModelRef]],
    findings: Findings,
) -> None:
    for name in config.models.providers:
        if name.lower() == LOCAL_PROVIDER:
            findings.addError(
                childPath("models.providers", name),
                f'the name "{LOCAL_PROVIDER}" is reserved for the embedded model',
            )
    if findings.hasError("models", "models.providers", "models.local.id"):
        return
    for path, reference in references:
        provider = config.models.providers.get(reference.provider)
        if provider is not None and not all(each.id for each in provider.models):
            continue
        problem = config.missingModelReason(reference)
        if problem is not None:
            findings.addError(path, problem)
