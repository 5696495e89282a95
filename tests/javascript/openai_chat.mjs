// The official `openai` package: chat completions and models.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { given, run } from './case.mjs';

const client = new OpenAI({ baseURL: given.base_url, apiKey: given.key, maxRetries: 0 });
const { model } = given;
const messages = [{ role: 'user', content: given.content ?? 'Hello there, gateway' }];
const parameters = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const weather = { type: 'function', function: { name: 'weather', parameters } };
const Guess = z.object({ answer: z.number().int(), why: z.string().nullable() });

await run({
  async plain() {
    const answer = await client.chat.completions.create({ model, messages });
    const [choice] = answer.choices;
    return { model: answer.model, text: choice.message.content, reason: choice.finish_reason,
      usage: [answer.usage.prompt_tokens, answer.usage.completion_tokens] };
  },

  async stream() {
    const stream = await client.chat.completions.create({
      model, messages, stream: true, stream_options: { include_usage: true },
    });
    const pieces = [];
    let last;
    for await (const chunk of stream) {
      pieces.push(chunk.choices[0]?.delta.content ?? '');
      last = chunk;
    }
    return { text: pieces.join(''), chunks: pieces.length, tokens: last.usage.completion_tokens,
      charged: last.usage.credits_charged };
  },

  async left() {
    // `break` aborts the request.
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    return { aborted: stream.controller.signal.aborted };
  },

  async helper() {
    const stream = client.chat.completions.stream({ model, messages });
    const seen = [];
    stream.on('content', (delta, snapshot) => seen.push(snapshot));
    const text = await stream.finalContent();
    return { text, last: seen.at(-1) };
  },

  async tools() {
    const tools = [weather];
    const first = await client.chat.completions.create({ model, messages, tools });
    const { message } = first.choices[0];
    const results = message.tool_calls.map(({ id }) => (
      { role: 'tool', tool_call_id: id, content: '12 degrees' }
    ));
    const after = await client.chat.completions.create({
      model, messages: [...messages, message, ...results], tools,
    });
    return { reason: first.choices[0].finish_reason, calls: message.tool_calls.map((call) => (
      [call.function.name, call.function.arguments])), text: after.choices[0].message.content };
  },

  async runTools() {
    const asked = [];
    const tool = { type: 'function', function: {
      name: 'weather', description: 'Tell the weather', parameters, parse: JSON.parse,
      function: ({ city }) => { asked.push(city); return '12 degrees'; },
    } };
    const params = { model, messages, tools: [tool] };
    const plain = await client.chat.completions.runTools(params).finalContent();
    const streamed = await client.chat.completions.runTools({ ...params, stream: true });
    return { asked, plain, streamed: await streamed.finalContent(), all: asked.length };
  },

  async structured() {
    const answer = await client.chat.completions.parse({
      model, messages, response_format: zodResponseFormat(Guess, 'guess'),
    });
    return answer.choices[0].message.parsed;
  },

  async raw() {
    const { data, response, request_id } = await client.chat.completions
      .create({ model, messages }).withResponse();
    const headers = Object.fromEntries(['x-request-id', 'x-ratelimit-limit', 'x-credits-charged',
      'x-credits-remaining', 'content-type'].map((name) => [name, response.headers.get(name)]));
    return { status: response.status, request_id, headers, text: data.choices[0].message.content };
  },

  async models() {
    const listed = [];
    for await (const found of client.models.list()) listed.push(found.id);
    const one = await client.models.retrieve(model);
    return { listed, one: { id: one.id, object: one.object, owned_by: one.owned_by } };
  },
});
