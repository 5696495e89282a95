// The official `openai` package: responses.
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { given, run } from './case.mjs';

const client = new OpenAI({ baseURL: given.base_url, apiKey: given.key, maxRetries: 0 });
const { model } = given;
const input = given.content ?? 'Hello there, gateway';
const parameters = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const tools = [{ type: 'function', name: 'weather', strict: true, parameters }];
const Guess = z.object({ answer: z.number().int(), why: z.string().nullable() });

await run({
  async plain() {
    const answer = await client.responses.create({ model, input, instructions: 'Be brief.' });
    return { text: answer.output_text, model: answer.model, status: answer.status,
      usage: [answer.usage.input_tokens, answer.usage.output_tokens], store: answer.store };
  },

  async stream() {
    const kinds = [];
    let text = '';
    let final;
    for await (const event of await client.responses.create({ model, input, stream: true })) {
      kinds.push(event.type);
      if (event.type === 'response.output_text.delta') text += event.delta;
      if (event.type === 'response.completed') final = event.response;
    }
    return { kinds: [...new Set(kinds)], text, status: final.status,
      charged: final.usage.credits_charged };
  },

  async helper() {
    const stream = client.responses.stream({ model, input });
    let deltas = 0;
    stream.on('response.output_text.delta', () => { deltas += 1; });
    const final = await stream.finalResponse();
    return { text: final.output_text, status: final.status, deltas };
  },

  async helperTools() {
    const stream = client.responses.stream({ model, input: 'in parallel', tools });
    let pieces = '';
    stream.on('response.function_call_arguments.delta', ({ delta }) => { pieces += delta; });
    const final = await stream.finalResponse();
    return { pieces, calls: final.output.map((item) => [item.type, item.name, item.arguments]) };
  },

  async tools() {
    const items = [{ role: 'user', content: 'Weather in parallel?' }];
    const first = await client.responses.create({ model, input: items, tools });
    items.push(...first.output);
    for (const item of first.output) {
      items.push({ type: 'function_call_output', call_id: item.call_id, output: '12 degrees' });
    }
    const after = await client.responses.create({ model, input: items, tools });
    return { calls: first.output.map((item) => [item.type, item.name, item.arguments]),
      text: after.output_text };
  },

  async structured() {
    const answer = await client.responses.parse({
      model, input, text: { format: zodTextFormat(Guess, 'guess') },
    });
    return answer.output_parsed;
  },

  async raw() {
    const { data, response, request_id } = await client.responses
      .create({ model, input }).withResponse();
    return { status: response.status, same: request_id === response.headers.get('x-request-id'),
      charged: response.headers.get('x-credits-charged'), text: data.output_text };
  },
});
