// The official `@anthropic-ai/sdk` package: messages.
import Anthropic from '@anthropic-ai/sdk';
import { given, run } from './case.mjs';

const client = new Anthropic({
  baseURL: given.base_url, apiKey: given.key, maxRetries: given.retries ?? 0,
});
const request = {
  model: given.model, max_tokens: 256,
  messages: [{ role: 'user', content: given.content ?? 'Hello there, gateway' }],
  ...given.body,
};
const input_schema = {
  type: 'object', properties: { city: { type: 'string' } }, required: ['city'],
};
const tools = [{ name: 'weather', description: 'Tell the weather', input_schema }];
const textOf = ({ content }) => content.map(({ text }) => text ?? '').join('');

async function caught(action) {
  try {
    return { answered: await action() };
  } catch (error) {
    return { name: error.constructor.name, status: error.status, requestID: error.requestID,
      isApiError: error instanceof Anthropic.APIError, type: error.error?.error?.type };
  }
}

await run({
  async plain() {
    const answer = await client.messages.create(request);
    return { text: textOf(answer), model: answer.model, reason: answer.stop_reason,
      usage: [answer.usage.input_tokens, answer.usage.output_tokens] };
  },

  async stream() {
    const kinds = [];
    let text = '';
    for await (const event of await client.messages.create({ ...request, stream: true })) {
      kinds.push(event.type);
      text += event.delta?.text ?? '';
    }
    return { kinds: [...new Set(kinds)], text };
  },

  async helper() {
    const stream = client.messages.stream(request);
    let last = '';
    stream.on('text', (_, snapshot) => { last = snapshot; });
    const final = await stream.finalMessage();
    return { text: textOf(final), last, reason: final.stop_reason };
  },

  async tools() {
    const first = await client.messages.create({ ...request, tools });
    const results = first.content.filter(({ type }) => type === 'tool_use').map(({ id }) => (
      { type: 'tool_result', tool_use_id: id, content: '12 degrees' }
    ));
    const messages = [...request.messages, { role: 'assistant', content: first.content },
      { role: 'user', content: results }];
    const after = await client.messages.create({ ...request, messages, tools });
    return { reason: first.stop_reason, calls: first.content.map(({ type, name, input }) => (
      [type, name, input])), text: textOf(after) };
  },

  async raw() {
    const { data, response, request_id } = await client.messages.create(request).withResponse();
    return { status: response.status, same: request_id === response.headers.get('request-id'),
      charged: response.headers.get('x-credits-charged'), text: textOf(data) };
  },

  async count() {
    const { max_tokens: _, ...counted } = request;
    return client.messages.countTokens(counted);
  },

  async ask() {
    return caught(async () => (await client.messages.create(request)).type);
  },

  async broken() {
    return caught(async () => textOf(await client.messages.stream(request).finalMessage()));
  },
});
