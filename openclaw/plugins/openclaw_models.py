"""
Our own ways to reach models.  Made of strings: a dialect is imported when a provider
speaks it.
"""

from openclaw.models.maker import HTTPProviderMaker

openaiCompletions = HTTPProviderMaker(
    "openai-completions",
    "openclaw.models.openai_completions.OpenAICompletions",
    "openclaw.models.openai_embeddings.OpenAIEmbeddings",
)
openaiResponses = HTTPProviderMaker(
    "openai-responses",
    "openclaw.models.openai_responses.OpenAIResponses",
    "openclaw.models.openai_embeddings.OpenAIEmbeddings",
)
anthropicMessages = HTTPProviderMaker(
    "anthropic-messages", "openclaw.models.anthropic_messages.AnthropicMessages"
)
ollama = HTTPProviderMaker(
    "ollama",
    "openclaw.models.ollama.Ollama",
    "openclaw.models.ollama_embeddings.OllamaEmbeddings",
)
googleGenerativeAI = HTTPProviderMaker(
    "google-generative-ai",
    "openclaw.models.google_generative_ai.GoogleGenerativeAI",
    "openclaw.models.google_embeddings.GoogleEmbeddings",
)

__all__ = [
    "anthropicMessages",
    "googleGenerativeAI",
    "ollama",
    "openaiCompletions",
    "openaiResponses",
]
