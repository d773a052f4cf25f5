"""
Hypothesis strategies for conversations.
"""

from hypothesis import strategies as st

from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""
Any text that UTF-8 can encode, including NULs.
"""

toolCalls = st.builds(ToolCall, id=texts, name=texts, arguments=texts)

messages = st.one_of(
    st.builds(UserMessage, content=texts),
    st.builds(
        AssistantMessage,
        content=texts,
        tool_calls=st.lists(toolCalls, max_size=3).map(tuple),
    ),
    st.builds(ToolMessage, tool_call_id=texts, content=texts, isError=st.booleans()),
)

transcripts = st.lists(messages, max_size=8)
"""
Any messages in any order, including tool results without a call.
"""


def idsOf(message: AssistantMessage) -> list[str]:
    """
    Return the distinct ids of a message's calls.
    """
    return list(dict.fromkeys(call.id for call in message.tool_calls))


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """
    Build the messages of a caller: a call may lack its result, but a result has a call.
    """
    said: list[Message] = []
    for message in draw(transcripts):
        if isinstance(message, ToolMessage):
            continue
        said.append(message)
        if isinstance(message, AssistantMessage):
            called = draw(st.permutations(idsOf(message)))
            answered = called[: draw(st.integers(0, len(called)))]
            said += [ToolMessage(callID, draw(texts)) for callID in answered]
    return said


__all__ = ["conversations", "idsOf", "messages", "texts", "toolCalls", "transcripts"]
