// The official `openai` package: speech, whole and as it comes.
import OpenAI from 'openai';
import { given, run } from './case.mjs';

const client = new OpenAI({ baseURL: given.base_url, apiKey: given.key, maxRetries: 0 });
const { model, voice, input } = given;

await run({
  async whole() {
    const answer = await client.audio.speech.create({ model, voice, input, response_format: 'wav' });
    const sound = Buffer.from(await answer.arrayBuffer());
    return { type: answer.headers.get('content-type'), begins: sound.subarray(0, 4).toString() };
  },

  async streamed() {
    const answer = await client.audio.speech.create({ model, voice, input });
    let pieces = 0;
    for await (const piece of answer.body) pieces += piece.length > 0 ? 1 : 0;
    return { type: answer.headers.get('content-type'), several: pieces > 1 };
  },
});
