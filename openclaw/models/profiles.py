"""
Profiles: how a provider and model differ from the API whose dialect they speak.

A profile consists of rows of data (see L{openclaw.models.profile_table}) and of the
configuration, which takes precedence.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from openclaw.config import Compat, Model, Provider

NEVER_DROPPED = frozenset({"model", "messages", "input", "contents", "stream"})
"""
Fields that every request requires.
"""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """
    The differences of one provider and model.  The attributes that
    L{openclaw.config.Compat} also has are described there.

    @ivar maxTokensField: C{None} sends the caller's field.
    @ivar dropParams: Fields of a caller's request that are not sent.
    @ivar dropWhenThinking: The same, unless C{reasoning_effort} is C{none}.
    @ivar supportsParallelToolCalls: Accepts C{parallel_tool_calls}, or an equivalent.
    @ivar supportsAnyObjectSchema: Accepts a JSON Schema of any object.
    @ivar exclusive: Fields of which only the first given one is sent.
    @ivar maxTemperature: The limit of temperatures; higher ones are lowered.
    @ivar omitted: Members of the body that are left out, by their wire names.
    @ivar extraBody: Members to add to the body; C{None} removes one.
    """

    supportsStore: bool = True
    supportsPromptCacheKey: bool = False
    supportsDeveloperRole: bool = False
    supportsReasoningEffort: bool = True
    supportsUsageInStreaming: bool = True
    supportsTools: bool = True
    supportsStrictMode: bool = True
    requiresStringContent: bool = False
    strictMessageKeys: bool = False
    supportedReasoningEfforts: tuple[str, ...] = ()
    reasoningEffortMap: Mapping[str, str] = {}
    maxTokensField: str | None = None
    thinkingFormat: str = "openai"
    requiresToolResultName: bool = False
    requiresAssistantAfterToolResult: bool = False
    requiresThinkingAsText: bool = False
    unopenedThinkTag: bool = False
    requiresReasoningContentOnAssistantMessages: bool = False
    requiresMistralToolIds: bool = False
    unsupportedToolSchemaKeywords: tuple[str, ...] = ()
    contentBesideCalls: str = "empty"
    requiresAlternation: bool = False
    seedField: str = "seed"
    supportsToolChoice: bool = True
    supportsNamedToolChoice: bool = True
    supportsJsonObject: bool = True
    supportsJsonSchema: bool = True
    supportsCacheControl: bool = False
    dropParams: frozenset[str] = frozenset()
    dropWhenThinking: frozenset[str] = frozenset()
    supportsParallelToolCalls: bool = True
    supportsAnyObjectSchema: bool = True
    exclusive: tuple[str, ...] = ()
    maxTemperature: float = 2.0
    omitted: frozenset[str] = frozenset()
    extraBody: Mapping[str, Any] = {}

    def adjusted(self, **changes: Any) -> "Profile":
        """
        Return the profile with these changes.  Sets of fields are merged.
        """
        for name in ("dropParams", "dropWhenThinking", "omitted"):
            if name in changes:
                changes[name] = getattr(self, name) | frozenset(changes[name])
        return msgspec.structs.replace(self, **changes)

    def without(self, field: str) -> "Profile":
        """
        Return the profile of a server that rejects a field.

        @param field: Its wire name, without the path to it.
        """
        match field:
            case "max_tokens" if self.maxTokensField != "max_completion_tokens":
                return self.adjusted(maxTokensField="max_completion_tokens")
            case "max_completion_tokens" if self.maxTokensField != "max_tokens":
                return self.adjusted(maxTokensField="max_tokens")
            case "strict":
                return self.adjusted(supportsStrictMode=False)
            case "cache_control":
                return self.adjusted(supportsCacheControl=False)
            case "prompt_cache_key":
                return self.adjusted(
                    supportsPromptCacheKey=False, dropParams=(field,), omitted=(field,)
                )
            case "reasoning" | "reasoning_content":
                return self.adjusted(strictMessageKeys=True, omitted=(field,))
        return self.adjusted(dropParams=(field,), omitted=(field,))


DEFAULT_PROFILE = Profile()
"""
The profile of an unknown server, which gets all fields.
"""


class ProfileRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    Changes to a profile, and the providers and models to which they apply.

    @ivar changes: Attributes of L{Profile}.
    @ivar apis: The dialects; empty for all.
    @ivar hosts: The ends of the base URL's host, or C{:port}; or with C{/}, a part of
        the base URL.
    @ivar names: Names of providers in the configuration, in lower case.  A row without
        C{hosts} and C{names} applies to every provider.
    @ivar models: A regular expression that is searched for in the model's id, in lower
        case; empty for all.
    """

    changes: Mapping[str, Any]
    apis: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    models: str = ""

    def applies(self, api: str, name: str, baseURL: str, model: str) -> bool:
        if self.apis and api not in self.apis:
            return False
        if (self.hosts or self.names) and not (
            name.lower() in self.names
            or any(_isAt(baseURL.lower(), host) for host in self.hosts)
        ):
            return False
        return not self.models or re.search(self.models, model.lower()) is not None


def _isAt(baseURL: str, host: str) -> bool:
    if "/" in host:
        return host in baseURL
    parts = urlsplit(baseURL)
    if host.startswith(":"):
        return parts.port == int(host[1:])
    actual = parts.hostname or ""
    return actual == host or actual.endswith("." + host)


def resolveProfile(
    rows: Iterable[ProfileRow], name: str, settings: Provider, model: str
) -> Profile:
    """
    Look up the profile of a model.

    @param name: The provider's name in the configuration.
    """
    profile = DEFAULT_PROFILE
    for row in rows:
        if row.applies(settings.api, name, settings.baseUrl, model):
            profile = profile.adjusted(**row.changes)
    own = next((each for each in settings.models if each.id == model), None)
    for part in (settings, own):
        if part is not None:
            profile = _configured(profile, part)
    return profile


def _configured(profile: Profile, settings: Provider | Model) -> Profile:
    dropped = frozenset(settings.dropParams) - NEVER_DROPPED
    return profile.adjusted(
        dropParams=dropped,
        omitted=dropped,
        extraBody={**profile.extraBody, **settings.extraBody},
        **_given(settings.compat),
    )


def _given(compat: Compat) -> dict[str, Any]:
    return {
        name: value
        for name in compat.__struct_fields__
        if (value := getattr(compat, name)) is not None
    }
