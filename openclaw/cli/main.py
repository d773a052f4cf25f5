"""
The C{openclaw} command: its arguments, and who carries them out.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from openclaw import __version__


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
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

    setup = commands.add_parser(
        "setup", help="write a first configuration and token, if there are none"
    )
    setup.set_defaults(run=_setUp)
    return parser


def _agent(arguments: Namespace) -> int:
    # A reactor and all that runs an agent: half a second that `check` can do without.
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

__all__ = ["main"]
