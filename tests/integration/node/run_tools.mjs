// Lets OpenAI's Node SDK call a function for an agent, as its users do, and prints
// what it saw as JSON.  Its arguments are a base URL and a token.

import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

function request(called) {
  return {
    model: "openclaw",
    messages: [{ role: "user", content: "Do I need an umbrella?" }],
    tools: [
      {
        type: "function",
        function: {
          name: "weather",
          description: "Tell the weather.",
          parameters: {
            type: "object",
            properties: { city: { type: "string" } },
            required: ["city"],
          },
          parse: JSON.parse,
          function: (args) => {
            called.push(args);
            return "rain";
          },
        },
      },
    ],
  };
}

async function outcome(runner, called) {
  const completion = await runner.finalChatCompletion();
  return {
    called,
    answer: await runner.finalContent(),
    roles: runner.messages.map((message) => message.role),
    reason: completion.choices[0].finish_reason,
  };
}

async function whole() {
  const called = [];
  return outcome(client.chat.completions.runTools(request(called)), called);
}

async function streamed() {
  const called = [];
  const words = [];
  const runner = client.chat.completions.runTools({
    ...request(called),
    stream: true,
  });
  runner.on("content", (delta) => words.push(delta));
  return { ...(await outcome(runner, called)), words };
}

console.log(
  JSON.stringify({
    whole: await whole(),
    streamed: await streamed(),
    besideTheAgentsOwn: await streamed(),
  }),
);
