"""
Resolve the gateway's credential from the configuration and the environment.
"""

from collections.abc import Mapping
from typing import NamedTuple

from openclaw.config.root import Config
from openclaw.config.secret import Secret
from openclaw.config.value_types import AuthMode

TOKEN_VARIABLE = "OPENCLAW_GATEWAY_TOKEN"
PASSWORD_VARIABLE = "OPENCLAW_GATEWAY_PASSWORD"
NONE_CONFIGURED = "none configured"


class ResolvedCredential(NamedTuple):
    """
    The gateway's effective credential.

    @ivar mode: The kind of credential.
    @ivar secret: The credential; C{None} in the modes C{none} and C{trusted-proxy}, and
        in the mode C{token} if a token has yet to be generated.
    @ivar source: Its origin, for the log.
    """

    mode: AuthMode
    secret: Secret | None
    source: str


def resolveCredential(config: Config, environ: Mapping[str, str]) -> ResolvedCredential:
    """
    Resolve the effective credential.  The configuration takes precedence over the
    environment.  Without C{gateway.auth.mode}, a token takes precedence over a
    password.
    """
    auth = config.gateway.auth
    token = _findSecret(auth.token, "gateway.auth.token", environ, TOKEN_VARIABLE)
    password = _findSecret(
        auth.password, "gateway.auth.password", environ, PASSWORD_VARIABLE
    )
    mode = auth.mode
    if mode is None:
        mode = "password" if token[0] is None and password[0] is not None else "token"
    if mode in ("none", "trusted-proxy"):
        return ResolvedCredential(mode, None, NONE_CONFIGURED)
    return ResolvedCredential(mode, *(token if mode == "token" else password))


def _findSecret(
    configured: Secret | None,
    key: str,
    environ: Mapping[str, str],
    variable: str,
) -> tuple[Secret | None, str]:
    if configured is not None:
        return configured, f"{key} in the configuration"
    # Environment files easily leave a blank or a line break after the value.
    value = environ.get(variable, "").strip()
    if value:
        return Secret(value), variable
    return None, NONE_CONFIGURED
