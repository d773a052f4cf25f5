"""
The table of what each family of models accepts, at any provider.

As in L{openclaw.models.profile_table}, later rows take precedence, and each has its
source.
"""

from openclaw.models.profiles import ProfileRow

COMPLETIONS = "openai-completions"
RESPONSES = "openai-responses"
ANTHROPIC = "anthropic-messages"
GOOGLE = "google-generative-ai"
OLLAMA = "ollama"

REASONING_REFUSES = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "presence_penalty",
    "temperature",
    "top_logprobs",
    "top_p",
)
"""
Fields that reasoning models reject.
"""

_CLAUDE = r"claude-(?:[a-z]+-)?"
_NEWER_CLAUDE = (
    _CLAUDE
    + r"(?:4[-.](?:[7-9]|\d\d)(?!\d)|(?:[5-9]|\d\d)(?:[-.]\d{1,2})?(?!\d)|mythos)"
)

FAMILIES: tuple[ProfileRow, ...] = (
    # https://platform.openai.com/docs/guides/reasoning and
    # https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/reasoning: the
    # sampling fields are 400 "Unsupported parameter"; so is max_tokens.
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        models=r"^(?:openai/)?o\d",
        changes={
            "dropParams": (*REASONING_REFUSES, "parallel_tool_calls", "stop"),
            "maxTokensField": "max_completion_tokens",
        },
    ),
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        models=r"^(?:openai/)?gpt-(?:[5-9]|\d\d)",
        changes={"maxTokensField": "max_completion_tokens"},
    ),
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        models=r"^(?:openai/)?gpt-5(?![.\d]|-chat)",
        changes={"dropParams": (*REASONING_REFUSES, "stop")},
    ),
    # https://platform.openai.com/docs/guides/latest-model: GPT-5.1 and later accept
    # temperature, top_p and logprobs with the effort "none" only.
    ProfileRow(
        apis=(COMPLETIONS, RESPONSES),
        models=r"^(?:openai/)?gpt-(?:5\.\d|[6-9]|\d\d)(?!.*-chat)",
        changes={"dropParams": ("stop",), "dropWhenThinking": REASONING_REFUSES},
    ),
    # https://platform.claude.com/docs/en/about-claude/models/migrating-to-claude-4:
    # from 4.1 to 4.6 not both of temperature and top_p.
    ProfileRow(
        models=_CLAUDE + r"4[-.][1-6](?!\d)",
        changes={"exclusive": ("temperature", "top_p")},
    ),
    # https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7:
    # from Opus 4.7 on, temperature, top_p and top_k are 400 "deprecated for this
    # model".
    ProfileRow(
        models=_NEWER_CLAUDE,
        changes={"dropParams": ("temperature", "top_k", "top_p")},
    ),
    # https://platform.claude.com/docs/en/build-with-claude/effort: "max" came with 4.6,
    # "xhigh" with 4.7.  Earlier models have a budget of tokens.
    ProfileRow(
        apis=(ANTHROPIC,),
        models=_CLAUDE + r"(?:[1-3](?!\d)|4(?![-.](?:[6-9]|\d\d)(?!\d)))",
        changes={
            "supportedReasoningEfforts": ("none", "minimal", "low", "medium", "high")
        },
    ),
    ProfileRow(
        apis=(ANTHROPIC,),
        models=_CLAUDE + r"4[-.]6(?!\d)",
        changes={"supportedReasoningEfforts": ("none", "low", "medium", "high", "max")},
    ),
    ProfileRow(
        apis=(ANTHROPIC,),
        models=_NEWER_CLAUDE,
        changes={
            "supportedReasoningEfforts": (
                "none",
                "low",
                "medium",
                "high",
                "xhigh",
                "max",
            )
        },
    ),
    # https://ai.google.dev/gemini-api/docs/thinking: levels from Gemini 3 on.
    ProfileRow(
        apis=(GOOGLE,),
        models=r"gemini-[12](?!\d)",
        changes={
            "supportedReasoningEfforts": ("none", "minimal", "low", "medium", "high")
        },
    ),
    ProfileRow(
        apis=(GOOGLE,),
        models=r"^(?!.*gemini-[12](?!\d))",
        changes={"supportedReasoningEfforts": ("minimal", "low", "medium", "high")},
    ),
    # https://huggingface.co/Qwen/Qwen3-235B-A22B-Thinking-2507: "The default chat
    # template automatically includes <think>", and so do those of DeepSeek-R1, QwQ and
    # GLM-Z1.  A server without a parser for reasoning passes on what follows.
    ProfileRow(
        apis=(COMPLETIONS,),
        models=r"deepseek-r1|qwq|qwen-?3.*thinking|glm-z1",
        changes={"unopenedThinkTag": True},
    ),
    ProfileRow(
        apis=(COMPLETIONS,),
        hosts=("openrouter.ai",),
        changes={"unopenedThinkTag": False},
    ),
    # https://docs.ollama.com/capabilities/thinking
    ProfileRow(
        apis=(OLLAMA,),
        changes={
            "supportedReasoningEfforts": ("none", "minimal", "low", "medium", "high")
        },
    ),
)
