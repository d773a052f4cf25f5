"""
C{openclaw setup}: write a first configuration and token.
"""

import os
from collections.abc import Mapping
from shlex import quote
from typing import TextIO

from openclaw.config import findConfig, stateDirectory
from openclaw.config.loading import STATE_VARIABLE
from openclaw.errors import OpenClawError
from openclaw.state_directory import loadOrCreateToken, prepareState, tokenFile

CONFIG_NAME = "openclaw.yaml"

FIRST_CONFIG = """\
# OpenClaw's configuration. Every key is in docs/configuration.md and etc/openclaw.yaml.
# `openclaw config check` checks a change; SIGHUP applies it.

gateway:
  port: 18789
  bind: loopback
  # Clients authenticate with the token in the file gateway-token beside this one.
  http:
    endpoints:
      chatCompletions:
        enabled: true

agents:
  defaults:
    model: local/smollm2-135m-instruct
  # An agent is an entry here, with its id.  Requests that name none get main.
  entries:
    main: {}

models:
  local:
    start: atOnce
"""


def setUp(environ: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """
    Create the state directory, a configuration that enables the endpoint, and a random
    token.  Existing files are not changed.

    @return: The exit status.
    """
    try:
        state = stateDirectory(environ)
        prepareState(state, lambda path: None)
        found = findConfig(None, environ)
        if found is None:
            found = state / CONFIG_NAME
            descriptor = os.open(found, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(FIRST_CONFIG)
            print(f"wrote {found}", file=stdout)
        loadOrCreateToken(state, lambda path: None)
    except OSError as error:
        print(f"openclaw: {error}", file=stderr)
        return 1
    except OpenClawError as error:
        print(f"openclaw: {error.message}", file=stderr)
        return 1
    print(f"configuration: {found}", file=stdout)
    print(f"token: {tokenFile(state)}", file=stdout)
    print(
        "for openclaw commands in other directories:"
        f" export {STATE_VARIABLE}={quote(str(state))}",
        file=stdout,
    )
    return 0
