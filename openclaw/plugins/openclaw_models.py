"""
The dialects that OpenClaw ships, registered as plug-ins.

They are registered by name, since a dialect is imported when a provider speaks it.
"""

from openclaw.models.provider_maker import HTTPProviderMaker

openaiCompletions = HTTPProviderMaker(
    "openai-completions",
    "openclaw.models.dialects.openai_completions.response.OpenAICompletions",
    "openclaw.models.dialects.openai_completions.embedding.OpenAIEmbeddings",
)
openaiResponses = HTTPProviderMaker(
    "openai-responses",
    "openclaw.models.dialects.openai_responses.response.OpenAIResponses",
    "openclaw.models.dialects.openai_completions.embedding.OpenAIEmbeddings",
)
anthropicMessages = HTTPProviderMaker(
    "anthropic-messages",
    "openclaw.models.dialects.anthropic_messages.response.AnthropicMessages",
)
ollama = HTTPProviderMaker(
    "ollama",
    "openclaw.models.dialects.ollama.chat.Ollama",
    "openclaw.models.dialects.ollama.embedding.OllamaEmbeddings",
)
googleGenerativeAI = HTTPProviderMaker(
    "google-generative-ai",
    "openclaw.models.dialects.google_generative_ai.response.GoogleGenerativeAI",
    "openclaw.models.dialects.google_generative_ai.embedding.GoogleEmbeddings",
)
