import { expect, test } from 'vitest';
import { withoutOwnInput } from '../src/index.js';

const stripped = (params: string): string | undefined =>
  withoutOwnInput(Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`))?.toString();

test('what a client answers to the gateway goes, and nothing else', () => {
  const whole = (params: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
  expect(stripped('{"name":"x","inputResponses":{"sluice_approval":{"action":"accept"}},"arguments":{"n":1.0}}')).toBe(
    whole('{"name":"x","arguments":{"n":1.0}}'),
  );
  expect(stripped('{"inputResponses":{"a":{},"sluice_approval":{},"b":{}},"requestState":"s"}')).toBe(
    whole('{"inputResponses":{"a":{},"b":{}},"requestState":"s"}'),
  );
  expect(stripped('{"name":"x","arguments":{"inputResponses":{"sluice_approval":{}}}}')).toBeUndefined();
  expect(stripped('{"name":"sluice_approval"}')).toBeUndefined();
  expect(stripped('{"inputResponses":["sluice_approval"]}')).toBeUndefined();
  expect(stripped('{"inputResponses":{"sluice_approval":{}},"inputResponses":{}}')).toBeUndefined();
  expect(stripped('{"name":"x"')).toBeUndefined();
  expect(withoutOwnInput(Buffer.from('[{"params":{"inputResponses":{"sluice_approval":{}}}}]'))).toBeUndefined();
});
