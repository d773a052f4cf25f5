"""
The gateway's credential in force: the configuration's, or the environment's.
"""

from collections.abc import Mapping
from typing import NamedTuple

from openclaw.config.root import Config
from openclaw.config.secret import Secret
from openclaw.config.value_types import AuthMode

TOKEN_VARIABLE = "OPENCLAW_GATEWAY_TOKEN"
PASSWORD_VARIABLE = "OPENCLAW_GATEWAY_PASSWORD"
NONE_CONFIGURED = "none configured"


class CredentialInForce(NamedTuple):
    """
    The credential in force.

    @ivar mode: The kind of credential.
    @ivar secret: The credential; C{None} in the modes C{none} and C{trusted-proxy},
        and in the mode C{token} when one has yet to be made.
    @ivar source: Where it was found, for the log.
    """

    mode: AuthMode
    secret: Secret | None
    source: str


def credentialInForce(config: Config, environ: Mapping[str, str]) -> CredentialInForce:
    """
    Find the credential.  What the configuration holds wins over the environment.
    Without a configured mode a token is looked for, then a password.
    """
    auth = config.gateway.auth
    token = _found(auth.token, "gateway.auth.token", environ, TOKEN_VARIABLE)
    password = _found(
        auth.password, "gateway.auth.password", environ, PASSWORD_VARIABLE
    )
    mode = auth.mode
    if mode is None:
        mode = "password" if token[0] is None and password[0] is not None else "token"
    if mode in ("none", "trusted-proxy"):
        return CredentialInForce(mode, None, NONE_CONFIGURED)
    return CredentialInForce(mode, *(token if mode == "token" else password))


def _found(
    configured: Secret | None,
    key: str,
    environ: Mapping[str, str],
    variable: str,
) -> tuple[Secret | None, str]:
    if configured is not None:
        return configured, f"{key} in the configuration"
    # A file of variables easily leaves a blank or a line break behind the value.
    value = environ.get(variable, "").strip()
    if value:
        return Secret(value), variable
    return None, NONE_CONFIGURED
