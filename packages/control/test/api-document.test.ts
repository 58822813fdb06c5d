import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { apiDocument } from '../src/document.js';

const PUBLISHED = join(import.meta.dirname, '..', '..', '..', 'docs', 'openapi.json');

test('docs/openapi.json is what the routes say: "pnpm api-doc" writes it', async () => {
  const published = readFileSync(PUBLISHED, 'utf8');
  expect(JSON.parse(published).paths).toHaveProperty(['/v1/sessions/{id}', 'delete']);
  expect(published).toBe(await apiDocument());
});
