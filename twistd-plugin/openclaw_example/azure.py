"""
A model provider: models that are deployed in Microsoft's Azure.

They speak OpenAI's dialect at another address, so only that is said here.  What reads
the answers is OpenClaw's, and with it streaming, cancelling, tools and usage.  To speak
a dialect that is really another one, write C{encode} and C{decoder}, too: see
L{openclaw.models.provider.Dialect}.

U{https://learn.microsoft.com/azure/ai-services/openai/reference} describes the API.
"""

from collections.abc import Sequence
from urllib.parse import quote

from openclaw.config import Secret
from openclaw.interfaces import ModelRequest
from openclaw.models.dialects.openai_completions.response import OpenAICompletions

API_VERSION = "2024-10-21"
"""
The version of the API that all of this is about.
"""


class AzureOpenAI(OpenAICompletions):
    """
    The dialect.  What the configuration calls a model is here a deployment, and
    C{baseUrl} the resource's endpoint, C{https://NAME.openai.azure.com}.
    """

    def path(self, request: ModelRequest) -> str:
        """
        Each deployment has its own.
        """
        deployment = quote(request.model, safe="")
        return (
            f"/openai/deployments/{deployment}/chat/completions"
            f"?api-version={API_VERSION}"
        )

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        The key has a header of its own.
        """
        accept = ("Accept", "text/event-stream")
        return [accept] if key is None else [accept, ("api-key", key.reveal())]


__all__ = ["API_VERSION", "AzureOpenAI"]
