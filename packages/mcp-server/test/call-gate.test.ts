import type { Admission, Allow, Command, Gate, Masking, PacketMasking, Refusal } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { callGate } from '../src/call-gate.js';
import type { CallSession } from '../src/host.js';

const ADMITTED = { type: 'admission', principal: 'dev', connection: 'db', target: {} } as unknown as Admission;

function gateOf(admission: Admission | Refusal = ADMITTED, more: Partial<Gate> = {}) {
  const admitted: string[] = [];
  const session = {
    gate: { ...more } as Gate,
    admit: (account: string) => {
      admitted.push(account);
      return Promise.resolve(admission);
    },
  } as CallSession;
  const heard = { denied: undefined, changes: false, refused: undefined, masked: [] };
  const gate = callGate(session, { connection: 'db', secret: 'right', heard, holdWait: 5, notice: () => undefined });
  return { gate, heard, admitted };
}
const code = (outcome: Admission | Refusal): string => (outcome.type === 'refusal' ? outcome.reason.code : 'in');

describe('the proof of a client in this process', () => {
  test('is good once', async () => {
    const { gate, admitted } = gateOf();
    expect(code(await gate.login('dev', 'db').password('right'))).toBe('in');
    expect(code(await gate.login('dev', 'db').password('right'))).toBe('wrong-proof');
    expect(admitted).toEqual(['']);
  });

  test('is for one connection, and nobody can guess it', async () => {
    const { gate, admitted } = gateOf();
    for (const secret of ['', 'wrong', 'right ', 'righ']) {
      expect(code(await gate.login('dev', 'db').password(secret))).toBe('wrong-proof');
    }
    expect(code(await gate.login('dev', 'other').password('right'))).toBe('wrong-proof');
    expect(admitted).toEqual([]);
    expect(code(await gate.login('', 'db', 'root').password('right'))).toBe('in');
    expect(admitted).toEqual(['root']);
  });

  test('has no other way', async () => {
    const { gate, admitted } = gateOf();
    const challenge = gate.login('dev', 'db');
    expect(challenge.scram().candidates).toEqual([]);
    expect(challenge.mysql().candidates).toEqual([]);
    expect(challenge.offers(new Uint8Array(1))).toBe(false);
    for (const attempt of [
      challenge.bearer('right'),
      challenge.publicKey(new Uint8Array(1)),
      challenge.interactive(() => undefined, AbortSignal.timeout(1), ''),
      challenge.scram().fail(),
    ])
      expect(code(await attempt)).toBe('wrong-proof');
    expect(admitted).toEqual([]);
  });

  test('a session that people have to agree to is refused at once, and what was said is heard', async () => {
    const reason = {
      code: 'session-approval-needed',
      connection: 'db',
      request: 3,
      approvers: '1 of user:ada',
    } as const;
    const release = () => Promise.resolve({ type: 'refusal', reason } as const);
    const { gate, heard } = gateOf({ ...ADMITTED, release });
    expect(code(await gate.login('dev', 'db').password('right'))).toBe('session-approval-needed');
    expect(heard.refused).toEqual({ type: 'refusal', reason });
  });
});

describe('what is said of commands', () => {
  const facts = (effects: string[]) =>
    ({ actions: [{ effects }], statements: [], confidence: 'exact' }) as unknown as Allow['facts'];
  const command = { type: 'custom', id: 1, verb: 'get', text: 'get a' } as const;

  test('a no is heard, and whether something may change', async () => {
    const answers = [
      { type: 'allow', facts: facts(['read']) },
      { type: 'allow', facts: facts(['read', 'write']) },
      { type: 'deny', rule: 'r', message: 'No.' },
    ] as const;
    let at = 0;
    const { gate, heard } = gateOf(ADMITTED, { ask: () => Promise.resolve(answers[at++] as Allow) });
    await gate.ask(command);
    expect(heard.changes).toBe(false);
    await gate.ask(command);
    expect(heard.changes).toBe(true);
    expect(await gate.ask(command)).toBe(answers[2]);
    expect(heard.denied).toBe(answers[2]);
  });

  test('what serves the session at the target is told', () => {
    const told: (number | undefined)[] = [];
    const { gate } = gateOf(ADMITTED, { opened: (process) => void told.push(process) });
    gate.opened(7);
    expect(told).toEqual([7]);
  });

  test('a command that can wait does so for a while only', () => {
    let waits: number | undefined;
    const { gate } = gateOf(ADMITTED, {
      ask: (_command, waiter) => {
        waits = waiter?.maxWaitMs;
        return { type: 'allow', facts: facts(['read']) };
      },
    });
    void gate.ask(command);
    expect(waits).toBeUndefined();
    void gate.ask(command, { answersDelivered: () => Promise.resolve('idle'), signal: AbortSignal.timeout(1000) });
    expect(waits).toBe(5);
  });
});

describe('what a command is masked by', () => {
  /** What the client is given for an answer of the gate. */
  const given = (answer: Partial<Allow>): Allow => {
    const { gate } = gateOf(ADMITTED, {
      ask: () => ({ type: 'allow', facts: { actions: [] }, ...answer }) as unknown as Allow,
    });
    return gate.ask({} as Command) as Allow;
  };

  test.each([
    'changesSession',
    'runsCode',
    'texts',
    'failed',
    'completed',
    'copy',
    'behind',
    'sent',
    'stands',
  ] as const)('has %s as it was', (name) => {
    const masking = { rows: () => undefined, [name]: () => 'as it was' } as unknown as Masking;
    const made = given({ masking }).masking?.[name] as (() => unknown) | undefined;
    expect(made?.()).toBe('as it was');
    expect(given({ masking: { rows: () => undefined } as unknown as Masking }).masking?.[name]).toBeUndefined();
  });

  test.each(['warnings', 'error', 'completed', 'sent', 'stands', 'ended'] as const)('has %s as it was', (name) => {
    const packets = { rows: () => undefined, [name]: () => 'as it was' } as unknown as PacketMasking;
    const made = given({ packets }).packets?.[name] as (() => unknown) | undefined;
    expect(made?.()).toBe('as it was');
  });
});
