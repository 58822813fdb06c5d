/** Which requests to Gemini are calls of which model, and what they declare, however it is written. */
import { readJson } from '@sluice/http-requests';
import { describe, expect, test } from 'vitest';
import { callOf } from '../src/provider.js';
import { readCall } from '../src/requests/read.js';

const modelOf = (path: string): string | undefined => {
  const call = callOf('gemini', 'POST', path.split('/').slice(1), 'whole');
  return call.type === 'call' ? call.model : call.type;
};

test.each([
  ['/v1beta/models/a:generateContent', 'a'],
  ['/v1beta/tunedModels/a:streamGenerateContent/', 'a'],
  ['/v1beta/models//a:generateContent', 'a'],
  ['/v1/projects/models/locations/l/publishers/google/models/a:generateContent', 'a'],
  ['/v1/projects/p/locations/endpoints/publishers/google/models/a:generateContent', 'a'],
  ['/v1/projects/p/locations/l/endpoints/7:countTokens', '7'],
  // The same in an envelope of another service, whose answers nobody here follows.
  ['/v1internal:generateContent', 'unread'],
  ['/v1beta/models/a/:generateContent', 'unread'],
])('%s is a call of %s', (path, model) => {
  expect(modelOf(path)).toBe(model);
});

describe('a tool of the provider is known', () => {
  test.each([
    ['by itself', [{ codeExecution: {} }]],
    ['in the other spelling', [{ code_execution: {} }]],
    ['beside another one', [{ googleSearch: {}, codeExecution: {} }]],
    ['beside functions', [{ functionDeclarations: [{ name: 'f' }], code_execution: {} }]],
    ['outside of a list', { codeExecution: {} }],
  ])('%s', (_, tools) => {
    const { tools: names } = readCall('contents', readJson(JSON.stringify({ contents: [], tools })));
    expect(names).toEqual(expect.arrayContaining(['codeExecution', 'code_execution']));
  });

  test('and so is a function outside of a list', () => {
    const body = { contents: [], tools: { functionDeclarations: { name: 'shell' } } };
    expect(readCall('contents', readJson(JSON.stringify(body))).tools).toEqual(['shell']);
  });
});
