"""
The table of what each provider accepts.

Later rows take precedence, and each has its source.  Fields that a provider ignores
without an error are listed, too, so that they are reported to the caller.
"""

from openclaw.models.model_families import (
    ANTHROPIC,
    COMPLETIONS,
    FAMILIES,
    GOOGLE,
    OLLAMA,
    REASONING_REFUSES,
    RESPONSES,
)
from openclaw.models.profiles import ProfileRow

_OPENAI_ONLY = (
    "metadata",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
)
"""
Fields of OpenAI that few other servers have.
"""

_SAMPLERS = ("min_p", "top_k")
"""
Fields that OpenAI does not have, and many others do.
"""

_SELF_HOSTED = {
    "dropParams": _OPENAI_ONLY,
    "maxTokensField": "max_tokens",
    # The chat templates of Gemma, Mistral and Llama 2 raise "Conversation roles must
    # alternate user/assistant/user/assistant/...".
    "requiresAlternation": True,
    "supportsStore": False,
}

PROVIDERS: tuple[ProfileRow, ...] = (
    # The APIs
    # https://platform.claude.com/docs/en/api/messages/create: the body has top_k and
    # service_tier; metadata has nothing but user_id.
    ProfileRow(
        apis=(ANTHROPIC,),
        changes={
            "dropParams": (
                "metadata",
                "min_p",
                "prompt_cache_key",
                "store",
                "verbosity",
            ),
            "maxTemperature": 1.0,
            # A schema must forbid other members.
            "supportsAnyObjectSchema": False,
            "supportsCacheControl": True,
            "supportsJsonObject": False,
        },
    ),
    # https://ai.google.dev/api/generate-content#generationconfig: topK is there.
    ProfileRow(
        apis=(GOOGLE,),
        changes={
            "dropParams": (*_OPENAI_ONLY, "min_p"),
            "supportsParallelToolCalls": False,
        },
    ),
    # https://docs.ollama.com/modelfile#valid-parameters-and-values: options has top_k
    # and min_p.
    ProfileRow(
        apis=(OLLAMA,),
        changes={
            "dropParams": _OPENAI_ONLY,
            "supportsNamedToolChoice": False,
            "supportsParallelToolCalls": False,
            "supportsToolChoice": False,
        },
    ),
    # https://platform.openai.com/docs/api-reference/responses/create
    ProfileRow(apis=(RESPONSES,), changes={"dropParams": _SAMPLERS}),
    # Providers that speak chat completions
    # https://platform.openai.com/docs/api-reference/chat/create: "max_tokens" is
    # deprecated; https://platform.openai.com/docs/guides/prompt-caching
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        hosts=("api.openai.com",),
        names=("openai",),
        changes={
            "dropParams": _SAMPLERS,
            "maxTokensField": "max_completion_tokens",
            "supportsPromptCacheKey": True,
        },
    ),
    # Others that call themselves so may not know the role.
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        hosts=("api.openai.com",),
        changes={"supportsDeveloperRole": True},
    ),
    # https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference-preview
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        hosts=(
            "openai.azure.com",
            "services.ai.azure.com",
            "cognitiveservices.azure.com",
        ),
        names=("azure", "azure-openai", "microsoft-foundry"),
        changes={"dropParams": _SAMPLERS, "supportsPromptCacheKey": True},
    ),
    # https://docs.mistral.ai/api/#tag/chat and mistralai 3.7: unknown fields are 422
    # extra_forbidden, also in messages; the seed is random_seed; ids of calls have
    # nine characters; usage comes without being asked for.
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("mistral.ai",),
        names=("mistral", "mistralai"),
        changes={
            "dropParams": (
                "logit_bias",
                "min_p",
                "safety_identifier",
                "service_tier",
                "store",
                "verbosity",
            ),
            "maxTemperature": 1.5,
            "maxTokensField": "max_tokens",
            "requiresAlternation": True,
            "requiresMistralToolIds": True,
            "requiresToolResultName": True,
            "seedField": "random_seed",
            "strictMessageKeys": True,
            "supportsPromptCacheKey": True,
            "supportsUsageInStreaming": False,
        },
    ),
    # https://docs.mistral.ai/capabilities/reasoning: Magistral reasons always.
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("mistral.ai",),
        names=("mistral", "mistralai"),
        models=r"magistral|codestral|ministral|pixtral|devstral",
        changes={"supportsReasoningEffort": False},
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion and
    # https://api-docs.deepseek.com/guides/thinking_mode: thinking is switched by
    # "thinking"; response_format has no json_schema; reasoning_content goes back.
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("deepseek.com",),
        names=("deepseek",),
        changes={
            "dropParams": (
                *_OPENAI_ONLY,
                *_SAMPLERS,
                "logit_bias",
                "parallel_tool_calls",
                "seed",
            ),
            "maxTokensField": "max_tokens",
            "requiresStringContent": True,
            "supportsJsonSchema": False,
            "supportsStrictMode": False,
            "thinkingFormat": "deepseek",
        },
    ),
    # https://api-docs.deepseek.com/guides/reasoning_model: "does not support
    # successive user or assistant messages"; the sampling fields have no effect, and
    # logprobs is an error.
    ProfileRow(
        apis=(COMPLETIONS,),
        models=r"deepseek-(?:reasoner|r1)",
        changes={
            "dropParams": REASONING_REFUSES,
            "requiresAlternation": True,
            "supportsReasoningEffort": False,
        },
    ),
    # https://console.groq.com/docs/openai#currently-unsupported-openai-features: 400
    # for logprobs, logit_bias, top_logprobs and messages[].name; groq 1.7 says of
    # metadata and store "not currently supported".
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("groq.com",),
        names=("groq",),
        changes={
            "dropParams": (
                *_OPENAI_ONLY,
                *_SAMPLERS,
                "logit_bias",
                "logprobs",
                "top_logprobs",
            ),
            "maxTokensField": "max_completion_tokens",
            "supportsStore": False,
        },
    ),
    # https://console.groq.com/docs/reasoning: 400 where a model does not reason; Qwen 3
    # has "none" and "default".
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("groq.com",),
        names=("groq",),
        models=r"^(?!.*(?:gpt-oss|qwen))",
        changes={"supportsReasoningEffort": False},
    ),
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("groq.com",),
        names=("groq",),
        models=r"qwen",
        changes={
            "reasoningEffortMap": dict.fromkeys(
                ("minimal", "low", "medium", "high", "xhigh", "max"), "default"
            )
        },
    ),
    # https://docs.x.ai/docs/api-reference#chat-completions: logit_bias is unsupported.
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        hosts=("x.ai",),
        names=("xai", "grok"),
        changes={
            "dropParams": (*_OPENAI_ONLY, *_SAMPLERS, "logit_bias"),
            "maxTokensField": "max_completion_tokens",
        },
    ),
    # https://docs.x.ai/docs/guides/reasoning: presencePenalty, frequencyPenalty and
    # stop are errors with reasoning models; reasoning_effort is for grok-3-mini only.
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        models=r"grok-(?:[4-9]|3-mini|code)",
        changes={"dropParams": ("frequency_penalty", "presence_penalty", "stop")},
    ),
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        models=r"grok-(?!3-mini)",
        changes={"supportsReasoningEffort": False},
    ),
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        models=r"grok-3-mini",
        changes={"supportedReasoningEfforts": ("low", "high")},
    ),
    # https://openrouter.ai/docs/api-reference/parameters and
    # https://openrouter.ai/docs/use-cases/reasoning-tokens
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("openrouter.ai",),
        names=("openrouter",),
        changes={
            "dropParams": ("safety_identifier", "store"),
            "supportsStore": False,
            "thinkingFormat": "openrouter",
        },
    ),
    # https://openrouter.ai/docs/features/prompt-caching: Anthropic's breakpoints.
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("openrouter.ai",),
        names=("openrouter",),
        models=r"^anthropic/",
        changes={"supportsCacheControl": True},
    ),
    # https://docs.together.ai/reference/chat-completions-1
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("together.xyz", "together.ai"),
        names=("together", "togetherai"),
        changes={
            "dropParams": _OPENAI_ONLY,
            "maxTokensField": "max_tokens",
            "supportsStore": False,
            "supportsStrictMode": False,
        },
    ),
    # https://docs.fireworks.ai/api-reference/post-chatcompletions: unknown fields are
    # 400 "Extra inputs are not permitted".
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("fireworks.ai",),
        names=("fireworks", "fireworks-ai"),
        changes={
            "dropParams": ("safety_identifier", "service_tier", "store", "verbosity"),
            "maxTokensField": "max_tokens",
            "supportsPromptCacheKey": True,
            "supportsStore": False,
            "supportsStrictMode": False,
        },
    ),
    # https://platform.moonshot.ai/docs/api/chat: the temperature is within [0, 1];
    # tool_choice has no "required".
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("moonshot.ai", "moonshot.cn"),
        names=("moonshot", "kimi"),
        changes={
            "dropParams": (
                *_SAMPLERS,
                "logit_bias",
                "metadata",
                "service_tier",
                "store",
                "verbosity",
            ),
            "maxTemperature": 1.0,
            "maxTokensField": "max_tokens",
            "supportsNamedToolChoice": False,
            "supportsPromptCacheKey": True,
            "supportsReasoningEffort": False,
            "supportsStrictMode": False,
            "supportsToolChoice": False,
        },
    ),
    # https://platform.moonshot.ai/docs/guide/kimi-k2-5-quickstart: temperature, top_p
    # and the penalties are fixed; "any other value will result in an error".
    ProfileRow(
        apis=(COMPLETIONS,),
        models=r"kimi-k(?:2\.[5-9]|[3-9])",
        changes={
            "dropParams": (
                "frequency_penalty",
                "presence_penalty",
                "temperature",
                "top_p",
            )
        },
    ),
    # https://www.alibabacloud.com/help/en/model-studio/qwen-api-reference: thinking is
    # switched by enable_thinking; tool_choice has no "required".
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("aliyuncs.com",),
        names=("qwen", "dashscope", "modelstudio"),
        changes={
            "dropParams": (*_OPENAI_ONLY, "logit_bias", "min_p"),
            "maxTokensField": "max_tokens",
            "supportsStore": False,
            "supportsStrictMode": False,
            "supportsToolChoice": False,
            "thinkingFormat": "qwen",
        },
    ),
    # https://docs.z.ai/api-reference/llm/chat-completion
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("z.ai", "bigmodel.cn"),
        names=("zai", "zhipu"),
        changes={
            "dropParams": (
                *_OPENAI_ONLY,
                *_SAMPLERS,
                "frequency_penalty",
                "logit_bias",
                "logprobs",
                "parallel_tool_calls",
                "presence_penalty",
                "seed",
                "top_logprobs",
            ),
            "maxTokensField": "max_tokens",
            "supportsJsonSchema": False,
            "supportsNamedToolChoice": False,
            "supportsStrictMode": False,
            "supportsToolChoice": False,
            "thinkingFormat": "zai",
        },
    ),
    # https://inference-docs.cerebras.ai/resources/openai: 400 for these.
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("cerebras.ai",),
        names=("cerebras",),
        changes={
            "dropParams": (
                *_OPENAI_ONLY,
                *_SAMPLERS,
                "frequency_penalty",
                "logit_bias",
                "presence_penalty",
            ),
            "maxTokensField": "max_completion_tokens",
            "supportsStore": False,
        },
    ),
    # https://ai.google.dev/gemini-api/docs/openai: 400 "Unknown name" for the rest.
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("generativelanguage.googleapis.com",),
        names=("google", "gemini"),
        changes={
            "dropParams": (
                *_OPENAI_ONLY,
                *_SAMPLERS,
                "frequency_penalty",
                "logit_bias",
                "logprobs",
                "parallel_tool_calls",
                "presence_penalty",
                "seed",
                "top_logprobs",
            ),
            "supportsStore": False,
            "supportsStrictMode": False,
        },
    ),
    # https://docs.ollama.com/api/openai-compatibility: no tool_choice, no logit_bias.
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=(":11434", "ollama.com"),
        names=("ollama",),
        changes={
            **_SELF_HOSTED,
            "dropParams": (*_OPENAI_ONLY, *_SAMPLERS, "logit_bias"),
        },
    ),
    # https://github.com/ggml-org/llama.cpp/tree/master/tools/server and
    # https://docs.vllm.ai/en/stable/serving/openai_compatible_server/ have top_k and
    # min_p.
    ProfileRow(
        apis=(COMPLETIONS,),
        names=("llama.cpp", "llama-cpp", "llamacpp", "vllm", "sglang"),
        changes=_SELF_HOSTED,
    ),
    # https://lmstudio.ai/docs/developer/openai-compat: "'response_format.type' must be
    # 'json_schema' or 'text'", "Invalid tool_choice type: 'object'".
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=(":1234",),
        names=("lmstudio", "lm-studio"),
        changes={
            **_SELF_HOSTED,
            "supportsJsonObject": False,
            "supportsNamedToolChoice": False,
        },
    ),
)

ROWS = (*PROVIDERS, *FAMILIES)
"""
All rows: those of a model's family take precedence over those of its provider.
"""
