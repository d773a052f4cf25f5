"""
The C{openclaw} command: its arguments and subcommands.
"""

import os
import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from time import time
from typing import Any

from openclaw import __version__
from openclaw.errors import OpenClawError


class _StoreOnce(Action):
    """
    Stores a value and rejects a second one, where argparse would drop the first.
    """

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given: set[str] = vars(namespace).setdefault("given", set())
        if option_string is not None and self.dest in given:
            parser.error(f"argument {option_string}: may be given only once")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class _Parser(ArgumentParser):
    """
    A parser whose single-valued options, and those of its subcommands, may occur only
    once.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for name in (None, "store"):
            self.register("action", name, _StoreOnce)


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="openclaw",
        description="Manage the agent gateway. `twistd openclaw` runs it.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    location = _Parser(add_help=False)
    location.add_argument(
        "--state", metavar="DIRECTORY", help="the state directory of the daemon"
    )
    location.add_argument("--config", metavar="PATH", help="the configuration file")

    agent = commands.add_parser(
        "agent", parents=[location], help="run one turn of an agent"
    )
    agent.add_argument(
        "-m", "--message", required=True, help="the user's message; - reads stdin"
    )
    agent.add_argument(
        "--agent", metavar="ID", help="the agent (default: the default agent)"
    )
    agent.add_argument(
        "--session-key", metavar="KEY", help="the session (default: main)"
    )
    agent.add_argument("--json", action="store_true", help="print one JSON document")
    agent.add_argument(
        "--local",
        action="store_true",
        help="run in this process (always the case so far)",
    )
    agent.set_defaults(run=_agent)

    config = commands.add_parser("config", help="inspect the configuration")
    actions = config.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", parents=[location], help="check the configuration for errors"
    )
    check.add_argument("path", nargs="?", metavar="PATH", help="the same as --config")
    check.set_defaults(run=_check)

    _addToken(commands.add_parser("token", help="manage named tokens"), location)

    setup = commands.add_parser(
        "setup",
        parents=[location],
        help="create a configuration and a token, if there are none",
    )
    setup.set_defaults(run=_setUp)
    return parser


def _addToken(token: ArgumentParser, location: ArgumentParser) -> None:
    actions = token.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser(
        "add", parents=[location], help="create a token and print it"
    )
    add.add_argument("label", help="its label: lower-case letters, digits and -")
    add.add_argument(
        "--agent",
        action="append",
        metavar="ID",
        help="an agent that it may use; repeatable (default: all)",
    )
    add.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="a scope that it has; repeatable (default: operator.write)",
    )
    add.add_argument(
        "--max-concurrent", metavar="N", help="limit of concurrent runs (default: none)"
    )
    add.add_argument(
        "--rpm", metavar="N", help="limit of requests per minute (default: none)"
    )
    add.add_argument(
        "--models",
        action="append",
        metavar="MODELS",
        help="models that x-openclaw-model may name: provider/id or patterns, separated"
        " by commas; repeatable (default: those of its agents)",
    )
    add.add_argument(
        "--expires", metavar="WHEN", help="30d, 12h or 2027-01-31 (default: never)"
    )
    add.set_defaults(run=_token)
    listing = actions.add_parser("list", parents=[location], help="list tokens")
    listing.add_argument("--json", action="store_true", help="print one JSON document")
    listing.set_defaults(run=_token)
    revoke = actions.add_parser("revoke", parents=[location], help="revoke a token")
    revoke.add_argument("label")
    revoke.set_defaults(run=_token)
    for action, name in ((add, "add"), (listing, "list"), (revoke, "revoke")):
        action.set_defaults(action=name)


# Subcommands import their modules late: --help takes 12 ms, `agent` 250 ms.


def _locate(arguments: Namespace) -> dict[str, str]:
    from openclaw.cli.location import locateDaemon

    return locateDaemon(os.environ, state=arguments.state, config=arguments.config)


def _token(arguments: Namespace) -> int:
    from openclaw.cli.token import TokenOptions, addToken, listTokens, revokeToken

    environ = _locate(arguments)
    if arguments.action == "list":
        return listTokens(arguments.json, environ, time(), sys.stdout, sys.stderr)
    if arguments.action == "revoke":
        return revokeToken(arguments.label, environ, sys.stdout, sys.stderr)
    options = TokenOptions(
        label=arguments.label,
        agents=arguments.agent,
        scopes=arguments.scope,
        maxConcurrent=arguments.max_concurrent,
        requestsPerMinute=arguments.rpm,
        expires=arguments.expires,
        models=arguments.models,
    )
    return addToken(options, environ, time(), sys.stdout, sys.stderr)


def _agent(arguments: Namespace) -> int:
    from openclaw.cli.agent import TurnOptions, runTurn
    from openclaw.cli.location import describeLocation, isNamed

    try:
        message = sys.stdin.read() if arguments.message == "-" else arguments.message
        message.encode()
    except UnicodeError:
        print("openclaw: The message is not UTF-8 text.", file=sys.stderr)
        return 1
    if not message.strip():
        print("openclaw: The message is empty.", file=sys.stderr)
        return 1
    turn = TurnOptions(
        message=message,
        agent=arguments.agent,
        sessionKey=arguments.session_key,
        json=arguments.json,
    )
    environ = _locate(arguments)
    if not (arguments.state or arguments.config or isNamed(os.environ)):
        print(f"openclaw: {describeLocation(environ)}", file=sys.stderr)
    return runTurn(turn, environ)


def _check(arguments: Namespace) -> int:
    from openclaw.cli.config import check

    if arguments.path is not None:
        arguments.config = arguments.path
    return check(_locate(arguments), sys.stdout, sys.stderr)


def _setUp(arguments: Namespace) -> int:
    from openclaw.cli.setup import setUp

    return setUp(_locate(arguments), sys.stdout, sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command line.

    @param argv: The arguments; by default the process's.

    @return: The exit status.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except OpenClawError as error:
        print(f"openclaw: {error.message}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
