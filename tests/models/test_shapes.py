"""
Tests of the dialects' decoders on the shapes of answers that providers really send.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from tests.models import (
    answer_samples,
    anthropic_answers,
    responses_answers,
    test_google_response,
    test_ollama_response,
)
from tests.models.shape_contract import ShapeContract


class OpenAICompletionsTests(ShapeContract, SynchronousTestCase):
    """
    OpenAI's chat completions, and the servers that speak them.
    """

    dialect = OpenAICompletions
    samples = answer_samples.EVERY_SAMPLE
    said = b'{"choices":[{"index":0,"delta":{"content":"Hi."}}]}'
    text = b'{"choices":[{"index":0,"delta":{"content":%s}}]}'
    thought = b'{"choices":[{"index":0,"delta":{"reasoning_content":%s}}]}'
    ending = (b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',)
    usage = b'{"choices":[],"usage":{"prompt_tokens":%s,"completion_tokens":%s}}'
    otherChoice = b'{"choices":[{"index":1,"delta":{"content":"No."}}]}'
    tooLong = ()
    members = {
        (): [
            "id",
            "object",
            "created",
            "model",
            "system_fingerprint",
            "service_tier",
            "usage",
            "error",
            "x_groq",
            "timings",
            "provider",
            "obfuscation",
            "prompt_filter_results",
            "citations",
        ],
        ("choices", 0): [
            "logprobs",
            "message",
            "finish_reason",
            "stop_reason",
            "usage",
            "error",
            "token_ids",
            "native_finish_reason",
            "content_filter_results",
        ],
        ("choices", 0, "delta"): [
            "role",
            "refusal",
            "tool_calls",
            "function_call",
            "audio",
            "annotations",
            "reasoning_details",
            "extra_content",
            "name",
        ],
    }
    needed = (
        ("choices", 0, "index"),
        ("choices", 0, "delta", "content"),
        ("choices", 0, "delta", "reasoning_content"),
        ("choices", 0, "delta", "reasoning"),
        ("choices", 0, "delta", "tool_calls", 0, "index"),
        ("choices", 0, "delta", "tool_calls", 0, "id"),
        ("choices", 0, "delta", "tool_calls", 0, "function", "name"),
        ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
        ("choices", 0, "finish_reason"),
        ("choices", 0, "message"),
        ("error",),
    )


class OpenAIResponsesTests(ShapeContract, SynchronousTestCase):
    """
    OpenAI's Responses API.
    """

    dialect = OpenAIResponses
    samples = responses_answers.EVERY_SAMPLE
    said = b'{"type":"response.output_text.delta","output_index":0,"delta":"Hi."}'
    text = b'{"type":"response.output_text.delta","output_index":0,"delta":%s}'
    thought = (
        b'{"type":"response.reasoning_summary_text.delta","output_index":0,"delta":%s}'
    )
    ending = (b'{"type":"response.completed","response":{"status":"completed"}}',)
    usage = (
        b'{"type":"response.completed","response":{"status":"completed","usage":'
        b'{"input_tokens":%s,"output_tokens":%s}}}'
    )
    isUsageLast = True
    tooLong = ()
    members = {
        (): [
            "sequence_number",
            "item_id",
            "content_index",
            "output_index",
            "summary_index",
            "logprobs",
            "obfuscation",
            "object",
            "item",
            "response",
            "error",
        ],
    }
    needed = (
        ("type",),
        ("delta",),
        ("output_index",),
        ("summary_index",),
        ("item", "type"),
        ("item", "id"),
        ("item", "call_id"),
        ("item", "name"),
        ("item", "arguments"),
        ("item", "content", 0, "text"),
        ("item", "content", 0, "refusal"),
        ("item", "encrypted_content"),
        ("object",),
        ("status",),
        ("output",),
        ("incomplete_details",),
        ("response", "status"),
        ("response", "error"),
        ("response", "incomplete_details", "reason"),
        ("error",),
    )


class AnthropicMessagesTests(ShapeContract, SynchronousTestCase):
    """
    Anthropic's Messages API.
    """

    dialect = AnthropicMessages
    samples = anthropic_answers.EVERY_SAMPLE
    said = (
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
        b'"Hi."}}'
    )
    text = said.replace(b'"Hi."', b"%s")
    thought = (
        b'{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta",'
        b'"thinking":%s}}'
    )
    ending = (
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"}}',
        b'{"type":"message_stop"}',
    )
    usage = (
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
        b'{"input_tokens":%s,"output_tokens":%s}}'
    )
    tooLong = ()
    members = {
        (): [
            "index",
            "message",
            "content_block",
            "usage",
            "error",
            "context_management",
        ],
        ("delta",): [
            "thinking",
            "signature",
            "partial_json",
            "stop_reason",
            "stop_sequence",
            "citation",
        ],
    }
    needed = (
        ("type",),
        ("index",),
        ("message", "id"),
        ("content_block", "type"),
        ("content_block", "text"),
        ("content_block", "thinking"),
        ("content_block", "signature"),
        ("content_block", "data"),
        ("content_block", "id"),
        ("content_block", "name"),
        ("content_block", "input"),
        ("delta", "type"),
        ("delta", "text"),
        ("delta", "thinking"),
        ("delta", "signature"),
        ("delta", "partial_json"),
        ("delta", "stop_reason"),
        ("content",),
        ("stop_reason",),
        ("error",),
    )


class GoogleGenerativeAITests(ShapeContract, SynchronousTestCase):
    """
    Google's API.
    """

    dialect = GoogleGenerativeAI
    samples = test_google_response.SAMPLES
    said = b'{"candidates":[{"content":{"parts":[{"text":"Hi."}]}}]}'
    text = b'{"candidates":[{"content":{"parts":[{"text":%s}]}}]}'
    thought = b'{"candidates":[{"content":{"parts":[{"text":%s,"thought":true}]}}]}'
    ending = (b'{"candidates":[{"finishReason":"STOP"}]}',)
    usage = b'{"usageMetadata":{"promptTokenCount":%s,"candidatesTokenCount":%s}}'
    otherChoice = b'{"candidates":[{"index":1,"content":{"parts":[{"text":"No."}]}}]}'
    tooLong = ()
    members = {
        (): [
            "promptFeedback",
            "usageMetadata",
            "modelVersion",
            "responseId",
            "createTime",
            "error",
        ],
        ("candidates", 0): [
            "safetyRatings",
            "citationMetadata",
            "groundingMetadata",
            "avgLogprobs",
            "tokenCount",
            "finishMessage",
            "logprobsResult",
        ],
        ("candidates", 0, "content"): ["role"],
        ("candidates", 0, "content", "parts", 0): [
            "thoughtSignature",
            "functionCall",
            "inlineData",
            "videoMetadata",
            "executableCode",
        ],
    }
    needed = (
        ("candidates", 0, "index"),
        ("candidates", 0, "content", "parts", 0),
        ("candidates", 0, "finishReason"),
        ("promptFeedback", "blockReason"),
        ("error",),
    )


class OllamaTests(ShapeContract, SynchronousTestCase):
    """
    Ollama's API.
    """

    dialect = Ollama
    samples = test_ollama_response.SAMPLES
    said = b'{"message":{"content":"Hi."},"done":false}'
    text = b'{"message":{"content":%s},"done":false}'
    thought = b'{"message":{"content":"","thinking":%s},"done":false}'
    ending = (b'{"message":{"content":""},"done":true,"done_reason":"stop"}',)
    usage = b'{"done":true,"prompt_eval_count":%s,"eval_count":%s}'
    isUsageLast = True
    named = False
    tooLong = ()
    members = {
        (): [
            "model",
            "created_at",
            "total_duration",
            "load_duration",
            "prompt_eval_count",
            "prompt_eval_duration",
            "eval_count",
            "eval_duration",
            "error",
            "logprobs",
        ],
        ("message",): ["role", "images", "tool_calls", "tool_name", "thinking"],
    }
    needed = (
        ("message", "content"),
        ("message", "thinking"),
        ("message", "tool_calls", 0),
        ("done",),
        ("done_reason",),
        ("error",),
    )

    def framed(self, *documents: bytes) -> bytes:
        """
        Each has its line.
        """
        return b"".join(b"%s\n" % document for document in documents)
