/** Which requests have answers that a model has written before. */
import { expect, test } from 'vitest';
import { callOf } from '../src/provider.js';

const openai = (method: string, path: string, body: 'none' | 'whole') =>
  callOf('openai', method, path.split('/').slice(1), body);

test.each([
  ['/v1/responses/resp_1', 'responses'],
  ['/v1/chat/completions/chatcmpl_1', 'chat'],
  ['/v1/files/file_1/content', 'lines'],
  ['/v1/batches', 'batch'],
  ['/v1/batches/batch_1', 'batch'],
] as const)(
  'what a provider has kept is read as what it is, with a body that nobody asked for too: %s',
  (path, answers) => {
    expect(openai('GET', path, 'none')).toEqual({ type: 'plain', answers });
    expect(openai('GET', path, 'whole')).toEqual({ type: 'unread', answers });
  },
);

test('what has a body is kept, or is not read', () => {
  expect(openai('POST', '/v1/files', 'whole')).toEqual({ type: 'file' });
  expect(openai('POST', '/v1/batches', 'whole')).toEqual({ type: 'batch' });
  expect(openai('POST', '/v1/uploads', 'whole')).toEqual({ type: 'unread' });
  // Its answer is the one that is kept, with other names.
  expect(openai('POST', '/v1/chat/completions/chatcmpl_1', 'whole')).toEqual({ type: 'unread', answers: 'chat' });
});
