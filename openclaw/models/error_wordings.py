"""
Patterns in the texts of providers' errors, by their meaning.

Each names the servers that use it.  Where to look for more: C{overflow.ts} of pi,
C{exception_mapping_utils.py} of LiteLLM, and the providers' lists of error codes.
"""

import re
from collections.abc import Iterable
from enum import Enum

READ_CHARACTERS = 4 * 1024
"""
Limit of the characters of an error that are searched for its meaning.
"""


class Meaning(Enum):
    """
    The meaning of an error: the conversation is too long; the account has no credits
    left; the model is unknown; the model does not support the request; the gateway's
    key is invalid.
    """

    TOO_LONG = "too long"
    MONEY = "money"
    UNKNOWN_MODEL = "unknown model"
    INCAPABLE = "incapable"
    KEY = "key"


CODES: dict[str, Meaning] = {
    "API_KEY_INVALID": Meaning.KEY,  # Google calls a wrong key an invalid argument
    "context_length_exceeded": Meaning.TOO_LONG,  # OpenAI, Azure, Groq
    "exceed_context_size_error": Meaning.TOO_LONG,  # llama.cpp
    "context_window_exceeded": Meaning.TOO_LONG,  # Zhipu
    "prompt_too_long": Meaning.TOO_LONG,  # GitHub Copilot
    "model_max_prompt_tokens_exceeded": Meaning.TOO_LONG,  # GitHub Copilot
    "request_too_large": Meaning.TOO_LONG,  # Anthropic, with 413
    "model_context_window_exceeded": Meaning.TOO_LONG,  # Anthropic, Z.ai
    "insufficient_quota": Meaning.MONEY,  # OpenAI
    "billing_not_active": Meaning.MONEY,  # OpenAI
    "billing_hard_limit_reached": Meaning.MONEY,  # OpenAI
    "billing_error": Meaning.MONEY,  # Anthropic, with 402
    "exceeded_current_quota_error": Meaning.MONEY,  # Moonshot
    "insufficient_balance": Meaning.MONEY,  # DeepSeek, SiliconFlow
    "insufficient_credits": Meaning.MONEY,  # OpenRouter, Vercel
    "payment_required": Meaning.MONEY,  # Cerebras, Hugging Face
    "Arrearage": Meaning.MONEY,  # Qwen
    "AllocationQuota.FreeTierOnly": Meaning.MONEY,  # Qwen
    "insufficient_user_quota": Meaning.MONEY,  # New API
    "budget_exceeded": Meaning.MONEY,  # LiteLLM
    "credits_exhausted": Meaning.MONEY,
    "model_not_found": Meaning.UNKNOWN_MODEL,  # OpenAI, Groq, Qwen
    "invalid_model": Meaning.UNKNOWN_MODEL,  # Mistral
    "model_not_supported": Meaning.UNKNOWN_MODEL,  # GitHub Copilot
    "DeploymentNotFound": Meaning.UNKNOWN_MODEL,  # Azure
    "resource_not_found_error": Meaning.UNKNOWN_MODEL,  # Moonshot
    "ModelNotFound": Meaning.UNKNOWN_MODEL,  # Qwen
    "model_not_available": Meaning.UNKNOWN_MODEL,  # Together
    "model_decommissioned": Meaning.UNKNOWN_MODEL,  # Groq
    "model_deprecated": Meaning.UNKNOWN_MODEL,
    "team_model_access_denied": Meaning.UNKNOWN_MODEL,  # LiteLLM, with 401
    "key_model_access_denied": Meaning.UNKNOWN_MODEL,  # LiteLLM, with 401
    "UnsupportedModel": Meaning.UNKNOWN_MODEL,  # Azure
    "NOT_FOUND": Meaning.UNKNOWN_MODEL,  # Google: the path names the model
    "unsupported_api_for_model": Meaning.INCAPABLE,  # GitHub Copilot
    "tool_calls_not_supported": Meaning.INCAPABLE,  # Groq
    "invalid_api_key": Meaning.KEY,  # OpenAI, xAI
}
"""
Codes, types and reasons of errors.
"""

TOO_LONG = (
    r"maximum context length",  # OpenAI, Azure, DeepSeek, Mistral, OpenRouter, vLLM
    r"exceed(?:s|ed)? (?:the |your |this )?(?:model'?s? )?"
    r"(?:maximum )?context (?:window|length|limit|size)",  # OpenAI, LiteLLM
    r"(?:prompt|request|input|conversation|context)(?: token)?(?: length)?"
    r" (?:is )?too long",  # Anthropic, Ollama, Qwen
    r"input token count.{0,40}exceeds the maximum",  # Gemini
    r"input token count is \d+ but model only supports",  # Vertex AI
    r"(?:messages|input)[^'\"]{0,40}['\"]: string too long",  # OpenAI, one message
    r"(?:request|input|prompt) exceeds the maximum (?:allowed )?(?:size|number of"
    r" bytes)",
    # Anthropic
    r"must be at least 1, got -\d",  # vLLM, of the room for an answer
    r"context (?:window|length) (?:overflow|limit reached)|context overflow",
    # Ollama and others
    r"reached context length of",  # LM Studio
    r"`?inputs`? must have less than \d+ tokens",  # Hugging Face TGI
    r"tokens in request more than max tokens allowed",  # Scaleway, Databricks
    r"current length is \d+ while limit is",  # Cerebras
    r"(?:sequence|prompt|input) (?:length )?\(?\d+(?: tokens)?\)? exceeds?"
    r" (?:the )?(?:model'?s )?(?:max|limit)",  # vLLM, MLX, TensorRT-LLM
    r"上下文(?:长度|窗口)?(?:过长|超出|超过)|超[出过](?:最大|模型)?(?:最大)?上下文"
    r"|输入(?:过长|太长)",  # Zhipu, proxies
    r"exceeds the available context size",  # llama.cpp
    r"context size (?:has been|was) exceeded",  # llama.cpp, also with 500
    r"input (?:\(\d+ tokens\) )?is too large to process",  # llama.cpp, of embeddings
    r"exceed(?:s|ed)? (?:the )?(?:max(?:imum)? |model )?(?:context length|token limit)",
    # Ollama, Moonshot
    r"(?<!rate )\b(?:max )?token limit exceeded",
    r"(?:greater|longer) than the (?:model'?s )?(?:maximum )?context length",
    # LM Studio, Together, SGLang
    r"context length is only \d+",  # vLLM
    r"too long to fit into the model",  # vLLM
    r"(?:prompt|decoder prompt|input)[^.]{0,40} longer than the maximum model length",
    # vLLM
    r"max_model_len",  # vLLM
    r"reduce the length of the (?:messages|input|prompt)",  # Groq, vLLM
    r"maximum prompt length is",  # xAI
    r"prompt token count of \d+ exceeds the limit",  # GitHub Copilot
    r"input is too long for requested model",  # Bedrock
    r"exceeds? the maximum (?:allowed )?(?:input|number of input|prompt)"
    r" (?:length|tokens)",  # OpenRouter, Bedrock
    r"too many (?:input )?tokens(?: (?:in|for) (?:the )?(?:prompt|request|model|input)"
    r"|\.|: size limit)",  # Cohere, Bedrock
    r"context window (?:exceeds limit|is full)",  # MiniMax
    r"prompt exceeds max length",  # Zhipu
    r"range of input length should be",  # Qwen
    r"`?inputs`? tokens \+ `?max_new_tokens`? must be",  # Hugging Face TGI
    r"prompt has [\d,]+ tokens?, but the configured context",  # mistral.rs
    r"too large for model with \d+ maximum context",  # DS4
    r"context[ _-]?(?:length|window|limit)[ _-]?exceeded",  # LiteLLM
)

MONEY = (
    r"credit balance is too low",  # Anthropic, with 400
    r"insufficient (?:\w+ ){0,4}?(?:balance|credits?|funds|quota)\b",
    # DeepSeek, OpenRouter, Moonshot, Venice
    r"(?:balance|credits?|funds) (?:is|are) (?:\w+ )?(?:insufficient|depleted|exhausted"
    r"|too low|used up)",  # SiliconFlow, Google
    r"(?:have|has|with) (?:no|zero|0)(?: \w+)? credits?\b|any credits (?:yet|left)"
    r"|out of credits|no (?:remaining )?credits",  # xAI, and others
    r"(?:account|token|key|wallet) balance",  # Moonshot
    r"no payment method|add (?:a )?(?:payment method|funds)|top up your",
    r"billing to be enabled|enable billing",  # Google
    r"(?:over|exceeded) budget|budget has been exceeded",  # LiteLLM
    r"key limit exceeded",  # OpenRouter, with 403
    r"reached your specified (?:api |workspace )?usage limits",  # Anthropic, with 400
    r"free (?:tier|quota|allocated quota)[^.]{0,40} exhausted",  # Qwen
    r"spend(?:ing)? (?:limit|cap)(?: has been| was)? (?:reached|exceeded)",
    # Together, Anthropic
    r"maximum allowed monthly spending",  # Together
    r"(?:requires|need|purchase|add|buy) more credits",  # OpenRouter
    r"never purchased credits",  # OpenRouter
    r"used all available credits|monthly spending limit",  # xAI, with 403 or 429
    r"exceeded your monthly included credits",  # Hugging Face
    r"credit limit exceeded",  # Together
    r"account is not active, please check your billing",  # OpenAI
    r"billing (?:hard )?limit",  # OpenAI
    r"suspended[^.]{0,60}(?:balance|billing|spending|payment)",  # Fireworks, Moonshot
    r"account is in good standing|overdue[ -]payment",  # Qwen
    r"余额不足|欠费",  # Zhipu, Qwen
    r"payment required",
)

QUOTA = r"exceeded your current quota"
"""
OpenAI's text for a lack of credits, and Google's for a rate limit, which comes with the
time until a retry.
"""

UNKNOWN_MODEL = (
    r"\bmodels?\b[^.]{0,120} (?:does not exist|not exist|do(?:es)?n't exist)",
    # OpenAI, vLLM, Groq, xAI, Cerebras, DeepSeek, Qwen
    r"\bmodels?[ /:'\"`][^.]{0,120}(?:was |is |were )?not found\b",  # Ollama, Google
    r"model[_ ]not[_ ]found|not found the model|no such model",  # Moonshot
    r"(?:invalid|unknown) model\b",  # Mistral, LiteLLM
    r"is not a valid model",  # OpenRouter
    r"no endpoints found for",  # OpenRouter
    r"unable to access model",  # Together
    r"(?:does|do) not have access to (?:the )?model",  # OpenAI, with 403
    r"supported (?:api )?model names are",  # DeepSeek
    r"llm provider not provided|no healthy deployments? for",  # LiteLLM
    r"not allowed to access model",  # LiteLLM
    r"(?:could not|couldn't|can't|cannot|unable to|failed to) (?:find|load|locate)"
    r" (?:the )?model\b",
    r"\bmodel (?:\S+ )?(?:is )?not (?:available|loaded|deployed)\b|no models loaded",
    # LM Studio, and others
    r"provided model identifier is invalid",  # Bedrock
    r"requested model is not supported",  # GitHub Copilot
    r"api deployment for this resource does not exist",  # Azure
    r"\bmodel\b.{0,80} (?:has been|is|was) (?:deprecated|decommissioned|retired|removed"
    r"|shut down)",
    # Groq, OpenAI
)

INCAPABLE = (
    r"(?:does|do) not (?:currently )?support (?:\w+ ){0,3}?(?:tools?|functions?|images?"
    r"|vision|thinking|reasoning|multimodal|multi-modal|audio|video|files?|pdfs?"
    r"|json|structured|response_format|system|developer|streaming|logprobs|the "
    r"|chat|tool_choice|parallel)",  # Ollama, Together, DeepSeek
    r"(?:tool|function)[ _-]?(?:use|calling|calls?|choice)`? (?:is|are) not"
    r" (?:supported|enabled|available)",  # Groq, Mistral, Gemini
    r"(?:image|vision|audio|video|file|pdf|document|multi-?modal)s?(?: inputs?| content"
    r"|_url)?s?(?: modality)? (?:(?:is|are) )?(?:not|only) (?:supported|enabled"
    r"|available)",
    # llama.cpp, OpenAI, Google
    r"(?:image_url|input_audio|input_image|input_file) (?:is )?(?:unsupported|not)",
    r"developer instruction is not enabled",  # Gemma
    r"content`?['\"]? ?:? ?(?:value )?must be a string",  # Groq, text only
    r"does not support parameters: \[",  # LiteLLM
    r"no endpoints (?:available )?matching your",  # OpenRouter
    r"not supported by (?:the|this) model",
    r"no endpoints found that (?:support|can handle)",  # OpenRouter
    r"not (?:a )?(?:multimodal|multi-modal|vision|chat)\b(?: model)?",  # vLLM
    r"at most 0 (?:image|audio|video)",  # vLLM
    r"requires --(?:enable-auto-tool-choice|tool-call-parser|jinja|mmproj)",
    # vLLM, llama.cpp
    r"(?:tools|tool_choice) param requires --jinja",  # llama.cpp
    r"unknown variant `(?:image_url|input_audio|file)`",  # DeepSeek
    r"not supported (?:with|by|for|in|on) (?:this|the (?:requested|selected)) model",
    # OpenAI, Groq
    r"(?:this|the) model (?:does not|doesn't|cannot|can't) (?:support|accept|use)",
)

KEY = (
    r"(?:incorrect|invalid) (?:x-)?api[ -]?key",  # OpenAI, xAI, Anthropic
    r"api key (?:is )?(?:not valid|invalid|expired|missing)",  # Google
)


def _pattern(wordings: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in wordings), re.I)


_WORDINGS = (
    (Meaning.KEY, _pattern(KEY)),
    (Meaning.MONEY, _pattern(MONEY)),
    (Meaning.TOO_LONG, _pattern(TOO_LONG)),
    (Meaning.UNKNOWN_MODEL, _pattern(UNKNOWN_MODEL)),
    (Meaning.INCAPABLE, _pattern(INCAPABLE)),
)
_QUOTA = re.compile(QUOTA, re.I)
_WAIT = re.compile(r"retry in \d|RetryInfo|retry_?delay|try again in", re.I)


def meaningOf(codes: Iterable[str], text: str) -> Meaning | None:
    """
    Find the meaning of an error.

    @param codes: Its codes, types and reasons.
    @param text: Its message.
    """
    text = text[:READ_CHARACTERS]
    for code in codes:
        if code in CODES:
            return CODES[code]
    for meaning, pattern in _WORDINGS:
        if pattern.search(text):
            return meaning
    if _QUOTA.search(text) and not _WAIT.search(text):
        return Meaning.MONEY
    return None


_NAME = r"[`'\"]?(?P<field>[A-Za-z_][\w.\[\]-]{0,80})[`'\"]?"

UNKNOWN_FIELD = (
    # OpenAI, Azure
    rf"(?:unknown|unsupported|unrecognized) (?:request )?(?:parameter|argument)"
    rf"(?:\(s\)|s)?(?: supplied)?: {_NAME}",
    rf"unsupported value: {_NAME} does not support",  # OpenAI
    rf"unrecognized (?:request )?arguments? supplied: {_NAME}",  # OpenAI
    rf"{_NAME} is deprecated for this model",  # Anthropic
    rf"{_NAME}: extra inputs are not permitted",  # Anthropic
    rf"extra inputs are not permitted, field: {_NAME}",  # Fireworks
    rf"unknown name {_NAME}",  # Google
    rf"property {_NAME} is (?:unsupported|not supported)",  # Groq
    rf"additional properties are not allowed \({_NAME}",  # jsonschema
    rf"unknown field {_NAME}",  # Go, serde
    rf"unrecognized (?:key|field)(?:\(s\)|s)?(?: in object)?:? {_NAME}",  # zod
    rf"unexpected keyword argument {_NAME}",  # Python
    rf"(?:argument|parameter) not supported on this model: {_NAME}",  # xAI
    rf"unexpected (?:field|parameter|property):? {_NAME}",
    rf"(?:parameter|field|argument|property):? {_NAME} (?:is|are) not"
    rf" (?:supported|allowed|permitted|recognized)",  # Together, Cerebras
    rf"does not support (?:the )?(?:parameter|argument)s?:? {_NAME}",  # xAI
    r"does not support (?:parameter )?(?P<other>[a-z]+[A-Z_]\w+)",  # xAI, LiteLLM
    rf"{_NAME} (?:is|are) not supported (?:with|by|for|in|on) (?:this|the) model",
)
_UNKNOWN_FIELD = tuple(re.compile(each, re.I) for each in UNKNOWN_FIELD)

OPTIONAL_FIELDS = {
    **{
        name: name
        for name in (
            "cache_control",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
            "max_tokens",
            "metadata",
            "min_p",
            "parallel_tool_calls",
            "presence_penalty",
            "prompt_cache_key",
            "reasoning",
            "reasoning_content",
            "reasoning_effort",
            "safety_identifier",
            "seed",
            "service_tier",
            "stop",
            "store",
            "stream_options",
            "strict",
            "temperature",
            "top_k",
            "top_logprobs",
            "top_p",
            "verbosity",
        )
    },
    "frequencyPenalty": "frequency_penalty",
    "include_usage": "stream_options",
    "logitBias": "logit_bias",
    "parallelToolCalls": "parallel_tool_calls",
    "presencePenalty": "presence_penalty",
    "random_seed": "seed",
    "reasoningEffort": "reasoning_effort",
    "stop_sequences": "stop",
    "stopSequences": "stop",
    "streamOptions": "stream_options",
    "topK": "top_k",
    "topP": "top_p",
}
"""
Fields that can be left out of a request, by their wire names, which are OpenAI's.
"""


def optionalField(path: Iterable[object]) -> str | None:
    """
    Return the optional field in a path.

    @param path: Such as C{("body", "tools", 0, "function", "strict")}.
    """
    for part in reversed([str(each) for each in path]):
        if part in OPTIONAL_FIELDS:
            return OPTIONAL_FIELDS[part]
        if not part.isdigit():
            return None
    return None


def rejectedFields(text: str) -> list[str]:
    """
    Find the optional fields that an error reports as unknown or unsupported.
    """
    text = text[:READ_CHARACTERS]
    found: dict[str, None] = {}
    for pattern in _UNKNOWN_FIELD:
        for match in pattern.finditer(text):
            path = (match["field"] if "field" in pattern.groupindex else "") or match[
                "other" if "other" in pattern.groupindex else 0
            ]
            name = optionalField(re.split(r"[.\[\]]+", path.strip(".]")))
            if name is not None:
                found[name] = None
    return list(found)
