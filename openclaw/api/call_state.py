"""
The state of a model that travels with tool calls to the client and back.

Providers require signatures and thoughts back with the calls that they belong to.  For
a client that keeps the conversation itself they are members of C{extra_content}, which
OpenAI's SDKs keep: those of the provider as they came, and those of
L{openclaw.messages} under C{openclaw}, with the model that they are for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openclaw.messages import Thought, ToolCall
from openclaw.models.opaque_members import decodeCallMembers, encodeMembers
from openclaw.models.thought_signatures import (
    joinSignature,
    publicOwner,
    splitSignature,
)

EXTRA = "extra_content"
OWN = "openclaw"
MOST_THOUGHTS = 64
"""
Limit of the thoughts that are read with one call.
"""


def encodeState(
    calls: Sequence[ToolCall], thoughts: Sequence[Thought]
) -> list[dict[str, Any]]:
    """
    Return the members to add to each call, for the client.

    @param thoughts: Those of the message, which go with its first call.
    """
    members = [_callState(call.signature) for call in calls]
    if members and thoughts:
        owner = splitSignature(thoughts[0].signature)[0]
        own = members[0].setdefault(EXTRA, {}).setdefault(OWN, {})
        own["owner"] = publicOwner(owner)
        own["thoughts"] = [
            [thought.text, splitSignature(thought.signature)[1], thought.lasting]
            for thought in thoughts
        ]
    return members


def _callState(signature: str) -> dict[str, Any]:
    if not signature:
        return {}
    owner, own = splitSignature(signature)
    members = decodeCallMembers(own) if own.startswith("{") else {}
    state: dict[str, Any] = {"owner": publicOwner(owner)}
    if not members:
        return {EXTRA: {OWN: {**state, "signature": own}}}
    extra = members.pop(EXTRA, None)
    if members:
        state["members"] = members
    return {EXTRA: {**(extra if isinstance(extra, dict) else {}), OWN: state}}


def decodeState(extra: Mapping[str, Any] | None) -> tuple[str, tuple[Thought, ...]]:
    """
    Read C{extra_content} of a call that a client sends back.

    @return: The call's signature and the message's thoughts, as in a transcript;
        nothing where it is not ours.
    """
    own = extra.get(OWN) if extra else None
    owner = own.get("owner") if isinstance(own, dict) else None
    if extra is None or own is None or not isinstance(owner, str):
        return "", ()
    signature = own.get("signature")
    if not isinstance(signature, str):
        others = {name: each for name, each in extra.items() if name != OWN}
        members = own.get("members")
        members = dict(members) if isinstance(members, dict) else {}
        if others:
            members[EXTRA] = others
        signature = encodeMembers(members) if members else ""
    listed = own.get("thoughts")
    thoughts = []
    for each in (listed if isinstance(listed, list) else [])[:MOST_THOUGHTS]:
        try:
            text, mark, lasting = msgspec.convert(each, tuple[str, str, bool])
        except msgspec.ValidationError:
            continue
        thoughts.append(Thought(text, joinSignature(owner, mark), lasting))
    return joinSignature(owner, signature) if signature else "", tuple(thoughts)
