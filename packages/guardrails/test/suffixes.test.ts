import type { Rule } from '@sluice/contract';
import { OpenApi, PLAIN_READING, requestWritten } from '@sluice/http-requests';
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../src/index.js';

const who = {
  principal: { name: 'ada', kind: 'person', groups: [], roles: [] },
  connection: { name: 'app', protocol: 'http' },
  command: { type: 'request' },
} as const;

/** What one rule has to say of a GET. */
function matches(when: string, path: string, then: Rule['then'] = DENY, reading = PLAIN_READING): boolean {
  const policy = compilePolicy([{ rule: 'asked', when, then, mode: 'enforce', path: 'p[0]' }]);
  const { request, text } = requestWritten({ method: 'GET', path }, reading);
  return policy.judge(request.facts(), text, { ...who, request }).matched.length > 0;
}

const DENY: Rule['then'] = { type: 'deny', message: 'No.' };
const HOLD = { type: 'hold', approvers: [] } as unknown as Rule['then'];
const ALLOW: Rule['then'] = { type: 'allow' };

describe('a rule about a path, and the path with a suffix', () => {
  test('what refuses or holds the one does so to both, and what admits it does not', () => {
    for (const path of ['/promote', '/promote/', '/promote.json', '/promote.', '/promote;v=1']) {
      expect(matches('path("/promote")', path), path).toBe(true);
      expect(matches('path("/promote")', path, HOLD), path).toBe(true);
    }
    expect(matches('path("/promote")', '/promote', ALLOW)).toBe(true);
    expect(matches('path("/promote")', '/promote.json', ALLOW)).toBe(false);
    expect(matches('path("/promote")', '/promoted.json')).toBe(false);
  });

  test.each([
    ['request.method == "GET" && (path("/x") || path("/promote"))', true],
    ['path ("/promote")', true],
    ['request.method == "POST" ? path("/x") : path("/promote")', true],
    ['["/x", "/promote"].exists(one, path(one))', true],
    ['path("/{what}", "what") == "promote"', true],
    ['path("/{what}", "what") in ["promote", "demote"]', true],
    ['path("/{what}", "what").matches("^promote$")', true],
    ['path("/{what}", "what").startsWith("promote")', true],
    ['"path(" == "path(" && path("/promote")', true],
    ['!path("/promote.json")', false],
    ['!(path("/promote.json") || path("/x"))', false],
    ['path("/{what}", "what") != "promote.json"', false],
    ['!(path("/{what}", "what") in ["promote.json"])', false],
    ['request.path == "/promote"', false],
  ])('/promote.json, %s: %s', (when, expected) => expect(matches(when, '/promote.json')).toBe(expected));

  test('what refuses all but some paths refuses none of those, and all others as they are written', () => {
    const others = '!(path("/openapi.json") || path("/v1/**"))';
    expect(matches(others, '/openapi.json')).toBe(false);
    expect(matches(others, '/v1/x.json')).toBe(false);
    expect(matches(others, '/openapi')).toBe(true);
    expect(matches(others, '/v1.json')).toBe(true);
  });

  test('so has an operation of its document', () => {
    const get = (operationId: string): object => ({ get: { operationId } });
    const paths = { '/promote': get('promote'), '/users/me': get('me'), '/users/{id}': get('user') };
    const spec = new OpenApi({ openapi: '3.1.0', paths });
    const reading = { ...PLAIN_READING, spec };
    const asked = (when: string, path: string): boolean => matches(when, path, DENY, reading);
    expect(asked('request.operation == "promote"', '/promote.json')).toBe(true);
    expect(asked('request.method == "GET" && request . operation in ["promote"]', '/promote.json')).toBe(true);
    expect(asked('request.operation == "promote"', '/other.json')).toBe(false);
    expect(asked('request.operation == ""', '/promote.json')).toBe(true);
    expect(asked('request.operation != "promote"', '/promote.json')).toBe(true);
    expect(asked('request.operation == ""', '/promote')).toBe(false);
    expect(asked('request.operation == "me"', '/users/me.json')).toBe(true);
    expect(asked('request.operation == "user"', '/users/me.json')).toBe(true);
  });

  test('a connection may tell them apart', () => {
    const apart = { ...PLAIN_READING, suffixes: 'apart' } as const;
    expect(matches('path("/promote")', '/promote.json', DENY, apart)).toBe(false);
    expect(matches('path("/promote")', '/promote/', DENY, apart)).toBe(true);
  });
});
