"""
Responses of several providers on the wire, and their meaning.  The texts are ours, the
formats each provider's.
"""

from openclaw.errors import UpstreamError
from openclaw.interfaces import ModelReply
from openclaw.messages import FinishReason, Usage
from tests.models.event_reading import Outcome

OPENAI = b"""\
data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,\
"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_1","choices":\
[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,\
"finish_reason":null}],"usage":null,"obfuscation":"x1"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,\
"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_1","choices":\
[{"index":0,"delta":{"content":"Two "},"logprobs":null,"finish_reason":null}],\
"usage":null,"obfuscation":"x"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,\
"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_1","choices":\
[{"index":0,"delta":{"content":"caf\\u00e9s \xf0\x9f\xa6\x9e"},"logprobs":null,\
"finish_reason":null}],"usage":null,"obfuscation":"x123"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,\
"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_1","choices":\
[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,\
"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_1","choices":\
[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,\
"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},\
"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0}}}

data: [DONE]

"""
"""
After U{https://platform.openai.com/docs/api-reference/chat-streaming}.
"""

LLAMA_CPP = b"""\
data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant",\
"content":null}}],"created":1790000000,"id":"chatcmpl-2","model":"smollm2.gguf",\
"system_fingerprint":"b6000-0abc","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"reasoning_content":\
"Which is it?"}}],"created":1790000000,"id":"chatcmpl-2","model":"smollm2.gguf",\
"system_fingerprint":"b6000-0abc","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Blue"}}],\
"created":1790000000,"id":"chatcmpl-2","model":"smollm2.gguf",\
"system_fingerprint":"b6000-0abc","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],\
"created":1790000000,"id":"chatcmpl-2","model":"smollm2.gguf",\
"system_fingerprint":"b6000-0abc","object":"chat.completion.chunk"}

data: {"choices":[],"created":1790000000,"id":"chatcmpl-2","model":"smollm2.gguf",\
"system_fingerprint":"b6000-0abc","object":"chat.completion.chunk","usage":\
{"completion_tokens":8,"prompt_tokens":31,"total_tokens":39,"prompt_tokens_details":\
{"cached_tokens":30}},"timings":{"cache_n":30,"prompt_n":1,"predicted_ms":80.5}}

data: [DONE]

"""
"""
After C{tools/server/README.md} of U{https://github.com/ggml-org/llama.cpp}.
"""

DEEPSEEK = b"""\
: keep-alive

data: {"id":"3","object":"chat.completion.chunk","created":1790000000,"model":\
"deepseek-reasoner","system_fingerprint":"fp_3","choices":[{"index":0,"delta":\
{"role":"assistant","content":null,"reasoning_content":""},"logprobs":null,\
"finish_reason":null}]}

: keep-alive

data: {"id":"3","object":"chat.completion.chunk","created":1790000000,"model":\
"deepseek-reasoner","system_fingerprint":"fp_3","choices":[{"index":0,"delta":\
{"content":null,"reasoning_content":"Let me see. "},"logprobs":null,\
"finish_reason":null}]}

data: {"id":"3","object":"chat.completion.chunk","created":1790000000,"model":\
"deepseek-reasoner","system_fingerprint":"fp_3","choices":[{"index":0,"delta":\
{"content":"Green","reasoning_content":null},"logprobs":null,"finish_reason":null}]}

data: {"id":"3","object":"chat.completion.chunk","created":1790000000,"model":\
"deepseek-reasoner","system_fingerprint":"fp_3","choices":[{"index":0,"delta":\
{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],\
"usage":{"prompt_tokens":12,"completion_tokens":20,"total_tokens":32,\
"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":\
{"reasoning_tokens":15},"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":12}}

data: [DONE]

"""
"""
After U{https://api-docs.deepseek.com/api/create-chat-completion}; vLLM's reasoning
outputs (U{https://docs.vllm.ai}) look the same.
"""

OPENROUTER = b"""\
: OPENROUTER PROCESSING

: OPENROUTER PROCESSING

data: {"id":"gen-4","provider":"Somebody","model":"vendor/model","object":\
"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"delta":{"role":\
"assistant","content":"","reasoning":"Hm.","reasoning_details":[{"type":\
"reasoning.text","text":"Hm.","index":0}]},"finish_reason":null,\
"native_finish_reason":null,"logprobs":null}]}

data: {"id":"gen-4","provider":"Somebody","model":"vendor/model","object":\
"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"delta":{"role":\
"assistant","content":"Red"},"finish_reason":"stop","native_finish_reason":"end_turn",\
"logprobs":null}]}

data: {"id":"gen-4","provider":"Somebody","model":"vendor/model","object":\
"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"delta":{"role":\
"assistant","content":""},"finish_reason":null,"native_finish_reason":null,\
"logprobs":null}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,\
"cost":0.00001,"prompt_tokens_details":null,"completion_tokens_details":null}}

data: [DONE]

"""
"""
After U{https://openrouter.ai/docs/api-reference/streaming}.
"""

OLLAMA = b"""\
data: {"id":"chatcmpl-5","object":"chat.completion.chunk","created":1790000000,\
"model":"qwen3:4b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":\
{"role":"assistant","content":"","reasoning":"So. "},"finish_reason":null}]}

data: {"id":"chatcmpl-5","object":"chat.completion.chunk","created":1790000000,\
"model":"qwen3:4b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":\
{"role":"assistant","content":"Grey"},"finish_reason":null}]}

data: {"id":"chatcmpl-5","object":"chat.completion.chunk","created":1790000000,\
"model":"qwen3:4b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":\
{"role":"assistant","content":""},"finish_reason":"stop"}]}

data: {"id":"chatcmpl-5","object":"chat.completion.chunk","created":1790000000,\
"model":"qwen3:4b","system_fingerprint":"fp_ollama","choices":[],"usage":\
{"prompt_tokens":26,"completion_tokens":9,"total_tokens":35}}

data: [DONE]

"""
"""
After U{https://docs.ollama.com/api/openai-compatibility}.
"""

UNSTREAMED = b"""\
{"id":"chatcmpl-6","object":"chat.completion","created":1790000000,"model":"some",\
"choices":[{"index":0,"message":{"role":"assistant","content":\
"<think>Oh.</think>Gold","refusal":null},"logprobs":null,"finish_reason":\
"content_filter"}],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}
"""
"""
After U{https://platform.openai.com/docs/api-reference/chat/object}, from a server
without streaming.
"""

REPORTED = b"""\
: OPENROUTER PROCESSING

data: {"id":"gen-7","provider":"Somebody","model":"vendor/model","object":\
"chat.completion.chunk","created":1790000000,"choices":[{"index":0,"delta":{"role":\
"assistant","content":"Half an"},"finish_reason":null}]}

data: {"id":"gen-7","object":"chat.completion.chunk","created":1790000000,"model":\
"vendor/model","provider":"Somebody","error":{"code":"server_error","message":\
"The engine is gone"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":\
"error"}]}

data: [DONE]

"""
"""
After U{https://openrouter.ai/docs/api-reference/errors}.
"""


def _reply(text: str, thought: str, reason: FinishReason, *tokens: int) -> Outcome:
    return Outcome(text, thought, (), ModelReply(text, reason, Usage(*tokens)))


EVERY_SAMPLE = {
    "OpenAI": (OPENAI, _reply("Two cafés 🦞", "", "stop", 19, 10, 4, 2)),
    "llama.cpp": (LLAMA_CPP, _reply("Blue", "Which is it?", "length", 31, 8, 30)),
    "DeepSeek": (DEEPSEEK, _reply("Green", "Let me see. ", "stop", 12, 20, 0, 15)),
    "OpenRouter": (OPENROUTER, _reply("Red", "Hm.", "stop", 7, 3)),
    "Ollama": (OLLAMA, _reply("Grey", "So. ", "stop", 26, 9)),
    "unstreamed": (UNSTREAMED, _reply("Gold", "Oh.", "content_filter", 5, 6)),
    "reported": (
        REPORTED,
        Outcome(
            "Half an",
            "",
            (),
            (
                UpstreamError,
                "Provider 'vendor' answered with status 500."
                " It says: The engine is gone",
            ),
        ),
    ),
}
"""
By the provider's name: the bytes, and their meaning.
"""

__all__ = ["EVERY_SAMPLE", "UNSTREAMED"]
