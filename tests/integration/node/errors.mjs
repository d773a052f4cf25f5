// Makes mistakes with OpenAI's Node SDK, and prints as JSON what it made of the
// answers.  Its arguments are a token that may only read, a base URL, and a token.

import OpenAI from "openai";

const [reader, baseURL, apiKey] = process.argv.slice(2);
const statuses = [];
const times = [];
let onBusy = () => {};

// The SDK's way to the network, and somebody who sees the statuses.
async function watched(...request) {
  const response = await fetch(...request);
  statuses.push(response.status);
  times.push(performance.now());
  if (response.status === 429) onBusy();
  return response;
}

function clientWith(options) {
  return new OpenAI({ baseURL, apiKey, maxRetries: 0, fetch: watched, ...options });
}

function ask(client, content, fields = {}, headers = {}) {
  const messages = [{ role: "user", content }];
  return client.chat.completions.create(
    { model: "openclaw", messages, ...fields },
    { headers },
  );
}

async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    const { status = null, code = null, param = null, requestID = null } = error;
    return { name: error.constructor.name, status, code, param, requestID };
  }
  return null;
}

const client = clientWith({});
const patient = clientWith({ maxRetries: 2 });
const key = { "Idempotency-Key": "k" };
await ask(client, "hi", {}, key);

const errors = [
  await errorOf(ask(client, "hi", { temperature: 3 })),
  await errorOf(ask(clientWith({ apiKey: "wrong" }), "hi")),
  await errorOf(ask(clientWith({ apiKey: reader }), "hi")),
  await errorOf(ask(client, "hi", {}, { "x-openclaw-model": "none/such" })),
  await errorOf(ask(client, "hi", { temperature: 1 }, key)),
  await errorOf(ask(client, "x".repeat(20_000))),
  await errorOf(ask(client, "fail")),
];

statuses.length = 0;
await errorOf(ask(patient, "hi", { temperature: 1 }, key));
const conflict = [...statuses];

const held = await ask(client, "hold", { stream: true });
errors.push(await errorOf(ask(client, "hi")));
statuses.length = times.length = 0;
onBusy = () => held.controller.abort();
const completion = await ask(patient, "hi");
const retried = {
  content: completion.choices[0].message.content,
  statuses: [...statuses],
  seconds: (times[1] - times[0]) / 1000,
};

const broken = await ask(client, "break off", { stream: true });
const { name, code } = await errorOf(
  (async () => {
    for await (const chunk of broken) void chunk;
  })(),
);

console.log(JSON.stringify({ errors, conflict, retried, brokenOff: [name, code] }));
