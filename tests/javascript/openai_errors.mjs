// The official `openai` package: what it makes of refusals and failures, and its own retries.
import OpenAI from 'openai';
import { given, run, told } from './case.mjs';

const client = new OpenAI({
  baseURL: given.base_url, apiKey: given.key, maxRetries: given.retries ?? 0,
});
const { body, headers, api } = given;

function create(options = {}) {
  const request = { ...body, ...options };
  if (api === 'responses') return client.responses.create(request, { headers });
  return client.chat.completions.create(request, { headers });
}

async function caught(action) {
  try {
    return { answered: await action() };
  } catch (error) {
    return { ...told(error), isApiError: error instanceof OpenAI.APIError };
  }
}

await run({
  async ask() {
    return caught(async () => (await create()).object);
  },

  async stream() {
    return caught(async () => {
      let pieces = 0;
      for await (const _ of await create({ stream: true })) pieces += 1;
      return pieces;
    });
  },

  async model() {
    return caught(() => client.models.retrieve('llama-3'));
  },
});
