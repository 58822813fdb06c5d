import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Entity, ENTITIES, type Mode, streamEditor } from '../src/index.js';

const KEY = Buffer.from('a key for tests, 32 bytes long..');
const redact = (...entities: readonly Entity[]): Map<Entity, Mode> =>
  new Map(entities.map((entity) => [entity, { type: 'redact' }]));
const ALL = redact(...ENTITIES);

/** What comes out when the text comes in these pieces, nothing is released early, and the stream ends. */
function edited(pieces: readonly (string | Buffer)[], modes = ALL): string {
  const editor = streamEditor({ modes, key: KEY });
  const out = pieces.map((piece) => editor.push(Buffer.from(piece)));
  return Buffer.concat([...out, editor.end()]).toString('latin1');
}

function cut(text: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, n) => text.subarray(from, at[n] ?? text.length));
}

const PEM = `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n${'MIIEpAIBAAKCAQEA7bq'.repeat(3)}\nabc+/def==\n-----END RSA PRIVATE KEY-----`;
const SECRETS: readonly (readonly [entity: Entity, text: string, secret: string])[] = [
  ['API_KEY', 'ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8', 'a1B2c3D4e5F6'],
  ['API_KEY', 'AKIAQ3EGZXYW7KLMNOPQ', 'Q3EGZXYW7KLMNOPQ'],
  ['JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N', 'eyJzdWIiOiIx'],
  ['SECRET', 'password=hunter2-and-more', 'hunter2-and'],
  ['SECRET', 'api_key: "q8Zt5LpX2vB9wN4m"', 'q8Zt5LpX2vB9'],
  ['SECRET', 'PASSWORD = "two words 77"', 'words 77'],
  ['CONNECTION_STRING', 'postgres://app:s3cr3t-pw@db.example:5432/shop', 's3cr3t-pw'],
  ['EMAIL', 'ada.lovelace@example.com', 'lovelace@example'],
  ['CREDIT_CARD', '4111 1111 1111 1111', '1111 1111 1111'],
  ['CREDIT_CARD', '4111111111111111', '11111111111111'],
  ['IBAN', 'DE89 3704 0044 0532 0130 00', '0044 0532 0130'],
  ['US_SSN', '219-09-9999', '09-9999'],
  ['PHONE', '+49 30 901820 11', '901820'],
  ['PRIVATE_KEY', PEM, 'MIIEpAIBAAKCAQEA7bq'],
];
const PLAIN = [
  'ls -la',
  'total 12',
  '$ ',
  'drwxr-xr-x 2 root root 4096',
  '\r\n',
  '\n',
  ' ',
  '\t',
  'a',
  '=',
  ':',
  '-',
  '@',
  '1',
  '"',
  "'",
  'x=5',
  'é',
  '😀',
  '\u001b[0m',
  '\u001b[31m',
  '\u001b[2K',
  '\u001b]0;title\u0007',
  '\b',
  'The quick brown fox',
  'key',
  '-----',
  'eyJ',
  'sk-',
  '1234',
  '/usr/bin:',
  '\u0000',
  '\u001b',
];

const texts = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...PLAIN) },
      { weight: 1, arbitrary: fc.constantFrom(...SECRETS.map(([, text]) => text)) },
    ),
    { maxLength: 25 },
  )
  .map((parts) => Buffer.from(parts.join('')));

describe('cuts', () => {
  test('do not change what comes out', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(2_000), { maxLength: 12 }), (text, places) => {
        expect(edited(cut(text, places))).toBe(edited([text]));
      }),
      { numRuns: 4_000 },
    );
  });

  test('nor when every byte comes alone', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(edited(Array.from(text, (byte) => Buffer.from([byte])))).toBe(edited([text]));
      }),
      { numRuns: 1_000 },
    );
  });

  test('nor with only some of the detectors', () => {
    fc.assert(
      fc.property(
        texts,
        fc.array(fc.nat(2_000), { maxLength: 12 }),
        fc.subarray([...ENTITIES]),
        (text, places, entities) => {
          const modes = redact(...entities);
          expect(edited(cut(text, places), modes)).toBe(edited([text], modes));
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

test('lines in bulk are masked as they are one by one', () => {
  const bulk = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant('a line of text without anything in it, of some length\n') },
      { weight: 1, arbitrary: texts.map((text) => `${text.toString('latin1')}\n`) },
    ),
    { minLength: 8, maxLength: 40 },
  );
  fc.assert(
    fc.property(bulk, (lines) => {
      const whole = Buffer.from(lines.join(''), 'latin1');
      const single: Buffer[] = [];
      for (let from = 0; from < whole.length; ) {
        const to = whole.indexOf(0x0a, from) + 1;
        single.push(whole.subarray(from, to));
        from = to;
      }
      expect(edited([whole])).toBe(edited(single));
    }),
    { numRuns: 1_000 },
  );
});

describe('secrets', () => {
  test.each(SECRETS)('%s: %j never leaves in parts', (entity, text, secret) => {
    const around = Buffer.from(`before ${text} after\r\nnext`);
    for (let first = 0; first <= around.length; first++) {
      const out = edited([around.subarray(0, first), around.subarray(first)], redact(entity));
      expect(out).not.toContain(secret);
      expect(out).toContain(`[masked:${entity}]`);
      expect(out.endsWith(' after\r\nnext')).toBe(true);
    }
  });

  test.each(SECRETS.filter(([entity]) => entity !== 'PRIVATE_KEY'))('%s: %j in colours', (entity, text, secret) => {
    const coloured = Array.from(text, (letter, n) => (n % 3 === 2 ? `\u001b[1;3${n % 8}m${letter}` : letter)).join('');
    const out = edited([`before ${coloured}\u001b[0m after\n`], redact(entity));
    expect(out.replaceAll(/\u001b\[[\d;]*m/g, '')).not.toContain(secret);
    expect(out).toContain(`[masked:${entity}]`);
    expect(out.endsWith('\u001b[0m after\n')).toBe(true);
    // Colours that were switched on within it still are.
    expect(out.match(/\u001b/g)?.length).toBe(
      coloured.match(/\u001b/g)?.length === undefined ? 1 : (coloured.match(/\u001b/g)?.length ?? 0) + 1,
    );
  });

  test('a private key without an end takes no more with it than its lines', () => {
    const out = edited(['-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n$ ls -la\nfile\n']);
    expect(out).toBe('[masked:PRIVATE_KEY]\n$ ls -la\nfile\n');
  });

  test('the modes of the rules are kept', () => {
    expect(edited(['card 4111111111111111.\n'], new Map([['CREDIT_CARD', { type: 'partial', keepLast: 4 }]]))).toBe(
      'card ************1111.\n',
    );
    expect(edited(['a@example.com x\n'], new Map([['EMAIL', { type: 'null' }]]))).toBe(' x\n');
    expect(edited(['a@example.com x\n'], new Map([['EMAIL', { type: 'hash' }]]))).toMatch(/^tok_[a-z2-7]{20} x\n$/);
  });
});

describe('typing', () => {
  const typed = (text: string, modes: Map<Entity, Mode>): { atOnce: number; late: number } => {
    const editor = streamEditor({ modes, key: KEY });
    let atOnce = 0;
    let late = 0;
    for (const letter of text) {
      if (editor.push(Buffer.from(letter)).length > 0) atOnce++;
      if (editor.held > 0) {
        late++;
        // A person waits longer than the editor holds text back, between two keys.
        expect(editor.release().length).toBeGreaterThan(0);
      }
      expect(editor.held).toBe(0);
    }
    return { atOnce, late };
  };

  test('passes at once where only keys and passwords are looked for', () => {
    const modes = redact('API_KEY', 'JWT', 'PRIVATE_KEY', 'SECRET');
    const { late } = typed('ls -la /var/log | grep nginx\r\n', modes);
    expect(late).toBeLessThanOrEqual(6);
  });

  test('never waits longer than one hold, whatever is looked for', () => {
    typed('git log --oneline -10 && mail ada@example.com 4111 1111 1111 1111\r\n', ALL);
    typed('export API_TOKEN=abc', ALL);
    typed('ghp_a1B2c3', ALL);
  });

  test('what a program has begun to write is kept for longer, and not for ever', () => {
    const editor = streamEditor({ modes: ALL, key: KEY });
    expect(editor.push(Buffer.from('token: ghp_a1B2c3D4e5F6g7H8')).toString()).not.toContain('ghp');
    expect(editor.release().length).toBe(0);
    expect(editor.push(Buffer.from('i9J0k1L2m3N4o5P6q7R8\n')).toString()).not.toContain('ghp');
    editor.push(Buffer.from('token: ghp_a1B2c3D4'));
    let waits = 0;
    while (editor.held > 0 && waits < 1_000) {
      editor.release();
      waits++;
    }
    expect(waits).toBe(40);
  });

  test('what was released is not masked twice, and what follows it of a secret does not leave', () => {
    const editor = streamEditor({ modes: ALL, key: KEY });
    let out = '';
    for (const letter of 'ghp_a1B2c3') out += editor.push(Buffer.from(letter)).toString() + editor.release().toString();
    expect(out).toBe('ghp_a1B2c3');
    out = editor.push(Buffer.from('D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8 done\n')).toString();
    expect(out).toBe('[masked:API_KEY] done\n');
  });
});

describe('bounds', () => {
  test('memory: a line without an end is not kept', () => {
    const editor = streamEditor({ modes: ALL, key: KEY });
    const chunk = Buffer.from('a'.repeat(32 * 1024));
    let out = 0;
    for (let n = 0; n < 200; n++) {
      out += editor.push(chunk).length;
      expect(editor.held).toBeLessThanOrEqual(64 * 1024);
    }
    expect(out + editor.end().length).toBe(200 * chunk.length);
  });

  test('a long line is masked in all of its parts', () => {
    const words = `${'word '.repeat(1_000)}ada@example.com `.repeat(30);
    for (const size of [1_000, 4_096, 40_000, words.length]) {
      const pieces = Array.from({ length: Math.ceil(words.length / size) }, (_, n) =>
        words.slice(n * size, (n + 1) * size),
      );
      expect(edited(pieces)).toBe(words.replaceAll('ada@example.com', '[masked:EMAIL]'));
    }
  });

  test.each([0, 40, 127, 128, 1_000])('a secret that spans two parts of a long line, %i before', (before) => {
    const secret = 'password="hunter 77 two words and more of it to come here"';
    for (let left = 1; left < secret.length; left += 9) {
      const size = 16 * 1024 - left - before;
      const text = `${'a '.repeat(size / 2)}${'b'.repeat(size % 2)} ${'c'.repeat(before)} ${secret} then ${'b '.repeat(9_000)}\n`;
      for (const size of [text.length, 5_000, 64]) {
        const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, n) =>
          text.slice(n * size, (n + 1) * size),
        );
        expect(edited(pieces)).toBe(text.replace(/hunter.*here/, '[masked:SECRET]'));
      }
    }
  });

  test('a long word behind a name is hidden to its end', () => {
    const text = `x password=${'Zq7xK9mP2w'.repeat(4_000)} and the rest\n`;
    for (const size of [text.length, 5_000, 64]) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, n) =>
        text.slice(n * size, (n + 1) * size),
      );
      expect(edited(pieces)).not.toContain('K9mP');
      expect(edited(pieces)).toContain(' and the rest\n');
    }
  });

  test('binary output passes as it is', () => {
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, n) => (n * 7919 + (n >> 3)) & 0xff));
    expect(edited(cut(bytes, [1, 17, 4_000, 20_000, 33_333]), redact('API_KEY', 'JWT', 'PRIVATE_KEY'))).toBe(
      bytes.toString('latin1'),
    );
  });
});
