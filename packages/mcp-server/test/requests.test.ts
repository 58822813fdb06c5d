import type { ApprovalRequest } from '@sluice/approvals';
import { expect, test } from 'vitest';
import type { MethodCall } from '../src/methods.js';
import { myRequests } from '../src/tools/asking.js';

const asked = (number: number, principal: string, state: ApprovalRequest['state']): ApprovalRequest =>
  ({
    number,
    principal,
    source: {},
    state,
    connection: 'db',
    text: 'select',
    created: 0,
    expires: 1,
    words: [],
  }) as never;

/** What is given of requests of which `over` are over, the newest first, and `waiting` wait. */
const given = (over: readonly ApprovalRequest[], waiting: readonly ApprovalRequest[]): Promise<unknown> => {
  const approvals = {
    recent: (most: number) => Promise.resolve(over.slice(0, most)),
    waiting: () => waiting,
    pageOf: () => undefined,
  };
  const caller = { principal: { name: 'ada' }, approvals, noted: () => undefined };
  return myRequests.run({}, { caller } as unknown as MethodCall);
};

test('requests of others hide none that waits, and whoever is not given all is told so', async () => {
  const others = Array.from({ length: 600 }, (_, at) => asked(1_000 - at, 'eve', 'denied'));
  expect(await given(others, [asked(7, 'ada', 'pending')])).toMatchObject({
    requests: [{ request: 7, state: 'pending' }],
    truncated: true,
  });
  expect(await given(others.slice(0, 3), [asked(7, 'ada', 'pending')])).toMatchObject({ truncated: false });
  const many = Array.from({ length: 60 }, (_, at) => asked(100 - at, 'ada', 'denied'));
  expect(await given(many, [])).toMatchObject({ truncated: true });
});
