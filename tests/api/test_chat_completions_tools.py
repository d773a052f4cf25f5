"""
Tests of L{openclaw.api.chat_completions}: calls of the client's tools.
"""

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from twisted.internet.defer import succeed
from zope.interface import implementer

from openclaw.interfaces import ITool, NamedTool, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from tests.api.sse_reader import terminalsOf
from tests.server.memory_gateway import GatewayTestCase, configOf

SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
QUESTION = {"role": "user", "content": "What is it?"}
NOTES = ("x-openclaw-session-key", "notes")
LOOK = ToolCall("call_x7", "look", '{"at": "it"}')
WAIT = ToolCall("call_y8", "wait", "{}")


def tool(name):
    """
    Return a tool in wire form.
    """
    function = {"name": name, "description": f"To {name}.", "parameters": SCHEMA}
    return {"type": "function", "function": function}


def wireCall(call):
    """
    Return a call in wire form.
    """
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


ASKED = {"messages": [QUESTION], "tools": [tool("look"), tool("wait")]}
STREAMED = {**ASKED, "stream": True}


@implementer(ITool)
class Ponder:
    """
    A tool of the agent.
    """

    name = "ponder"
    description = "Think it over."
    parameters = SCHEMA
    readOnly = True

    def run(self, arguments, context):
        return succeed("42")


class ToolsTestCase(GatewayTestCase):
    """
    A test case with tool calls.
    """

    def play(self, body, *headers, text="Let me see. "):
        """
        Let the model call both tools.

        @return: The response.
        """
        caller = self.gateway.post(body, *headers)
        call = self.gateway.call
        if text:
            call.say(text)
        call.callTool(LOOK.id, LOOK.name, '{"at"', ': "it"}')
        call.callTool(WAIT.id, WAIT.name, "{}")
        call.finish("tool_calls", Usage(3, 2))
        self.assertTrue(caller.answer.complete)
        self.assertEqual(caller.answer.status, 200)
        return caller.answer

    def folded(self, answer):
        """
        Return the completion that OpenAI's SDK assembles from a stream.
        """
        state = ChatCompletionStreamState()
        for frame in answer.frames:
            if isinstance(frame, dict):
                state.handle_chunk(ChatCompletionChunk.model_validate(frame))
        return state.get_final_completion()


class WholeTests(ToolsTestCase):
    """
    Calls in a plain reply.
    """

    def test_shape(self):
        """
        They have OpenAI's format and the model's ids, after the text before them.
        """
        answer = self.play(ASKED)
        [choice] = answer.json["choices"]
        self.assertEqual(choice["finish_reason"], "tool_calls")
        self.assertEqual(
            choice["message"],
            {
                "role": "assistant",
                "content": "Let me see. ",
                "refusal": None,
                "tool_calls": [wireCall(LOOK), wireCall(WAIT)],
            },
        )
        self.assertEqual(answer.json["usage"]["total_tokens"], 5)
        ChatCompletion.model_validate(answer.json)

    def test_noText(self):
        """
        Without a text, C{content} is C{null}.
        """
        [choice] = self.play(ASKED, text="").json["choices"]
        self.assertIsNone(choice["message"]["content"])
        self.assertEqual(len(choice["message"]["tool_calls"]), 2)

    def test_noCalls(self):
        """
        A reply without calls is not affected.
        """
        [choice] = self.answered(ASKED).json["choices"]
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertNotIn("tool_calls", choice["message"])


class StreamTests(ToolsTestCase):
    """
    Calls in a stream.
    """

    def test_frames(self):
        """
        Id and name come once, then only the arguments, since clients join all pieces.
        """
        answer = self.play(STREAMED)
        deltas = [
            frame["choices"][0]["delta"]
            for frame in answer.frames
            if isinstance(frame, dict)
        ]
        first, text, *calls, last = deltas
        self.assertEqual(first, {"role": "assistant", "content": ""})
        self.assertEqual(text, {"content": "Let me see. "})
        self.assertEqual(last, {})

        def begun(index, call):
            function = {"name": call.name, "arguments": ""}
            head = {"index": index, "id": call.id, "type": "function"}
            return {"tool_calls": [{**head, "function": function}]}

        def more(index, piece):
            function = {"arguments": piece}
            return {"tool_calls": [{"index": index, "function": function}]}

        self.assertEqual(
            calls,
            [
                begun(0, LOOK),
                more(0, '{"at"'),
                more(0, ': "it"}'),
                begun(1, WAIT),
                more(1, "{}"),
            ],
        )
        self.assertEqual(terminalsOf(answer.frames), ["tool_calls"])
        self.assertEqual(answer.frames[-1], "[DONE]")

    def test_asTheyArrive(self):
        """
        Each piece of the arguments is sent immediately.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.call.say("Hm.")
        before = len(caller.line.writes)
        self.gateway.call.callTool("call_1", "look", '{"at"', ': "it"}')
        begun, *pieces = caller.line.writes[before:]
        self.assertIn(b'"id":"call_1"', begun)
        self.assertEqual(len(pieces), 2)
        self.assertIn(b'"arguments":"{\\"at\\""', pieces[0])
        self.gateway.call.finish("tool_calls")
        self.assertTrue(caller.answer.complete)

    def test_sdk(self):
        """
        OpenAI's SDK assembles the chunks to the plain reply.
        """
        counted = {**STREAMED, "stream_options": {"include_usage": True}}
        found = self.folded(self.play(counted))
        whole = ChatCompletion.model_validate(self.play(ASKED).json)
        [choice], [plain] = found.choices, whole.choices
        self.assertEqual(choice.finish_reason, plain.finish_reason)
        self.assertEqual(choice.message.content, plain.message.content)
        self.assertEqual(
            [
                (call.id, call.type, call.function.name, call.function.arguments)
                for call in choice.message.tool_calls
            ],
            [
                (call.id, call.type, call.function.name, call.function.arguments)
                for call in plain.message.tool_calls
            ],
        )
        self.assertEqual(found.usage.total_tokens, whole.usage.total_tokens)


class AskedTests(ToolsTestCase):
    """
    The model gets the tools of the request.
    """

    def test_tools(self):
        """
        It gets the tools, C{tool_choice} and C{parallel_tool_calls}.
        """
        for choice, told in [
            (None, "auto"),
            ("auto", "auto"),
            ("required", "required"),
            ({"type": "function", "function": {"name": "look"}}, NamedTool("look")),
        ]:
            self.play({**ASKED, "tool_choice": choice, "parallel_tool_calls": False})
            request = self.gateway.call.request
            self.assertEqual(
                list(request.tools),
                [
                    ToolSpec("look", "To look.", SCHEMA),
                    ToolSpec("wait", "To wait.", SCHEMA),
                ],
            )
            self.assertEqual(request.toolChoice, told)
            self.assertIs(request.sampling.parallel_tool_calls, False)

    def test_none(self):
        """
        Tools that it may not use are not sent.
        """
        self.answered({**ASKED, "tool_choice": "none"})
        self.assertEqual(list(self.gateway.call.request.tools), [])
        self.assertEqual(self.gateway.call.request.toolChoice, "auto")

    def test_unmet(self):
        """
        A model that does not make the required call has failed.
        """
        named = {"type": "function", "function": {"name": "look"}}
        for choice in ("required", named):
            caller = self.gateway.post({**ASKED, "tool_choice": choice})
            self.gateway.call.say("No.")
            self.gateway.call.finish()
            self.assertRefused(caller.answer, 502, "tool_choice_unmet")
            caller = self.gateway.post({**STREAMED, "tool_choice": choice})
            self.gateway.call.say("No.")
            self.gateway.call.finish()
            self.assertEqual(terminalsOf(caller.answer.frames), ["tool_choice_unmet"])

    def test_mistake(self):
        """
        An error in the tools is reported before the model call.
        """
        for body in (ASKED, STREAMED):
            answer = self.gateway.post({**body, "tool_choice": "any"}).answer
            self.assertRefused(answer, 400, None, "tool_choice")
        self.assertEqual(self.gateway.provider.calls, [])


class FollowingTests(ToolsTestCase):
    """
    The client has run the calls, and continues the conversation.
    """

    def setUp(self):
        """
        Prepare the next request with all messages, and those that the model should get.
        """
        super().setUp()
        said = {
            "role": "assistant",
            "content": "Let me see. ",
            "tool_calls": [wireCall(LOOK), wireCall(WAIT)],
        }
        results = [
            {"role": "tool", "tool_call_id": LOOK.id, "content": "A dot."},
            {"role": "tool", "tool_call_id": WAIT.id, "content": "Done."},
        ]
        self.next = {**ASKED, "messages": [QUESTION, said, *results]}
        self.seen = [
            UserMessage("What is it?"),
            AssistantMessage("Let me see. ", (LOOK, WAIT)),
            ToolMessage(LOOK.id, "A dot."),
            ToolMessage(WAIT.id, "Done."),
        ]

    def test_stateless(self):
        """
        The model gets its calls and their results.
        """
        self.assertEqual(self.answered(self.next, say=["A dot."]).text, "A dot.")
        self.assertEqual(list(self.gateway.call.request.messages), self.seen)

    def test_session(self):
        """
        The same applies in a session, without duplicates.
        """
        self.play(ASKED, NOTES)
        self.answered({**self.next, "stream": True}, NOTES, say=["A dot."])
        self.assertEqual(list(self.gateway.call.request.messages), self.seen)
        kept = self.successResultOf(self.gateway.store.transcript("agent:main:notes"))
        self.assertEqual(list(kept), [*self.seen, AssistantMessage("A dot.")])

    def test_givenUp(self):
        """
        If the user sends another message instead, the session stays usable.
        """
        self.play(ASKED, NOTES)
        other = {"role": "user", "content": "Never mind."}
        self.answered({**ASKED, "messages": [other]}, NOTES)
        asked = list(self.gateway.call.request.messages)
        self.assertEqual(asked[:2], self.seen[:2])
        self.assertEqual([each.tool_call_id for each in asked[2:4]], [LOOK.id, WAIT.id])
        self.assertEqual(asked[4:], [UserMessage("Never mind.")])

    def test_resultsAlone(self):
        """
        In a session it is enough to send the results: the transcript has the calls.
        """
        for body in (ASKED, STREAMED):
            key = ("x-openclaw-session-key", f"alone-{body is ASKED}")
            self.play(ASKED, key)
            self.answered({**body, "messages": self.next["messages"][2:]}, key)
            self.assertEqual(list(self.gateway.call.request.messages), self.seen)
        self.play({**ASKED, "user": "anna"})
        body = {**ASKED, "messages": self.next["messages"][2:], "user": "anna"}
        self.answered(body)
        self.assertEqual(list(self.gateway.call.request.messages), self.seen)

    def test_strayInSession(self):
        """
        Results without a call in the session are rejected, and not stored; the session
        stays usable.
        """
        stray = {"role": "tool", "tool_call_id": "call_z9", "content": "A dot."}
        results = self.next["messages"][2:]
        self.assertRefused(
            self.gateway.post({**ASKED, "messages": results}, NOTES).answer,
            400,
            None,
            "messages",
        )
        self.play(ASKED, NOTES)
        answer = self.gateway.post({**ASKED, "messages": [stray]}, NOTES).answer
        self.assertRefused(answer, 400, None, "messages")
        self.assertIn("call_z9", answer.error["message"])
        self.answered({**ASKED, "messages": results}, NOTES)
        self.assertEqual(list(self.gateway.call.request.messages), self.seen)

    def test_strayResult(self):
        """
        A result without a call is rejected without a session.
        """
        alone = {**self.next, "messages": self.next["messages"][2:]}
        answer = self.gateway.post(alone).answer
        self.assertRefused(answer, 400, None, "messages[0].tool_call_id")
        self.assertEqual(
            answer.error["message"],
            "`messages[0].tool_call_id` matches no tool call before it: 'call_x7'.",
        )
        body = {**self.next, "messages": [QUESTION, self.next["messages"][2]]}
        self.assertRefused(
            self.gateway.post(body).answer, 400, None, "messages[1].tool_call_id"
        )


class OwnToolTests(ToolsTestCase):
    """
    The agent has its own tools, too.
    """

    def setUp(self):
        """
        Start a gateway with an agent that has a tool.
        """
        super().setUp()
        agents = {"main": {"tools": {"allow": ["ponder"]}}, "bare": {}}
        self.gateway = self.start(config=configOf(agents=agents), tools=[Ponder()])

    def test_clash(self):
        """
        A client's tool may not have the name of one of them.
        """
        body = {**ASKED, "tools": [tool("look"), tool("ponder")]}
        for clashing in (body, {**body, "stream": True}):
            answer = self.gateway.post(clashing).answer
            self.assertRefused(answer, 400, None, "tools[1].function.name")
            self.assertEqual(
                answer.error["message"],
                "Invalid tools/tool_choice: the agent has a tool 'ponder' of its own",
            )
        self.assertEqual(self.gateway.provider.calls, [])

    def test_othersTool(self):
        """
        The tool of another agent does not matter.
        """
        body = {**ASKED, "tools": [tool("ponder")], "model": "openclaw/bare"}
        self.assertEqual(self.answered(body).text, "Yes?")

    def test_together(self):
        """
        The client gets only its own calls; the agent's are run here, and the model gets
        both results in the end.
        """
        for form in (ASKED, STREAMED):
            caller = self.gateway.post(form, ("x-openclaw-session-key", str(len(form))))
            call = self.gateway.call
            self.assertEqual(
                [each.name for each in call.request.tools], ["ponder", "look", "wait"]
            )
            call.callTool("call_p", "ponder", "{}")
            call.callTool(LOOK.id, LOOK.name, LOOK.arguments)
            call.finish("tool_calls")
            self.assertNotIn(b"ponder", caller.answer.body)
            self.assertIn(b'"index":0', caller.answer.body)
            self.assertNotIn(b'"index":1', caller.answer.body)
            said = {"role": "assistant", "tool_calls": [wireCall(LOOK)]}
            result = {"role": "tool", "tool_call_id": LOOK.id, "content": "A dot."}
            body = {**ASKED, "messages": [QUESTION, said, result]}
            self.answered(body, ("x-openclaw-session-key", str(len(form))))
            self.assertEqual(
                list(self.gateway.call.request.messages)[1:],
                [
                    AssistantMessage("", (ToolCall("call_p", "ponder", "{}"), LOOK)),
                    ToolMessage("call_p", "42"),
                    ToolMessage(LOOK.id, "A dot."),
                ],
            )

    def ponder(self, *headers):
        """
        Return a stream in which the agent's own tool is called.
        """
        caller = self.gateway.post({**STREAMED, "tools": []}, *headers)
        self.gateway.call.callTool("call_p", "ponder", "{}")
        self.gateway.call.finish("tool_calls")
        self.gateway.call.say("Yes.")
        self.gateway.call.finish()
        return caller.answer

    def test_progress(self):
        """
        On request, the start and end of a tool call are sent, in chunks that other
        clients ignore.
        """
        answer = self.ponder(("x-openclaw-events", "tools"))
        progress = [f for f in answer.frames if isinstance(f, dict) and "openclaw" in f]
        self.assertEqual(
            [frame["openclaw"]["tool"] for frame in progress],
            [
                {"id": "call_p", "name": "ponder", "status": "started"},
                {"id": "call_p", "name": "ponder", "status": "ok"},
            ],
        )
        state = ChatCompletionStreamState()
        for frame in answer.frames[:-1]:
            state.handle_chunk(ChatCompletionChunk.model_validate(frame))
        choice = state.get_final_completion().choices[0]
        self.assertEqual(choice.message.content, "Yes.")
        self.assertIsNone(choice.message.tool_calls)

    def test_noProgress(self):
        """
        By default they are not sent.
        """
        self.assertNotIn(b"ponder", self.ponder().body)
