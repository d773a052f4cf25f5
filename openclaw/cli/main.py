"""
The C{openclaw} command: its arguments, and who carries them out.
"""

import os
import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Sequence
from time import time
from typing import Any

from openclaw import __version__


class _StoreOnce(Action):
    """
    Store a value, and refuse a second one.  argparse would forget the first.
    """

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """
        See L{Action}.
        """
        given: set[str] = vars(namespace).setdefault("given", set())
        if option_string is not None and self.dest in given:
            parser.error(f"argument {option_string}: may be given only once")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class _Parser(ArgumentParser):
    """
    A parser, and those of its commands, whose options count once.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for name in (None, "store"):
            self.register("action", name, _StoreOnce)


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="openclaw",
        description="The agent gateway's command. The daemon is `twistd openclaw`.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    agent = commands.add_parser("agent", help="run one turn of an agent")
    agent.add_argument(
        "-m", "--message", required=True, help="what to say; - reads it from stdin"
    )
    agent.add_argument("--agent", metavar="ID", help="the agent (by default the main)")
    agent.add_argument("--session-key", metavar="KEY", help="the conversation")
    agent.add_argument("--json", action="store_true", help="print one JSON document")
    agent.add_argument(
        "--local", action="store_true", help="run in this process (the only way yet)"
    )
    agent.add_argument("--config", metavar="PATH", help="the configuration file")
    agent.set_defaults(run=_agent)

    config = commands.add_parser("config", help="look at the configuration")
    actions = config.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="say what is wrong with it")
    check.add_argument("path", nargs="?", metavar="PATH")
    check.set_defaults(run=_check)

    _addToken(commands.add_parser("token", help="say who else may come in"))

    setup = commands.add_parser(
        "setup", help="write a first configuration and token, if there are none"
    )
    setup.set_defaults(run=_setUp)
    return parser


def _addToken(token: ArgumentParser) -> None:
    actions = token.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="make a token, and show it once")
    add.add_argument("label", help="its name: lower-case letters, digits and -")
    add.add_argument(
        "--agent",
        action="append",
        metavar="ID",
        help="an agent that it may use, may be given again (by default all)",
    )
    add.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="what it may do, may be given again (by default operator.write)",
    )
    add.add_argument(
        "--max-concurrent", metavar="N", help="the most runs at once (no bound)"
    )
    add.add_argument(
        "--rpm", metavar="N", help="the most requests in a minute (no bound)"
    )
    add.add_argument(
        "--models",
        action="append",
        metavar="MODELS",
        help="the models that x-openclaw-model may name: provider/id or patterns, with"
        " commas (by default those of its agents)",
    )
    add.add_argument(
        "--expires", metavar="WHEN", help="such as 30d, 12h or 2027-01-31 (never)"
    )
    add.set_defaults(run=_token)
    listing = actions.add_parser("list", help="show which there are")
    listing.add_argument("--json", action="store_true", help="print one JSON document")
    listing.set_defaults(run=_token)
    revoke = actions.add_parser("revoke", help="make one worthless, at once")
    revoke.add_argument("label")
    revoke.set_defaults(run=_token)
    for action, name in ((add, "add"), (listing, "list"), (revoke, "revoke")):
        action.set_defaults(action=name)


# Each command imports what it needs: the help takes 12 ms, a turn of an agent 250.


def _token(arguments: Namespace) -> int:
    from openclaw.cli.token import Wanted, addToken, listTokens, revokeToken

    environ = dict(os.environ)
    if arguments.action == "list":
        return listTokens(arguments.json, environ, time(), sys.stdout, sys.stderr)
    if arguments.action == "revoke":
        return revokeToken(arguments.label, environ, sys.stdout, sys.stderr)
    wanted = Wanted(
        label=arguments.label,
        agents=arguments.agent,
        scopes=arguments.scope,
        maxConcurrent=arguments.max_concurrent,
        requestsPerMinute=arguments.rpm,
        expires=arguments.expires,
        models=arguments.models,
    )
    return addToken(wanted, environ, time(), sys.stdout, sys.stderr)


def _agent(arguments: Namespace) -> int:
    from openclaw.cli.agent import Turn, takeTurn

    try:
        message = sys.stdin.read() if arguments.message == "-" else arguments.message
        message.encode()
    except UnicodeError:
        print("openclaw: The message is not UTF-8 text.", file=sys.stderr)
        return 1
    if not message.strip():
        print("openclaw: The message is empty.", file=sys.stderr)
        return 1
    turn = Turn(
        message=message,
        agent=arguments.agent,
        sessionKey=arguments.session_key,
        config=arguments.config,
        json=arguments.json,
    )
    return takeTurn(turn, dict(os.environ))


def _check(arguments: Namespace) -> int:
    from openclaw.cli.config import check

    return check(arguments.path, dict(os.environ), sys.stdout, sys.stderr)


def _setUp(arguments: Namespace) -> int:
    from openclaw.cli.setup import setUp

    return setUp(dict(os.environ), sys.stdout, sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Carry out a command line.

    @param argv: The arguments, by default the process's.

    @return: The exit status.
    """
    arguments = _parser().parse_args(argv)
    status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
