"""
Tests of L{openclaw.api.client_tools}: the tools in a request.
"""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.api.client_tools import MAX_TOOLS, parseToolChoice, parseTools
from openclaw.errors import InvalidRequest
from openclaw.interfaces import NamedTool, ToolSpec
from tests.api.chat_bodies import chatRequestOf

HI = {"role": "user", "content": "Hi."}
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
NO_ARGUMENTS = {"type": "object", "properties": {}}
LOOK = ToolSpec("look", "", NO_ARGUMENTS)


def tool(**function):
    """
    Return a tool in wire form.
    """
    return {"type": "function", "function": function}


def selectTools(tools):
    """
    Return the tools of a request.
    """
    return parseTools(msgspec.Raw(msgspec.json.encode(tools)))


def choiceOf(choice, tools):
    """
    Return the tool choice of a request.
    """
    return parseToolChoice(msgspec.Raw(msgspec.json.encode(choice)), tools)


def named(name):
    """
    Return a choice in wire form.
    """
    return {"type": "function", "function": {"name": name}}


class WrongTestCase(SynchronousTestCase):
    """
    A test case with invalid requests.
    """

    def assertWrong(self, message, param, **fields):
        """
        Assert that a request with these fields is rejected with exactly this message.
        """
        body = msgspec.json.encode({"messages": [HI], **fields})
        error = self.assertRaises(InvalidRequest, chatRequestOf, body)
        self.assertEqual(error.message, f"Invalid tools/tool_choice: {message}")
        self.assertEqual((error.status, error.param), (400, param))


class ToolsTests(SynchronousTestCase):
    """
    Valid tools.
    """

    def test_none(self):
        """
        The forms of a request without tools.
        """
        self.assertEqual(selectTools(None), ())
        self.assertEqual(selectTools([]), ())

    def test_least(self):
        """
        A name is enough; the parameters are then an empty object.
        """
        for function in (
            {"name": "look"},
            {"name": " look "},
            {"name": "look", "description": None, "parameters": None, "strict": None},
            {"name": "look", "description": "", "parameters": {}},
        ):
            self.assertEqual(selectTools([tool(**function)]), (LOOK,))

    def test_whole(self):
        """
        All members of a tool reach the model unchanged.
        """
        for strict in (True, False):
            found = selectTools(
                [
                    tool(
                        name="look_At-2",
                        description="Look.",
                        parameters=SCHEMA,
                        strict=strict,
                    )
                ]
            )
            self.assertEqual(found, (ToolSpec("look_At-2", "Look.", SCHEMA, strict),))

    def test_order(self):
        """
        They keep their order, up to the limit.
        """
        names = [f"tool_{number}" for number in range(MAX_TOOLS)]
        found = selectTools([tool(name=name) for name in names])
        self.assertEqual([each.name for each in found], names)


class WrongToolsTests(WrongTestCase):
    """
    Invalid tools, with the original's messages.
    """

    def test_noArray(self):
        """
        A value that is not an array is refused.
        """
        for tools in ({}, "look", 1, True):
            self.assertWrong("tools must be an array", "tools", tools=tools)

    def test_tooMany(self):
        """
        More than the limit.
        """
        tools = [tool(name=f"tool_{number}") for number in range(MAX_TOOLS + 1)]
        self.assertWrong("there are more than 128 tools", "tools", tools=tools)

    def test_kinds(self):
        """
        A member of the wrong type, or a missing one.
        """
        for wrong, message, inner in [
            ("look", "each tool must be an object", ""),
            (None, "each tool must be an object", ""),
            ([], "each tool must be an object", ""),
            ({}, "only function tools are supported", ".type"),
            ({"type": "custom"}, "only function tools are supported", ".type"),
            ({"type": "function"}, "tool.function is required", ".function"),
            (
                {"type": "function", "function": "look"},
                "tool.function is required",
                ".function",
            ),
            (tool(), "tool.function.name is required", ".function.name"),
            (tool(name=None), "tool.function.name is required", ".function.name"),
            (tool(name=3), "tool.function.name is required", ".function.name"),
            (tool(name=" "), "tool.function.name is required", ".function.name"),
            (
                tool(name="look", description=1),
                "tool.function.description must be a string",
                ".function.description",
            ),
            (
                tool(name="look", parameters=[]),
                "tool.function.parameters must be an object",
                ".function.parameters",
            ),
            (
                tool(name="look", strict="yes"),
                "tool.function.strict must be a boolean",
                ".function.strict",
            ),
        ]:
            self.assertWrong(
                message, f"tools[1]{inner}", tools=[tool(name="wait"), wrong]
            )

    def test_names(self):
        """
        A name that no provider accepts.
        """
        for name in ("look at", "x" * 65, "a.b", "\u00e4", "a\nb"):
            self.assertWrong(
                "tool.function.name must be up to 64 letters, digits, _ and -",
                "tools[0].function.name",
                tools=[tool(name=name)],
            )

    def test_duplicate(self):
        """
        Two tools with the same name.
        """
        self.assertWrong(
            "duplicate tool name: look",
            "tools[2].function.name",
            tools=[tool(name="look"), tool(name="wait"), tool(name=" look")],
        )


class ChoiceTests(SynchronousTestCase):
    """
    The model's choice among the tools.
    """

    def test_words(self):
        """
        The three texts.
        """
        for word in ("auto", "none", "required"):
            self.assertEqual(choiceOf(word, [LOOK]), word)
            self.assertEqual(choiceOf(f" {word} ", [LOOK]), word)

    def test_default(self):
        """
        By default the model chooses.
        """
        self.assertEqual(choiceOf(None, [LOOK]), "auto")
        self.assertEqual(choiceOf(None, []), "auto")

    def test_withoutTools(self):
        """
        A request without tools may have C{none}.
        """
        for word in ("auto", "none"):
            self.assertEqual(choiceOf(word, []), word)

    def test_named(self):
        """
        A tool by its name.
        """
        for name in ("look", " look "):
            self.assertEqual(choiceOf(named(name), [LOOK]), NamedTool("look"))


class WrongChoiceTests(WrongTestCase):
    """
    Invalid choices, with the original's messages.
    """

    def test_kinds(self):
        """
        A value that is neither a text nor an object is rejected.
        """
        for choice in (1, True, [], ["auto"]):
            self.assertWrong(
                "tool_choice must be a string or object",
                "tool_choice",
                tool_choice=choice,
            )

    def test_words(self):
        """
        An unknown text.
        """
        for word in ("any", "AUTO", "look", ""):
            self.assertWrong(
                f"unsupported tool_choice: {word}", "tool_choice", tool_choice=word
            )

    def test_requiredOfNothing(self):
        """
        A call is required, but there are no tools.
        """
        for tools in (None, []):
            self.assertWrong(
                "tool_choice=required but no tools were provided",
                "tool_choice",
                tools=tools,
                tool_choice="required",
            )

    def test_objects(self):
        """
        An object without a tool, or with an unknown one.
        """
        name = "tool_choice.function.name"
        for choice, message, param in [
            ({}, "only function tools are supported", "tool_choice.type"),
            (
                {"type": "allowed_tools"},
                "only function tools are supported",
                "tool_choice.type",
            ),
            ({"type": "function"}, f"{name} is required", name),
            ({"type": "function", "function": "look"}, f"{name} is required", name),
            ({"type": "function", "function": {}}, f"{name} is required", name),
            (named(None), f"{name} is required", name),
            (named(" "), f"{name} is required", name),
            (named("wait"), "tool_choice requested unknown tool: wait", name),
        ]:
            self.assertWrong(
                message, param, tools=[tool(name="look")], tool_choice=choice
            )
