import type { HttpBody } from '@sluice/contract';
import { expect, test } from 'vitest';
import { rpcRefusal } from '../src/refusal-mcp.js';

const body = (value: unknown): HttpBody => ({
  type: 'whole',
  media: 'application/json',
  bytes: Buffer.from(JSON.stringify(value)),
});
const refused = { status: 403, code: 'refused', message: 'No.', hint: 'Ask.', rule: 'r' };
const later = {
  status: 403,
  code: 'approval-needed',
  message: 'Wait.',
  request: 7,
  page: 'https://gw.example/approvals/7',
};
const told = (answer: { readonly body: string }): unknown => JSON.parse(answer.body);

test('an answer has the id that was asked with, of its type, and a batch has one for each', () => {
  expect(rpcRefusal(refused, body({ id: '1', method: 'a' }))).toMatchObject({ status: 200 });
  expect(told(rpcRefusal(refused, body({ id: '1', method: 'a' })))).toMatchObject({
    id: '1',
    error: { code: -31001, message: 'No. Ask.', data: { rule: 'r', reason: 'refused' } },
  });
  expect(
    told(rpcRefusal(refused, body([{ id: 1, method: 'a' }, { method: 'n' }, { id: '1', method: 'b' }]))),
  ).toMatchObject([{ id: 1 }, { id: '1' }]);
});

test('who has asked nothing with an id, or nothing that could be read, hears of it by the status', () => {
  for (const one of [
    body({ method: 'n' }),
    body('x'),
    { type: 'whole', media: '', bytes: Buffer.from('{') } as const,
    undefined,
  ]) {
    const answer = rpcRefusal(refused, one);
    expect([answer.status, told(answer)]).toMatchObject([403, { id: null }]);
  }
});

test('statuses that clients look at stay, and faults of the protocol have their own', () => {
  const asked = body({ id: 1, method: 'a' });
  expect(rpcRefusal({ ...refused, status: 401 }, asked).status).toBe(401);
  expect(rpcRefusal({ ...refused, rpc: { code: -32020, status: 400 } }, asked)).toMatchObject({
    status: 400,
    body: expect.stringContaining('-32020') as string,
  });
});

test('whoever can open an address is told where their request waits', () => {
  const call = (elicitation: object): HttpBody =>
    body({
      id: 1,
      method: 'tools/call',
      params: { _meta: { 'io.modelcontextprotocol/clientCapabilities': { elicitation } } },
    });
  expect(told(rpcRefusal(later, call({ url: {} })))).toMatchObject({
    error: { code: -32042, data: { request: 7, elicitations: [{ mode: 'url', url: later.page }] } },
  });
  expect(told(rpcRefusal(later, call({ form: {} })))).toMatchObject({
    error: { code: -31002, data: { request: 7, url: later.page } },
  });
});

test('in the era without sessions that is a result, behind which the same call comes again', () => {
  const call = (method: string, more: object = {}, version = '2026-07-28'): HttpBody => {
    const capabilities = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } } };
    const meta = { 'io.modelcontextprotocol/protocolVersion': version, ...capabilities };
    return body({ id: 1, method, params: { name: 'x', ...more, _meta: meta } });
  };
  const answer = rpcRefusal(later, call('tools/call'));
  expect([answer.status, told(answer)]).toEqual([
    200,
    {
      jsonrpc: '2.0',
      id: 1,
      result: {
        resultType: 'input_required',
        inputRequests: {
          sluice_approval: {
            method: 'elicitation/create',
            params: { mode: 'url', elicitationId: 'sluice-7', url: later.page, message: later.message },
          },
        },
      },
    },
  ]);
  // Who comes back, whoever answers its server, and whoever cannot be answered so has the number.
  for (const one of [
    call('tools/call', { inputResponses: { sluice_approval: { action: 'accept' } } }),
    call('tools/call', { inputResponses: { name: { action: 'accept', content: {} } }, requestState: 's' }),
    call('completion/complete'),
  ])
    expect(told(rpcRefusal(later, one))).toMatchObject({ error: { code: -31002, data: { request: 7 } } });
  expect(told(rpcRefusal(refused, call('tools/call')))).toMatchObject({ error: { code: -31001 } });
  expect(told(rpcRefusal(later, call('tools/call', {}, '2025-11-25')))).toMatchObject({ error: { code: -32042 } });
});
