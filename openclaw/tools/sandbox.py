"""
The sandbox of commands: C{bubblewrap}.

In it, a command sees the system's programs and libraries, read-only, and the workspace.
It does not see home directories, the state directory, other workspaces, other processes
or, unless it is allowed, the network.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from openclaw.config.tools import ExecSettings

PROGRAM = "bwrap"
TEMPORARY_BYTES = 256 * 1024 * 1024
SHARED_BYTES = 64 * 1024 * 1024
"""
Sizes of C{/tmp}, and of C{/var/tmp} and C{/dev/shm}, which are memory.
"""

PROBE_SECONDS = 20
LAUNCHER = "/run/openclaw/reaper.py"

SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""
Directories of the root that programs need beside C{/usr}, of which they may be a part.
"""

SETTINGS = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki/tls/certs",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "resolv.conf",
    "services",
    "shells",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
"""
The files of C{/etc} that are shown.  The rest may have secrets.
"""


class NoSandbox(Exception):
    """
    Commands can't be run in a sandbox here.  The message says why.
    """


@dataclass(frozen=True)
class Sandbox:
    """
    A sandbox that works here.

    @ivar program: The path of C{bwrap}.
    @ivar options: Options that not every version and system has.
    """

    program: str
    options: tuple[str, ...]

    def wrap(
        self,
        command: Sequence[str],
        program: Path,
        workspace: str,
        settings: ExecSettings,
    ) -> list[str]:
        """
        Return the arguments that run a Python program in the sandbox.

        @param command: The interpreter's options and the program's arguments, with
            L{LAUNCHER} for C{program}.
        @param workspace: The directory that can be written.
        """
        return [
            self.program,
            "--unshare-all",
            *(["--share-net"] if settings.network else []),
            "--die-with-parent",
            "--as-pid-1",
            *("--cap-drop", "ALL"),
            *self.options,
            *_mountSystem(),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--size", str(SHARED_BYTES), "--tmpfs", "/dev/shm"),
            *("--size", str(TEMPORARY_BYTES), "--tmpfs", "/tmp"),
            *("--size", str(SHARED_BYTES), "--tmpfs", "/var/tmp"),
            *_mountInterpreter(),
            *_mountReadOnly(settings.readOnlyPaths),
            *("--ro-bind", str(program), LAUNCHER),
            *("--bind", workspace, workspace),
            *("--remount-ro", "/dev", "--remount-ro", "/"),
            "--",
            _interpreter(),
            *command,
        ]


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


def _mountSystem() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for name in SETTINGS:
        path = Path("/etc", name)
        if path.exists():
            # The target of a link may be where the sandbox has nothing.
            yield from ("--ro-bind-try", os.path.realpath(path), str(path))


def _mountInterpreter() -> Iterator[str]:
    """
    Mount the interpreter and its library, for L{openclaw.tools.reaper}, unless they are
    the system's.
    """
    paths = {sys.base_prefix, sys.base_exec_prefix}
    if not any(Path(_interpreter()).is_relative_to(path) for path in paths):
        paths.add(_interpreter())
    for path in sorted(paths):
        if not Path(path).is_relative_to("/usr"):
            yield from ("--ro-bind", path, path)


def _mountReadOnly(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        yield from ("--ro-bind-try", path, path)


_found: dict[str, Sandbox] = {}
_lock = Lock()


def findSandbox(environ: Mapping[str, str] = os.environ) -> Sandbox:
    """
    Find a sandbox and try it, once.  Blocks.

    @raise NoSandbox: There is none that works.
    """
    program = shutil.which(PROGRAM, path=environ.get("PATH"))
    if program is None:
        raise NoSandbox("bwrap is not installed (Debian's package bubblewrap)")
    with _lock:
        if program not in _found:
            _found[program] = _probe(program)
        return _found[program]


def _probe(program: str) -> Sandbox:
    """
    Try a sandbox: the system may not permit namespaces.
    """
    reason = ""
    # Within the sandbox nobody needs namespaces, which widen what can be attacked.
    for options in (("--unshare-user", "--disable-userns"), ()):
        sandbox = Sandbox(program, options)
        with tempfile.TemporaryDirectory() as directory:
            script = Path(directory, "probe.py")
            script.write_text(
                "import os; assert os.getpid() == 1; os.listdir('/proc/1')"
            )
            arguments = sandbox.wrap(
                ["-I", "-S", LAUNCHER], script, directory, ExecSettings()
            )
            try:
                ran = subprocess.run(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=PROBE_SECONDS,
                    env={},
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                reason = str(error)
                continue
        if ran.returncode == 0:
            return sandbox
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = reason or (lines[-1] if lines else f"status {ran.returncode}")
    raise NoSandbox(f"bwrap does not work here: {reason}")


def resolveSandbox(settings: ExecSettings) -> Sandbox | None:
    """
    Return the sandbox of commands, or C{None} if they run without one.  Blocks.

    @raise NoSandbox: One is required, and there is none that works.
    """
    if settings.sandbox == "none":
        return None
    try:
        return findSandbox()
    except NoSandbox:
        if settings.sandbox == "bubblewrap":
            raise
        return None


def checkSandbox(settings: ExecSettings) -> list[str]:
    """
    Check that a sandbox that is required works.  Blocks.

    @return: One line, which begins with the key of the configuration; or nothing.
    """
    try:
        resolveSandbox(settings)
    except NoSandbox as error:
        return [f"tools.exec.sandbox: {error}"]
    return []


def describeSandbox(settings: ExecSettings) -> str:
    """
    Say in which sandbox commands run.  Blocks.
    """
    if settings.sandbox == "none":
        return "exec runs commands without a sandbox, as tools.exec.sandbox says"
    try:
        findSandbox()
    except NoSandbox as error:
        return f"exec runs commands without a sandbox: {error}"
    network = "with the network" if settings.network else "without network"
    return f"exec runs commands in a sandbox (bubblewrap), {network}"
