"""
Fit a request to a profile: leave out what the model rejects, and report that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openclaw.interfaces import ModelRequest, NamedTool, Sampling, ToolSpec
from openclaw.models.profiles import Profile

_NO_SAMPLING = Sampling()

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""
The values of C{reasoning_effort}, from the least to the most.
"""

ANY_OBJECT = {
    "type": "json_schema",
    "json_schema": {"name": "object", "schema": {"type": "object"}},
}
"""
A C{response_format} for any object, for servers that require a schema.
"""

ONE_CALL = "Call at most one tool in an answer."
MUST_CALL = "You must call one of your tools now."
_JSON_ONLY = "Answer with a JSON object and nothing else."


def fitRequest(
    request: ModelRequest, profile: Profile
) -> tuple[ModelRequest, Sequence[str]]:
    """
    Return the request as the model accepts it.

    @return: The request, and the names of the caller's fields that are left out.
    """
    if request.sampling == _NO_SAMPLING and not request.tools:
        return request, []
    fitting = _Fitting(request, profile)
    if request.tools:
        fitting.fitTools()
    if request.sampling != _NO_SAMPLING:
        fitting.fitSampling()
    return fitting.result()


class _Fitting:
    """
    The state of fitting one request.

    @ivar dropped: The names of the fields that are left out.
    @ivar instructions: Sentences for the system prompt, in place of fields.
    """

    def __init__(self, request: ModelRequest, profile: Profile) -> None:
        self._request = request
        self._profile = profile
        self._tools: Sequence[ToolSpec] = request.tools
        self._choice = request.toolChoice
        self._sampling = request.sampling
        self.dropped: set[str] = set()
        self.instructions: list[str] = []

    def result(self) -> tuple[ModelRequest, Sequence[str]]:
        """
        Return what L{fitRequest} returns.
        """
        request = self._request
        if (self._tools, self._choice) == (request.tools, request.toolChoice) and (
            self._sampling is request.sampling and not self.instructions
        ):
            return request, []
        return (
            msgspec.structs.replace(
                request,
                system="\n\n".join(filter(None, [request.system, *self.instructions])),
                tools=self._tools,
                toolChoice=self._choice,
                sampling=self._sampling,
            ),
            sorted(self.dropped),
        )

    def fitTools(self) -> None:
        """
        Fit the tools and the choice among them.
        """
        profile, choice = self._profile, self._choice
        if not profile.supportsTools or "tools" in profile.dropParams:
            self.dropped.add("tools")
            self._tools, self._choice = (), "auto"
            return
        if isinstance(choice, NamedTool) and not profile.supportsNamedToolChoice:
            # The nearest equivalent: only that tool, and a required call.
            self._tools = [tool for tool in self._tools if tool.name == choice.name]
            self._choice = choice = "required"
        cannot = choice == "required" and not profile.supportsToolChoice
        if cannot or (choice != "auto" and "tool_choice" in profile.dropParams):
            self.dropped.add("tool_choice")
            if choice != "none":
                self.instructions.append(MUST_CALL)
            self._choice = "auto"
        if profile.unsupportedToolSchemaKeywords:
            keywords = frozenset(profile.unsupportedToolSchemaKeywords)
            self._tools = [_withoutKeywords(tool, keywords) for tool in self._tools]

    def fitSampling(self) -> None:
        sampling, profile = self._sampling, self._profile
        fields = {
            name: value
            for name in sampling.__struct_fields__
            if (value := getattr(sampling, name)) is not None
        }
        refused = self._refused(fields)
        kept = {name: value for name, value in fields.items() if name not in refused}
        self.dropped |= fields.keys() - kept.keys()
        self._fitParallel(kept)
        if kept.get("stop") == ():
            del kept["stop"]
        if kept.get("temperature", 0) > profile.maxTemperature:
            kept["temperature"] = profile.maxTemperature
        if "reasoning_effort" in kept:
            kept["reasoning_effort"] = fitEffort(kept["reasoning_effort"], profile)
        if "response_format" in kept and not (
            profile.supportsJsonObject and profile.supportsJsonSchema
        ):
            self._fitFormat(kept)
        if kept != fields:
            self._sampling = Sampling(**kept)

    def _refused(self, fields: Mapping[str, Any]) -> set[str]:
        profile = self._profile
        refused = set(profile.dropParams)
        if fields.get("reasoning_effort") != "none":
            refused |= profile.dropWhenThinking
        if not profile.supportsStore:
            refused.add("store")
        if not profile.supportsReasoningEffort:
            refused.add("reasoning_effort")
        alternatives = [name for name in profile.exclusive if name in fields]
        return refused.union(alternatives[1:])

    def _fitParallel(self, kept: dict[str, Any]) -> None:
        if self._tools and self._profile.supportsParallelToolCalls:
            return
        # It has no effect without tools, and OpenAI rejects it.
        parallel = kept.pop("parallel_tool_calls", None)
        if self._tools and parallel is False:
            self.dropped.add("parallel_tool_calls")
            self.instructions.append(ONE_CALL)

    def _fitFormat(self, kept: dict[str, Any]) -> None:
        profile, wanted = self._profile, kept["response_format"]
        kind = wanted.get("type")
        if kind == "json_object" and not profile.supportsJsonObject:
            if profile.supportsAnyObjectSchema:
                kept["response_format"] = ANY_OBJECT
                return
            del kept["response_format"]
            self.dropped.add("response_format")
            self.instructions.append(jsonInstructions())
        elif kind == "json_schema" and not profile.supportsJsonSchema:
            kept["response_format"] = {"type": "json_object"}
            described = wanted.get("json_schema")
            schema = described.get("schema") if isinstance(described, Mapping) else None
            self.instructions.append(jsonInstructions(schema))


def _withoutKeywords(tool: ToolSpec, keywords: frozenset[str]) -> ToolSpec:
    return msgspec.structs.replace(
        tool, parameters=_pruned(dict(tool.parameters), keywords)
    )


def _pruned(schema: Any, keywords: frozenset[str], isNames: bool = False) -> Any:
    """
    @param isNames: Whether the members are names of the tool's author, and not
        keywords.
    """
    if isinstance(schema, list):
        return [_pruned(each, keywords) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _pruned(value, keywords, name in ("properties", "$defs", "definitions"))
        for name, value in schema.items()
        if isNames or name not in keywords
    }


def fitEffort(effort: str, profile: Profile) -> str:
    """
    Return the model's value for a C{reasoning_effort}, or the nearest one.
    """
    effort = profile.reasoningEffortMap.get(effort, effort)
    return nearestEffort(effort, profile.supportedReasoningEfforts)


def nearestEffort(effort: str, supported: Sequence[str]) -> str:
    """
    Return a supported effort: the next higher one, or else the highest.

    @param supported: Some of L{EFFORTS}; empty for all.
    """
    if not supported or effort in supported or effort not in EFFORTS:
        return effort
    place = EFFORTS.index(effort)
    known = sorted((each for each in supported if each in EFFORTS), key=EFFORTS.index)
    higher = [each for each in known if EFFORTS.index(each) > place]
    return (higher or known[-1:] or [effort])[0]


def jsonInstructions(schema: Any = None) -> str:
    """
    Return the instructions for an answer in JSON, for APIs that can't enforce it.

    @param schema: A JSON Schema for the answer.
    """
    if schema is None:
        return _JSON_ONLY
    text = msgspec.json.encode(schema).decode()
    return f"{_JSON_ONLY} It must follow this JSON Schema: {text}"
