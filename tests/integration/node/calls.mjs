// Uses OpenAI's Node SDK as its users do, and prints what it saw as JSON.
// Its arguments are a base URL and a token.

import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];

async function whole() {
  const completion = await client.chat.completions.create({
    model: "openclaw",
    messages,
  });
  return {
    content: completion.choices[0].message.content,
    reason: completion.choices[0].finish_reason,
    tokens: completion.usage.total_tokens,
    hasRequestID: Boolean(completion._request_id),
  };
}

async function streamed() {
  const stream = await client.chat.completions.create({
    model: "openclaw",
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  const pieces = [];
  let tokens = null;
  for await (const chunk of stream) {
    if (chunk.choices.length) pieces.push(chunk.choices[0].delta.content ?? null);
    tokens = chunk.usage?.total_tokens ?? null;
  }
  return { pieces, tokens };
}

async function accumulated() {
  const runner = client.chat.completions.stream({ model: "openclaw", messages });
  const completion = await runner.finalChatCompletion();
  return completion.choices[0].message.content;
}

async function embedded(fields = {}) {
  const answer = await client.embeddings.create({
    model: "openclaw",
    input: ["a", "b"],
    ...fields,
  });
  return {
    vectors: answer.data.map((each) => each.embedding),
    tokens: answer.usage.total_tokens,
  };
}

async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    const { status = null, code, param = null } = error;
    return { name: error.constructor.name, status, code, param };
  }
  return null;
}

async function brokenStream() {
  const stream = await client.chat.completions.create({
    model: "openclaw",
    messages: [{ role: "user", content: "break off" }],
    stream: true,
  });
  const read = [];
  const error = await errorOf(
    (async () => {
      for await (const chunk of stream) read.push(chunk.choices[0].delta.content);
    })(),
  );
  return { read, error };
}

const stranger = new OpenAI({ baseURL, apiKey: "wrong", maxRetries: 0 });

console.log(
  JSON.stringify({
    whole: await whole(),
    streamed: await streamed(),
    accumulated: await accumulated(),
    embedded: await embedded(),
    embeddedAsNumbers: await embedded({ encoding_format: "float" }),
    embeddedWrong: await errorOf(embedded({ input: ["a", ""] })),
    brokenStream: await brokenStream(),
    wrongToken: await errorOf(stranger.models.list()),
    wrongAgent: await errorOf(
      client.chat.completions.create({ model: "openclaw/nobody", messages }),
    ),
    unknownModel: await errorOf(client.models.retrieve("gpt-4o")),
    models: (await client.models.list()).data.map((model) => model.id),
    model: (await client.models.retrieve("openclaw/main")).id,
  }),
);
