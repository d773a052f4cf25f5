"""
Types of plain values: their ranges and spellings.

Each is an annotated type.  Its C{description}, if it has one, is the expectation in an
error message; otherwise the range is.
"""

from typing import Annotated, Literal

from msgspec import Meta

from openclaw.config.secret import Secret

# At most a week: more is a typing error, and a timer too long for the operating
# system stops the reactor.
Seconds = Annotated[float, Meta(gt=0, le=604800)]
SecondsOrZero = Annotated[float, Meta(ge=0, le=604800)]
Port = Annotated[int, Meta(ge=0, le=65535)]
RemotePort = Annotated[int, Meta(ge=1, le=65535)]
Amount = Annotated[int, Meta(ge=1, le=1_000_000)]
AmountOrZero = Annotated[int, Meta(ge=0, le=1_000_000)]
Milliseconds = Annotated[int, Meta(ge=1, le=604_800_000)]
Tokens = Annotated[int, Meta(ge=1, le=100_000_000)]
ContextSize = Annotated[int, Meta(ge=256, le=1_048_576)]
Parallel = Annotated[int, Meta(ge=1, le=64)]
Threads = Annotated[int, Meta(ge=1, le=1024)]
Workers = Annotated[int, Meta(ge=1, le=64)]
Bytes = Annotated[int, Meta(ge=1, le=1_073_741_824)]
BodyBytes = Annotated[int, Meta(ge=1024, le=1_073_741_824)]
AllBytes = Annotated[int, Meta(ge=1024, le=1_099_511_627_776)]
Bind = Annotated[str, Meta(description='"loopback", "lan", "custom" or an IP address')]
Host = Annotated[str, Meta(description="an IP address")]
# The host bits of a network must be 0: 10.0.0.5/8 may not be meant as all of 10.
ProxyAddress = Annotated[
    str,
    Meta(
        description=(
            'an IP address, a network such as "10.0.0.0/8" (not that of all addresses) '
            'or "unix"'
        )
    ),
]
NO_PROXY = "direct"
"""
In place of a proxy: connect directly, whatever the environment says.
"""

ProxyURL = Annotated[
    Secret, Meta(description=f'the URL of an http or https proxy, or "{NO_PROXY}"')
]
BaseURL = Annotated[str, Meta(description="an http or https URL")]
AgentID = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z",
        description=(
            'an agent id (a letter or digit, then at most 63 letters, digits, "_" '
            'or "-")'
        ),
    ),
]
ProviderName = Annotated[
    str,
    Meta(pattern=r"\A[^/\s]+\Z", description='a name without blanks and "/"'),
]
ModelID = Annotated[
    str, Meta(pattern=r"\A\S+\Z", description="a model id without blanks")
]
Dialect = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9-]+\Z",
        description=(
            'the name of a dialect, such as "openai-completions" (lower-case letters, '
            'digits and "-")'
        ),
    ),
]
# The names that every provider accepts for a function.
ToolName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9_-]{1,64}\Z",
        description=(
            'the name of a tool (at most 64 letters, digits, "_" and "-", without '
            "wildcards)"
        ),
    ),
]
VariableName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z_][A-Za-z0-9_]*\Z",
        description="the name of an environment variable",
    ),
]
AbsolutePath = Annotated[
    str,
    Meta(
        pattern=r"\A/[^\x00]*\Z",
        description="an absolute path",
    ),
]
HostPattern = Annotated[
    str,
    Meta(
        pattern=r"\A(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z",
        description='a host name, or "*." and a domain for all hosts below it',
    ),
]
Origin = Annotated[
    str,
    Meta(
        pattern=r"\A(\*|[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+)\Z",
        description=(
            'the origin of web pages as browsers write it, such as "https://example.com"'
            ' (in lower case, without a path), or "*"'
        ),
    ),
]
HeaderName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z",
        description="a name that HTTP allows for a header",
    ),
]

ParamName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z",
        description="the name of a field of a request",
    ),
]

MaxTokensField = Literal["max_tokens", "max_completion_tokens"]
ThinkingFormat = Literal[
    "openai",
    "openrouter",
    "deepseek",
    "together",
    "zai",
    "qwen",
    "qwen-chat-template",
]
AuthMode = Literal["token", "password", "none", "trusted-proxy"]
Level = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["text", "json"]
Modality = Literal["text", "image"]
SandboxMode = Literal["auto", "bubblewrap", "none"]
ToolProfile = Literal["none", "readonly", "coding", "full"]
