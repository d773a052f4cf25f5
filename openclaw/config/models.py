"""
The keys of C{models}: where models are, and how one is named.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from msgspec import Struct

from openclaw.config.secret import Secret
from openclaw.config.value_types import (
    BaseURL,
    ContextSize,
    Dialect,
    HeaderName,
    Modality,
    ModelID,
    Parallel,
    ProviderName,
    Seconds,
    Threads,
    Tokens,
)

LOCAL_PROVIDER = "local"
"""
The name under which the embedded model is found; nobody else's.
"""

LOCAL_MODEL = "smollm2-135m-instruct"
"""
The id of the embedded model that comes as a package.
"""


class ModelRef(Struct, frozen=True):
    """
    A model and where it is.  Written C{provider/id}; the first C{/} is what
    separates, since a model id may hold more of them.

    @ivar provider: The name of an entry of C{models.providers}, or C{local}.
    @ivar model: The provider's own id of the model.
    """

    expectation: ClassVar[str] = 'a model as "provider/id"'

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """
        Read the written form.

        @raise ValueError: It is not of that form.
        """
        provider, slash, model = text.partition("/")
        if not (slash and provider and model) or text.split() != [text]:
            raise ValueError(f"expected {cls.expectation}")
        return cls(provider, model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ModelChoice(Struct, frozen=True, kw_only=True):
    """
    The model to ask. In the file a plain string stands for C{primary} alone.

    @ivar primary: The model that is asked first.
    @ivar fallbacks: The ones that are asked in turn when it fails.  Default: none.
    """

    shorthand: ClassVar[str] = "primary"
    expectation: ClassVar[str] = (
        'a model as "provider/id", or a mapping with "primary" and "fallbacks"'
    )

    primary: ModelRef
    fallbacks: tuple[ModelRef, ...] = ()


class Model(Struct, frozen=True, kw_only=True):
    """
    A model of a provider.  In the file a plain string stands for C{id} alone.

    @ivar id: The provider's own id of it.
    @ivar name: A name for people.  Default: the id.
    @ivar contextWindow: How much it can read, in tokens.  Default: unknown.
    @ivar maxTokens: The most it can answer, in tokens.  Default: unknown.
    @ivar input: What it can read.  Default: text.
    @ivar reasoning: Does it think before it answers?  Default: no.
    """

    shorthand: ClassVar[str] = "id"
    expectation: ClassVar[str] = 'a model id, or a mapping with "id"'

    id: ModelID
    name: str | None = None
    contextWindow: Tokens | None = None
    maxTokens: Tokens | None = None
    input: tuple[Modality, ...] = ("text",)
    reasoning: bool = False


class Provider(Struct, frozen=True, kw_only=True):
    """
    A service that has models.

    @ivar baseUrl: Where it is, such as C{https://api.example.com/v1}.
    @ivar apiKey: The key to show it.  Default: none is shown.
    @ivar api: The dialect it speaks: C{openai-completions}, which is the default,
        C{openai-responses}, C{anthropic-messages}, C{ollama},
        C{google-generative-ai}, or that of a plug-in.
    @ivar headers: HTTP headers to add to each request.  Default: none.
    @ivar connectTimeoutSeconds: How long connecting may take.  Default: 10.
    @ivar timeoutSeconds: The longest silence between two bytes of an answer.
        Default: 120.
    @ivar models: What it has.  Empty, the default, stands for any model id.
    """

    baseUrl: BaseURL
    apiKey: Secret | None = None
    api: Dialect = "openai-completions"
    headers: Mapping[HeaderName, Secret] = {}
    connectTimeoutSeconds: Seconds = 10
    timeoutSeconds: Seconds = 120
    models: tuple[Model, ...] = ()


class LocalModel(Struct, frozen=True, kw_only=True):
    """
    The embedded model, which runs in a process of its own.

    @ivar id: Its id behind C{local/}.  Default: L{LOCAL_MODEL}.
    @ivar modelPath: A GGUF file.  Default: the packaged weights.
    @ivar start: When its process starts: C{firstUse}, the default, or C{atOnce}.
    @ivar contextSize: How much each of its conversations can hold, in tokens.
        Default: 4096.
    @ivar maxTokens: The longest answer where a request names no limit, in tokens.
        Default: 512.
    @ivar parallel: How many answers it works on at once.  Default: 2.
    @ivar threads: The processor threads it uses.  Default: its own choice.
    """

    id: ModelID = LOCAL_MODEL
    modelPath: Path | None = None
    start: Literal["firstUse", "atOnce"] = "firstUse"
    contextSize: ContextSize = 4096
    maxTokens: Tokens = 512
    parallel: Parallel = 2
    threads: Threads | None = None


class Models(Struct, frozen=True, kw_only=True):
    """
    The providers of models.

    @ivar providers: Services by the name that stands before the C{/} of a model.
        The name C{local} is taken.
    """

    providers: Mapping[ProviderName, Provider] = {}
    local: LocalModel = LocalModel()
