"""
Hypothesis strategies for conversations.
"""

from hypothesis import strategies as st

from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage

IDS = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def assistants(draw):
    """
    Build a message of the model, with or without calls.
    """
    ids = draw(st.lists(IDS, unique=True, max_size=3))
    return AssistantMessage(
        draw(st.text(max_size=20)), tuple(ToolCall(each, "f", "{}") for each in ids)
    )


USERS = st.builds(UserMessage, st.text(max_size=20))
RESULTS = st.builds(ToolMessage, IDS, st.text(max_size=20))
ANYTHING = st.lists(st.one_of(USERS, assistants(), RESULTS), max_size=12)


@st.composite
def whole(draw, minSize=0):
    """
    Build a conversation in which all calls have their results.
    """
    messages = []
    said = st.lists(st.one_of(USERS, assistants()), min_size=minSize, max_size=8)
    for message in draw(said):
        messages.append(message)
        if isinstance(message, AssistantMessage):
            calls = draw(st.permutations(message.tool_calls))
            messages += [ToolMessage(call.id, draw(st.text())) for call in calls]
    return messages


__all__ = ["ANYTHING", "IDS", "RESULTS", "USERS", "assistants", "whole"]
