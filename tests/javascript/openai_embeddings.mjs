// The official `openai` package: embeddings.
import OpenAI from 'openai';
import { given, run } from './case.mjs';

const client = new OpenAI({ baseURL: given.base_url, apiKey: given.key, maxRetries: 0 });
const { model } = given;
const input = ['Hello there', 'gateway'];

await run({
  // The SDK asks for base64 of its own accord and unpacks it.
  async packed() {
    const packed = await client.embeddings.create({ model, input });
    const plain = await client.embeddings.create({ model, input, encoding_format: 'float' });
    const apart = packed.data.map(({ embedding }, index) => Math.max(...embedding.map(
      (number, place) => Math.abs(number - plain.data[index].embedding[place]))));
    return { model: packed.model, usage: packed.usage, far: apart.some((most) => most > 1e-6),
      lengths: packed.data.map(({ embedding }) => embedding.length),
      plain: plain.data.map(({ embedding }) => embedding.length) };
  },

  async short() {
    const { data } = await client.embeddings.create({ model, input: 'Hello', dimensions: 256 });
    return data.map(({ embedding }) => embedding.length);
  },
});
