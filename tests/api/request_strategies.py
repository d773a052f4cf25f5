"""
Hypothesis strategies for requests: valid, invalid, and arbitrary ones.
"""

import msgspec
from hypothesis import strategies as st

from openclaw.api.chat_schema import ChatCompletionRequest

KNOWN_FIELDS = frozenset(ChatCompletionRequest.__struct_fields__)
"""
The supported fields of a request.
"""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""
Any text that UTF-8 can encode.
"""

spoken = texts.filter(str.strip)
"""
Text that is not blank.
"""

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)
"""
Any JSON.
"""


def _parts(text):
    return st.sampled_from(["text", "input_text"]).map(
        lambda kind: {"type": kind, kind: text}
    )


contents = st.one_of(
    spoken,
    st.lists(spoken.flatmap(_parts), min_size=1, max_size=3),
)

messages = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user"]), "content": contents}
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.none() | contents}
    ),
)

entries = texts.filter(bool)
"""
Stop sequences.
"""

formats = st.builds(
    lambda more, wanted: {**more, **wanted},
    st.dictionaries(texts, anything, max_size=2),
    st.one_of(
        st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
        st.builds(
            lambda schema: {"type": "json_schema", "json_schema": {"schema": schema}},
            st.dictionaries(texts, anything, max_size=2),
        ),
    ),
).filter(lambda wanted: wanted["type"] == "json_schema" or "json_schema" not in wanted)
"""
Formats of responses.
"""

sampling = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.none() | st.floats(0, 2),
        "top_p": st.none() | st.floats(0, 1),
        "max_tokens": st.none() | st.integers(1, 2**40),
        "max_completion_tokens": st.none() | st.integers(1, 2**40),
        "frequency_penalty": st.none() | st.floats(-2, 2),
        "presence_penalty": st.none() | st.floats(-2, 2),
        "seed": st.none() | st.integers(-(2**70), 2**70),
        "stop": st.none() | entries | st.lists(entries, max_size=4),
        "response_format": st.none() | formats,
        "logit_bias": st.none() | st.dictionaries(texts, st.floats(-100, 100)),
        "reasoning_effort": st.none() | texts,
        "parallel_tool_calls": st.none() | st.booleans(),
        "top_k": st.none() | st.integers(-1, 100),
        "min_p": st.none() | st.floats(0, 1),
        "service_tier": st.none() | texts,
        "metadata": st.none() | st.dictionaries(texts, texts, max_size=2),
        "store": st.none() | st.booleans(),
    },
)

unknown = st.dictionaries(texts.filter(lambda name: name not in KNOWN_FIELDS), anything)


def _body(conversation, last, chosen, strange, streamed):
    said = [*conversation, {"role": "user", "content": last}]
    return {"messages": said, **chosen, **strange, **streamed}


valid = st.builds(
    _body,
    st.lists(messages, max_size=4),
    contents,
    sampling,
    unknown,
    st.fixed_dictionaries({}, optional={"stream": st.none() | st.booleans()}),
)
"""
Valid requests, as JSON documents.
"""


def _meddled(document, names, values):
    return msgspec.json.encode({**document, **dict(zip(names, values, strict=False))})


def _cut(document, length):
    raw = msgspec.json.encode(document)
    return raw[: length % len(raw)]


rubbish = st.one_of(
    st.binary(max_size=60),
    anything.map(msgspec.json.encode),
    st.builds(_cut, valid, st.integers(0, 1000)),
    st.builds(
        _meddled,
        valid,
        st.lists(st.sampled_from(sorted(KNOWN_FIELDS)), min_size=1, max_size=3),
        st.lists(anything, min_size=3, max_size=3),
    ),
    st.builds(
        lambda document, message: msgspec.json.encode(
            {**document, "messages": [*document["messages"], message]}
        ),
        valid,
        st.fixed_dictionaries(
            {"role": texts | st.sampled_from(["user", "tool", "assistant"])},
            optional={
                "content": anything,
                "tool_calls": anything,
                "tool_call_id": anything,
            },
        ),
    ),
    st.integers(1, 3000).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth),
)
"""
Mostly invalid bodies.
"""

__all__ = [
    "anything",
    "contents",
    "messages",
    "rubbish",
    "spoken",
    "texts",
    "valid",
]
