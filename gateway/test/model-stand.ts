import Anthropic from '@anthropic-ai/sdk';
import { ModelDouble } from '@sluice/testkit';
import OpenAI from 'openai';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';

/** A gateway in front of a double of language models, with the SDKs of both providers, direct and through. */
export interface ModelStand extends HttpStand {
  readonly double: ModelDouble;
  readonly openai: OpenAI;
  readonly anthropic: Anthropic;
  readonly direct: { readonly openai: OpenAI; readonly anthropic: Anthropic };
}

export interface ModelStandOptions extends HttpStandOptions {
  readonly provider?: 'openai' | 'anthropic' | 'gemini';
  /** Members of `llm` besides. */
  readonly llm?: string;
}

const KEY = 'the-key-of-the-provider';
const CREDENTIALS = {
  openai: `{ bearer: "${KEY}" }`,
  anthropic: `{ header: { name: X-Api-Key, value: "${KEY}" } }`,
  gemini: `{ header: { name: X-Goog-Api-Key, value: "${KEY}" } }`,
};

export async function openModelStand(options: ModelStandOptions = {}): Promise<ModelStand> {
  const double = await ModelDouble.start();
  const provider = options.provider ?? 'openai';
  const stand = await openHttpStand({
    ...options,
    target: `{ url: "http://127.0.0.1:${double.port}" }`,
    credential: CREDENTIALS[provider],
    connection: `llm: { provider: ${provider}${options.llm === undefined ? '' : `, ${options.llm}`} }\n    ${options.connection ?? ''}`,
  });
  const clients = (base: string, key: string): ModelStand['direct'] => ({
    openai: new OpenAI({ baseURL: `${base}/v1`, apiKey: key }),
    anthropic: new Anthropic({ baseURL: base, apiKey: key }),
  });
  return {
    ...stand,
    ...clients(stand.url, stand.token),
    double,
    direct: clients(`http://127.0.0.1:${double.port}`, KEY),
    stop: async () => {
      await stand.stop();
      await double.stop();
    },
  };
}
