/** A session channel from its opening to its end, message by message: what each peer gets, and what is on record. */
import type { Answer, Deny, Ending } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { M } from '../src/messages.js';
import { PTY, type Talk, type TalkOptions, allow, editor, facts, talk, transfer } from './talk.js';

const WINDOW = 2 * 1024 * 1024;
const DENIED: Deny = { type: 'deny', rule: 'no-destruction', message: 'Nothing is destroyed here.', hint: 'Ask ada.' };
const KILLED: Ending = { code: 'ended-by-administrator' };
const KILLED_IN_WORDS = 'The session was ended by an administrator.';
const COUNTS = 'in 0 bytes, out 0 bytes, err 0 bytes';

/** A channel on which a command was asked for. */
function started(options: TalkOptions = {}): Talk {
  const session = talk(options);
  session.client.opens().asks('exec', 'id');
  expect(session.client.got()).toEqual(['confirmed', 'yes']);
  return session;
}

/** The command runs at the target. */
async function running(options: TalkOptions = {}, answer: Answer = allow): Promise<Talk> {
  const session = started(options);
  await session.answer(answer);
  session.target.confirms().grants();
  expect(session.target.got()).toEqual(['open session', 'exec id']);
  return session;
}

describe('before anything has started', () => {
  test('what is asked for is judged where it is not harmless, and the target gets it before the program', async () => {
    const session = talk({ judge: ({ type, text }) => (type !== 'forward' || text.includes('GOOD') ? allow : DENIED) });
    const { client, target } = session;
    client
      .opens()
      .asks('env', 'LANG', 'C')
      .asks('env', 'GOOD', '1')
      .asks('env', 'BAD', '1')
      .asks('pty-req', ...PTY);
    client
      .asks('pty-req', ...PTY)
      .asks('unheard-of')
      .tells('window-change', 100, 50, 0, 0);
    expect(client.got()).toEqual(['confirmed', 'yes', 'yes', 'no', 'yes', 'no', 'no']);
    client.asks('exec', 'id');
    await session.turn();
    target.confirms();
    expect(target.got()).toEqual([
      'open session',
      'env LANG=C',
      'env GOOD=1',
      'pty-req',
      'exec id',
      'window-change 100x50',
    ]);
    expect(session.asked.at(-1)?.command).toMatchObject({
      type: 'exec',
      terminal: true,
      environment: [
        ['LANG', 'C'],
        ['GOOD', '1'],
      ],
    });
    expect(session.recorded()).toEqual(['1 end ok let through', '3 size 100x50']);
  });

  test('a channel that is closed again leaves nothing behind', () => {
    const session = talk();
    session.client.opens().closes();
    expect(session.client.got()).toEqual(['confirmed', 'close']);
    expect([session.asked.length, session.recorded(), session.clock.pending]).toEqual([0, [], 0]);
  });

  test('a channel whose input has ended starts nothing', () => {
    const session = talk();
    session.client.opens().eof().asks('exec', 'id');
    expect(session.client.got()).toEqual(['confirmed', 'no']);
    expect(session.asked).toEqual([]);
  });

  test('what no shell could be given is not run', () => {
    const session = talk();
    session.client.opens().asks('exec', 'a\0b');
    expect(session.client.got()).toEqual([
      'confirmed',
      'yes',
      'err sluice: This command was not run: a NUL byte is in it.\n',
      'exit-status 126',
      'eof',
      'close',
    ]);
    expect(session.asked).toEqual([]);
  });
});

describe('while it is judged', () => {
  test('the target hears nothing, and gets the input of that time when it runs', async () => {
    const session = started();
    session.client.writes('early ').writes('input').eof();
    await session.turn();
    expect(session.target.got()).toEqual([]);
    await session.answer(allow);
    expect(session.target.got()).toEqual(['open session']);
    session.target.confirms();
    expect(session.target.got()).toEqual(['exec id', 'data early input', 'eof']);
  });

  test('the client gets no window back for what waits, and all of it once that has left', async () => {
    const session = started();
    session.client.writes(Buffer.alloc(WINDOW / 2));
    expect(session.client.got()).toEqual([]);
    await session.answer(allow);
    session.target.confirms();
    expect(session.client.got()).toEqual([`window +${WINDOW / 2}`]);
  });

  test('more input than the window has room for ends the connection', () => {
    const session = started();
    session.client.writes(Buffer.alloc(WINDOW)).writes('x');
    expect(session.client.ended).toBe('data beyond the window of its channel');
  });

  test('neither a second program nor another variable is taken', async () => {
    const session = started();
    session.client
      .asks('exec', 'other')
      .asks('shell')
      .asks('env', 'LANG', 'C')
      .asks('pty-req', ...PTY);
    expect(session.client.got()).toEqual(['no', 'no', 'no', 'no']);
    await session.answer(allow);
    session.target.confirms();
    expect(session.target.got()).toEqual(['open session', 'exec id']);
    expect(session.asked).toHaveLength(1);
  });

  test('a refusal is told on standard error, and the target hears nothing', async () => {
    const session = started();
    await session.answer(DENIED);
    expect(session.client.got()).toEqual([
      'err sluice: Nothing is destroyed here. (rule "no-destruction")\nsluice: Ask ada.\n',
      'exit-status 126',
      'eof',
      'close',
    ]);
    session.client.closes();
    expect([session.target.got(), session.recorded()]).toEqual([[], []]);
  });

  test('a gate that fails is a refusal', async () => {
    const session = started();
    await session.answer(new Error('broken'));
    expect(session.client.got()[0]).toContain('This command could not be judged, so it was not run.');
    expect(session.target.got()).toEqual([]);
  });

  test('on one connection a program that waits holds up no other', async () => {
    const session = started();
    session.client.opens().asks('exec', 'second');
    expect(session.asked.map(({ command }) => command.text)).toEqual(['id', 'second']);
    await session.answer(DENIED);
    await session.answer(allow);
    session.target.confirms();
    expect(session.target.got()).toEqual(['open session', 'exec second']);
  });
});

describe('while people are asked', () => {
  const CANCELLED: Deny = {
    type: 'deny',
    rule: 'two-eyes',
    message: 'The client cancelled the command.',
    reason: { code: 'cancelled' },
  };
  const say = (session: Talk): void =>
    session.asked[0]?.waiter?.say?.({ code: 'command-waits', request: 7, rules: ['two-eyes'], approvers: '1 of ada' });
  const reason = (session: Talk): unknown => session.asked[0]?.waiter?.signal.reason;

  test('the client is told, and the command runs when it is released', async () => {
    const session = started();
    say(session);
    expect(session.client.got()).toEqual([
      'err sluice: This command waits for an approval: request 7, rule "two-eyes".\nsluice: 1 of ada can release it: sluice approvals approve 7. Cancel the command to withdraw it.\n',
    ]);
    await session.answer(allow);
    session.target.confirms();
    expect(session.target.got()).toEqual(['open session', 'exec id']);
  });

  test.each([
    ['a signal', (session: Talk) => session.client.tells('signal', 'INT')],
    ['Ctrl+C at a terminal', (session: Talk) => session.client.writes('\x03')],
  ])('%s withdraws it', async (_, act) => {
    const session = talk();
    session.client
      .opens()
      .asks('pty-req', ...PTY)
      .asks('exec', 'id');
    session.client.got();
    act(session);
    expect(reason(session)).toBe('cancelled');
    await session.answer(CANCELLED);
    expect(session.client.got().filter((line) => line !== 'data ')).toEqual([
      'err sluice: The command was cancelled while it waited, and was not run.\r\n',
      'exit-status 130',
      'eof',
      'close',
    ]);
    expect([session.target.got(), session.recorded()]).toEqual([[], []]);
  });

  test('Ctrl+C without a terminal is a byte like any other', async () => {
    const session = started();
    session.client.writes('\x03');
    expect(reason(session)).toBeUndefined();
    await session.answer(allow);
    session.target.confirms();
    expect(session.target.got()).toContain('data \x03');
  });

  test('a client that closes the channel, or is gone, withdraws it', () => {
    const [closed, gone] = [started(), started()];
    closed.client.closes();
    gone.clientGone();
    expect([reason(closed), reason(gone)]).toEqual(['gone', 'gone']);
    expect(closed.client.got()).toEqual(['close']);
  });

  test('what is released although nobody waits is not run, and the record has its end', async () => {
    const session = started();
    session.client.closes();
    await session.answer(allow);
    expect(session.target.got()).toEqual([]);
    expect(session.recorded()).toEqual([`1 end lost nobody waited for it any more when it was let through; ${COUNTS}`]);
  });
});

describe('while the target opens its channel', () => {
  const opening = async (): Promise<Talk> => {
    const session = started();
    await session.answer(allow);
    expect(session.target.got()).toEqual(['open session']);
    return session;
  };

  test('a client that closes gets its end, and a channel that comes late is closed', async () => {
    const session = await opening();
    session.client.closes();
    expect(session.client.got()).toEqual(['close']);
    expect(session.recorded()).toEqual([`1 end lost the client was gone before it started; ${COUNTS}`]);
    session.target.confirms();
    expect(session.target.got()).toEqual(['close']);
  });

  test('a target that refuses the channel is a failure in words', async () => {
    const session = await opening();
    session.target.refuses('no room');
    expect(session.client.got()).toEqual([
      'err sluice: The target gives no channel for it: no room.\n',
      'exit-status 255',
      'eof',
      'close',
    ]);
    expect(session.recorded()).toEqual([`1 end error The target gives no channel for it: no room.; ${COUNTS}`]);
  });

  test('a target that refuses the program is one too', async () => {
    const session = await opening();
    session.target.confirms().grants(false);
    expect(session.client.got()[0]).toBe('err sluice: The target does not run it (exec was refused).\n');
    expect(session.target.got()).toEqual(['exec id', 'close']);
    expect(session.recorded()).toEqual([`1 end error The target does not run it (exec was refused).; ${COUNTS}`]);
  });

  test('a target without terminals is told of, and the program runs all the same', async () => {
    const session = talk({ judge: () => allow });
    session.client
      .opens()
      .asks('pty-req', ...PTY)
      .asks('exec', 'id');
    await session.turn();
    session.target.confirms().grants(false).grants();
    expect(session.client.got().slice(3)).toEqual(['err sluice: The target gives no terminal.\r\n']);
  });
});

describe('while it runs', () => {
  test('data, errors, ends and the status go through in their order', async () => {
    const session = await running();
    const { client, target } = session;
    client.writes('in');
    target.writes('one').complains('two').writes('three').eof().exits(3).closes();
    expect(target.got()).toEqual(['data in', 'close']);
    expect(client.got()).toEqual(['data one', 'err two', 'data three', 'eof', 'exit-status 3', 'close']);
    client.closes();
    expect(session.recorded()).toEqual([
      '1 out one',
      '1 err two',
      '1 out three',
      '1 end error exit 3; in 2 bytes, out 8 bytes, err 3 bytes',
    ]);
  });

  test('a program that closes its output still gets input', async () => {
    const session = await running();
    session.target.eof();
    session.client.writes('more').eof();
    expect(session.client.got()).toEqual(['eof']);
    expect(session.target.got()).toEqual(['data more', 'eof']);
  });

  test('a program whose input has ended still prints', async () => {
    const session = await running();
    session.client.eof();
    session.target.writes('late').exits(0).closes();
    expect(session.client.got()).toEqual(['data late', 'exit-status 0', 'close']);
    expect(session.recorded().at(-1)).toBe('1 end ok exit 0; in 0 bytes, out 4 bytes, err 0 bytes');
  });

  test('a status that comes before the last output does not overtake it', async () => {
    const session = await running({ clientWindow: 4 });
    session.target.exits(0).writes('12345678').eof().closes();
    expect(session.client.got()).toEqual(['exit-status 0', 'data 1234']);
    session.client.widens(4);
    expect(session.client.got()).toEqual(['data 5678', 'eof', 'close']);
  });

  test('a signal that ended it is told, and on record', async () => {
    const session = await running();
    session.target.tells('exit-signal', 'TERM', false, '', '').closes();
    expect(session.client.got()).toEqual(['exit-signal TERM', 'close']);
    expect(session.recorded()).toEqual([`1 end error signal TERM; ${COUNTS}`]);
  });

  test('a program without a status ends', async () => {
    const session = await running();
    session.target.closes();
    expect(session.client.got()).toEqual(['close']);
    expect(session.recorded()).toEqual([`1 end ok ended without a status; ${COUNTS}`]);
  });

  test('signals and sizes of the client reach the target, and what its programs have no use for does not', async () => {
    const session = await running();
    session.client.tells('signal', 'INT').asks('window-change', 90, 30, 0, 0).asks('env', 'LANG', 'C');
    expect(session.target.got()).toEqual(['signal INT', 'window-change 90x30']);
    session.target.grants();
    expect(session.client.got()).toEqual(['no', 'yes']);
  });

  test('a request of the target that wants an answer gets one', async () => {
    const session = await running();
    session.target.asks('keepalive@openssh.com').asks('eow@openssh.com');
    expect(session.target.got()).toEqual(['no', 'no']);
    expect(session.client.got()).toEqual(['eow@openssh.com']);
  });

  test('a client without window gets the rest when it has some, and the end behind it', async () => {
    const session = await running({ clientWindow: 3 });
    session.target.writes('123456789').exits(0).eof().closes();
    expect(session.client.got()).toEqual(['data 123']);
    expect(session.recorded().at(-1)).toBe('1 end ok exit 0; in 0 bytes, out 9 bytes, err 0 bytes');
    session.client.widens(3);
    expect(session.client.got()).toEqual(['data 456']);
    session.client.widens(100);
    expect(session.client.got()).toEqual(['data 789', 'exit-status 0', 'eof', 'close']);
  });

  test('the target gets window back as its output leaves, and no sooner', async () => {
    const session = await running({ clientWindow: 0 });
    session.target.writes(Buffer.alloc(WINDOW / 2));
    expect(session.target.got()).toEqual([]);
    session.client.widens(WINDOW);
    expect(session.target.got()).toEqual([`window +${WINDOW / 2}`]);
  });

  test('the client gets window back as its input leaves, and no sooner', async () => {
    const session = await running({ targetWindow: 0 });
    session.client.writes(Buffer.alloc(WINDOW / 2));
    expect(session.client.got()).toEqual([]);
    session.target.widens(WINDOW);
    expect(session.client.got()).toEqual([`window +${WINDOW / 2}`]);
  });

  test.each(['client', 'target'] as const)('a %s that sends more than its window ends its connection', async (side) => {
    const session = await running({ clientWindow: 0, targetWindow: 0 });
    session[side].writes(Buffer.alloc(WINDOW)).writes('x');
    expect(session[side].ended).toBe('data beyond the window of its channel');
  });

  test('a target that breaks the protocol is named as the reason', async () => {
    const session = await running();
    session.target.writes('fine').says(M.openConfirmation, 99, 1, 1, 1);
    const why = 'The target broke the protocol: a confirmation of a channel that nobody asked for.';
    expect(session.client.got()).toEqual(['data fine', `err sluice: ${why}\n`, 'exit-status 255', 'eof', 'close']);
    session.client.closes();
    session.clock.pass(100);
    expect(session.client.ended).toBe(why);
    expect(session.recorded().at(-1)).toBe(`1 end lost ${why}; in 0 bytes, out 4 bytes, err 0 bytes`);
  });

  test('of a long output as much is recorded as there is room for, and all of it is counted', async () => {
    const session = await running({ limits: { recordedAnswer: 5 } });
    session.target.writes('123').writes('456').writes('789').exits(0).closes();
    expect(session.client.got().slice(0, 3)).toEqual(['data 123', 'data 456', 'data 789']);
    expect(session.recorded()).toEqual([
      '1 out 123',
      '1 out 45',
      '1 end ok exit 0; in 0 bytes, out 9 bytes, err 0 bytes',
    ]);
  });

  test('a terminal that shows more than is recorded ends, and shows no more', async () => {
    const session = talk({ judge: () => allow, limits: { terminal: 5 } });
    session.client
      .opens()
      .asks('pty-req', ...PTY)
      .asks('exec', 'id');
    await session.turn();
    session.target.confirms().grants().grants().writes('12345').writes('6');
    expect(session.client.got().slice(3)).toEqual([
      'data 12345',
      'err sluice: This line has shown as much as is recorded of one, so the terminal ends.\r\n',
      'exit-status 255',
      'eof',
      'close',
    ]);
    expect(session.target.got().at(-1)).toBe('close');
  });

  test('of a copy the record has the hash of each direction', async () => {
    const session = await running({}, { type: 'allow', facts: transfer });
    session.client.writes('up');
    session.target.writes('down').exits(0).closes();
    expect(session.recorded()).toEqual([
      expect.stringMatching(/^1 end ok exit 0; in 2 bytes sha256:\w{64}, out 4 bytes sha256:\w{64}, err 0 bytes$/),
    ]);
  });
});

describe('what is printed under masks', () => {
  const masked = (make: () => ReturnType<typeof editor>): Answer => ({ type: 'allow', facts, stream: make });

  test('is edited once for all that came in a turn', async () => {
    const session = await running(
      {},
      masked(() => editor()),
    );
    session.target.writes('sec').writes('ret').complains('secret');
    expect(session.client.got()).toEqual([]);
    session.clock.endTurn();
    expect(session.client.got()).toEqual(['data [masked]', 'err [masked]']);
    expect(session.recorded()).toEqual(['1 out [masked]', '1 err [masked]']);
  });

  test('goes on when nothing has followed it, and the rest with the end', async () => {
    const session = await running(
      {},
      masked(() => editor(4)),
    );
    session.target.writes('password');
    session.clock.endTurn();
    expect(session.client.got()).toEqual(['data pass']);
    session.clock.pass(49);
    expect(session.client.got()).toEqual([]);
    session.clock.pass(1);
    expect(session.client.got()).toEqual(['data word']);
    session.target.writes('last').exits(0).closes();
    expect(session.client.got()).toEqual(['exit-status 0', 'data last', 'close']);
    expect(session.clock.pending).toBe(0);
  });

  test('is kept back where the mask fails, and the program ends', async () => {
    const broken = (): ReturnType<typeof editor> => ({
      ...editor(),
      push: () => {
        throw new Error('broken');
      },
    });
    const session = await running({}, masked(broken));
    session.target.writes('secret');
    session.clock.endTurn();
    session.target.writes('secret').eof();
    session.clock.endTurn();
    expect(session.client.got()).toEqual([
      'err sluice: The output could not be masked, so it ends here.\n',
      'exit-status 255',
      'eof',
      'close',
    ]);
    expect(session.recorded()).toEqual([expect.stringMatching(/^1 end error The output could not be masked/)]);
  });
});

describe('the end', () => {
  test('a client that closes first still gets the status, and the target is told at once', async () => {
    const session = await running();
    session.client.closes();
    expect(session.target.got()).toEqual(['close']);
    expect(session.client.got()).toEqual([]);
    session.target.exits(0).closes();
    expect(session.client.got()).toEqual(['exit-status 0', 'close']);
    expect(session.recorded()).toEqual([`1 end ok exit 0; ${COUNTS}`]);
    expect(session.clock.pending).toBe(0);
  });

  test('input that waits for window keeps a target that a client has left for five seconds and no longer', async () => {
    const session = await running({ targetWindow: 0 });
    session.client.writes('waits').closes();
    session.clock.pass(4_999);
    expect([session.target.got(), session.client.got()]).toEqual([[], []]);
    session.clock.pass(1);
    expect([session.target.got(), session.client.got()]).toEqual([['close'], ['close']]);
    session.target.closes();
    expect(session.recorded()).toEqual(['1 end ok ended without a status; in 5 bytes, out 0 bytes, err 0 bytes']);
  });

  /** What a kill meets, by how far the channel has come. */
  const states: Readonly<Record<string, () => Promise<Talk>>> = {
    'while it is judged': async () => started(),
    'while the target opens its channel': async () => {
      const session = started();
      await session.answer(allow);
      session.target.got();
      return session;
    },
    'while it runs': () => running(),
  };

  test.each(Object.entries(states))('a session that is killed %s says why, with a status', async (when, reach) => {
    const session = await reach();
    session.kill(KILLED);
    expect(session.client.got()).toEqual([`err sluice: ${KILLED_IN_WORDS}\n`, 'exit-status 255', 'eof', 'close']);
    expect(session.client.ended).toBe(KILLED_IN_WORDS);
    const end = `1 end error ${KILLED_IN_WORDS}; ${COUNTS}`;
    expect(session.recorded()).toEqual(when === 'while it is judged' ? [] : [end]);
    session.clientGone();
    await session.turn();
    expect(session.recorded()).toEqual([]);
  });

  test('a program that is killed ends at the target by TERM, or by KILL, and the connection lives until then', async () => {
    const session = await running();
    session.kill(KILLED);
    expect(session.target.got()).toEqual(['signal TERM']);
    session.clock.pass(999);
    expect([session.target.got(), session.target.ended]).toEqual([[], undefined]);
    session.clock.pass(1);
    expect([session.target.got(), session.target.ended]).toEqual([['signal KILL'], undefined]);
    session.target.writes('last words').closes();
    expect([session.target.got(), session.target.ended]).toEqual([['close'], '']);
    expect(session.clock.pending).toBe(0);
  });

  test('a target that knows no signals is left in the end', async () => {
    const session = await running();
    session.kill(KILLED);
    session.clock.pass(2_000);
    expect([session.target.got(), session.target.ended]).toEqual([['signal TERM', 'signal KILL', 'close'], '']);
    expect(session.clock.pending).toBe(0);
  });

  test('programs of a terminal end with it', async () => {
    const session = talk();
    session.client
      .opens()
      .asks('pty-req', ...PTY)
      .asks('exec', 'id');
    await session.answer(allow);
    session.target.confirms().grants();
    session.target.got();
    session.kill(KILLED);
    expect([session.target.got(), session.target.ended]).toEqual([['close'], '']);
  });

  test('what is let through after a kill is not run, and the record has its end', async () => {
    const session = started();
    session.kill(KILLED);
    expect(session.asked[0]?.waiter?.signal.reason).toBe('gone');
    await session.answer(allow);
    expect(session.target.got()).toEqual([]);
    expect(session.recorded()).toEqual([`1 end lost nobody waited for it any more when it was let through; ${COUNTS}`]);
  });

  test.each(['while the target opens its channel', 'while it runs'])(
    'a target that is gone %s is said, and no end like any other',
    async (when) => {
      const session = await (states[when] as () => Promise<Talk>)();
      session.targetGone(new Error('reset'));
      const why = 'The connection to the target is lost: reset.';
      expect(session.client.got()).toEqual([`err sluice: ${why}\n`, 'exit-status 255', 'eof', 'close']);
      session.clock.pass(1_000);
      expect(session.client.ended).toBeUndefined();
      session.client.closes();
      session.clock.pass(100);
      expect(session.client.ended).toBe(why);
      expect(session.recorded()).toEqual([`1 end lost ${why}; ${COUNTS}`]);
    },
  );

  test('a client that is gone takes its program along, and the record has its end once', async () => {
    const session = await running();
    session.clientGone();
    expect(session.target.ended).toBe('');
    session.target.closes();
    expect(session.recorded()).toEqual([`1 end lost The client is gone.; ${COUNTS}`]);
    expect(session.clock.pending).toBe(0);
  });

  test('a session that drains ends when its last channel is closed, and not while a program runs', async () => {
    const session = await running();
    session.drain({ code: 'shutdown', why: 'The gateway stops.' });
    session.clock.pass(60_000);
    expect(session.client.ended).toBeUndefined();
    session.target.exits(0).closes();
    session.client.closes();
    session.clock.pass(100);
    expect(session.client.ended).toBe('The gateway stops.');
  });

  test('a target that cannot be had is said on the channel, and the connection ends behind it', async () => {
    const why = 'The target cannot be reached: connect ECONNREFUSED.';
    const session = talk({ unreachable: why, judge: () => allow });
    session.clock.pass(1_000);
    session.client.opens().asks('exec', 'id');
    await session.turn();
    expect(session.client.got().slice(2)).toEqual([`err sluice: ${why}\n`, 'exit-status 255', 'eof', 'close']);
    session.client.closes();
    expect(session.client.ended).toBeUndefined();
    session.clock.pass(100);
    expect(session.client.ended).toBe(why);
  });

  test('a client that does not close what it was told on has five seconds', async () => {
    const session = await running();
    session.targetGone();
    session.clock.pass(4_999);
    expect(session.client.ended).toBeUndefined();
    session.clock.pass(1);
    expect(session.client.ended).toBe('The connection to the target is lost.');
  });

  test('a client that asks for nothing is told by the end of its connection', async () => {
    const session = talk({ unreachable: 'The target cannot be reached.' });
    await session.turn();
    session.clock.pass(4_999);
    expect(session.client.ended).toBeUndefined();
    session.clock.pass(1);
    expect(session.client.ended).toBe('The target cannot be reached.');
  });
});
