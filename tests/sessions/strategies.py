"""
What Hypothesis makes conversations of.
"""

from hypothesis import strategies as st

from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""
Any text that can be sent as UTF-8, with NULs and all.
"""

toolCalls = st.builds(ToolCall, id=texts, name=texts, arguments=texts)

messages = st.one_of(
    st.builds(UserMessage, content=texts),
    st.builds(
        AssistantMessage,
        content=texts,
        tool_calls=st.lists(toolCalls, max_size=3).map(tuple),
    ),
    st.builds(ToolMessage, tool_call_id=texts, content=texts),
)

transcripts = st.lists(messages, max_size=8)

__all__ = ["messages", "texts", "toolCalls", "transcripts"]
