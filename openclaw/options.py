"""
The options of C{twistd openclaw}.
"""

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python.usage import Options as UsageOptions


class Options(UsageOptions, AuthOptionMixin):
    """
    What the command line can say.
    """

    supportedInterfaces = (IUsernamePassword,)
    optParameters = [
        ["config", "c", None, "The configuration file, YAML or JSON5."],
    ]
    longdesc = (
        "Runs the OpenClaw agent gateway. Without --config the file is looked for in"
        " OPENCLAW_CONFIG_PATH, the state directory (OPENCLAW_STATE_DIR, by default"
        " ~/.openclaw) and /etc/openclaw. With --auth, callers may also use HTTP Basic."
    )

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, description: str) -> None:
        """
        Listen on this Twisted endpoint, instead of the configuration's bind and port.
        May be given several times.
        """
        self["listen"].append(description)

    opt_l = opt_listen


__all__ = ["Options"]
