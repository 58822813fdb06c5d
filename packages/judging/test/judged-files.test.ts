/** Which files of calls are remembered, for whom and how many. */
import { expect, test, vi } from 'vitest';
import { type JudgedFile, type JudgedFileStore, JudgedFiles } from '../src/judged-files.js';

class KeptInMemory implements JudgedFileStore {
  readonly files = new Map<string, JudgedFile>();

  all(): Promise<readonly JudgedFile[]> {
    return Promise.resolve([...this.files.values()]);
  }

  save(file: JudgedFile): Promise<void> {
    this.files.set(`${file.principal} ${file.file}`, file);
    return Promise.resolve();
  }

  remove({ principal, file }: Pick<JudgedFile, 'principal' | 'file'>): Promise<void> {
    this.files.delete(`${principal} ${file}`);
    return Promise.resolve();
  }
}

const fails = (error: Error): never => {
  throw error;
};
const fileOf = (file: string, more: Partial<JudgedFile> = {}): JudgedFile => ({
  connection: 'openai',
  person: 'ada',
  principal: 'ada',
  file,
  endpoint: '/v1/chat/completions',
  rules: 'r',
  state: 'free',
  since: Date.now(),
  ...more,
});

test('the oldest of one person makes room, and nobody else’s', async () => {
  const store = new KeptInMemory();
  const files = await JudgedFiles.open(store, fails);
  files.note(fileOf('of-bob', { person: 'bob', principal: 'bob' }), []);
  for (let n = 0; n < 1_005; n++) files.note(fileOf(`f-${n}`), []);
  expect(store.files.size).toBe(1_001);
  expect(files.find(fileOf('f-4'))).toBeUndefined();
  expect(files.find(fileOf('f-5'))).toBeDefined();
  expect(files.find(fileOf('of-bob', { principal: 'bob' }))).toBeDefined();
  expect(files.find(fileOf('of-bob'))).toBeUndefined();
  expect(files.find(fileOf('f-5', { connection: 'other' }))).toBeUndefined();
});

test('what was used stays so over a restart, and a month is too long', async () => {
  const store = new KeptInMemory();
  const first = await JudgedFiles.open(store, fails);
  first.note(fileOf('counted', { state: 'counted' }), []);
  first.note(fileOf('free'), []);
  for (const name of ['counted', 'free']) first.mark(fileOf(name), 'used');
  const again = await JudgedFiles.open(store, fails);
  expect(['counted', 'free'].map((name) => again.find(fileOf(name))?.state)).toEqual(['used', 'free']);
  again.mark(fileOf('counted'), 'counted');
  expect(store.files.get('ada counted')?.state).toBe('counted');
  vi.useFakeTimers({ now: Date.now() + 32 * 24 * 3_600_000, toFake: ['Date'] });
  expect(again.find(fileOf('free'))).toBeUndefined();
  vi.useRealTimers();
});
