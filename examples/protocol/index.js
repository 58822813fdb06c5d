/**
 * Redis (RESP2) as a protocol of Sluice: one command at a time goes from the client to the gate, from there to the target, and its
 * answer back. Owns: the order of that. Does not: decide, mask or record, which are the gate's.
 */
import { describe } from './commands.js';
import { logIn, openWire } from './login.js';
import { Closed } from './reader.js';
import { OK, RespError, changed, command, edited, encode, failure, passReply, readCommand, readReply } from './resp.js';

/** @typedef {import('@sluice/contract').Protocol} Protocol */
/** @typedef {import('@sluice/contract').Gate} Gate */
/** @typedef {import('@sluice/contract').Ending} Ending */
/** @typedef {import('@sluice/contract').CustomCommand} CustomCommand */
/** @typedef {NonNullable<import('@sluice/contract').Allow['stream']>} Stream makes editors for an answer */

/** The first line of an answer that is kept as a summary of it. */
const MAX_SUMMARY_CHARACTERS = 200;
/** For so long last words may be on their way. */
const LAST_WORDS_MS = 1_000;

/** @type {Protocol} */
const redis = {
  name: 'redis',
  contract: 1,
  async serve(accepted, gate) {
    const wire = await openWire(accepted, gate);
    if (!wire) return;
    const { client, reader } = wire;
    /** @type {import('./login.js').Target | undefined} */
    let target;
    const say = (/** @type {string} */ sentence) => client.writable && client.write(failure('ERR', sentence));
    const stop = () => {
      say(gate.words.ending(/** @type {Ending} */ (gate.signal.reason)));
      reader.close();
      target?.stream.destroy();
      // Whoever does not take what was sent to them does not take last words either.
      setTimeout(() => client.destroy(), LAST_WORDS_MS).unref();
    };
    gate.signal.addEventListener('abort', stop, { once: true });
    try {
      target = await logIn(wire, gate);
      if (target && !gate.signal.aborted) await relay(wire, target, gate);
    } catch (error) {
      // Whoever is gone needs no words, and what a peer does wrong is no defect.
      if (error instanceof RespError) say(error.message);
      else if (!(error instanceof Closed)) {
        gate.broke(String(error));
        say('the connection cannot go on');
      }
    } finally {
      gate.signal.removeEventListener('abort', stop);
      target?.stream.destroy();
      client.end();
    }
  },
};

export default redis;

/**
 * @param {import('./login.js').Wire} wire
 * @param {import('./login.js').Target} target
 * @param {Gate} gate
 */
async function relay({ client, reader }, { stream: target, replies }, gate) {
  const gone = new AbortController();
  void reader.closed.then(() => gone.abort('gone'));
  void replies.closed.then(() => reader.close());
  gate.draining.addEventListener('abort', () => reader.close(), { once: true });
  if (gate.draining.aborted) return;
  /** Editors of the commands between MULTI and EXEC, whose answers come with that of EXEC. @type {(Stream | undefined)[] | undefined} */
  let queued;
  /** @type {import('@sluice/contract').Waiter} */
  const waiter = {
    answersDelivered: async () => (queued ? 'transaction' : 'idle'),
    // RESP2 has no place for words before an answer.
    say: () => undefined,
    signal: gone.signal,
  };
  for (let id = 1; !gate.draining.aborted; id++) {
    const words = await readCommand(reader, gate.limits.message);
    const { isCarried, ...said } = describe(words);
    if (said.verb === 'quit') {
      client.write(OK);
      return;
    }
    const answer = await judged(gate, { type: 'custom', id, ...said }, waiter, reader.closed);
    if (answer.type === 'deny') {
      await write(client, failure('NOPERM', [answer.message, answer.hint].filter(Boolean).join(' ')));
      continue;
    }
    const record = new Record(gate, id);
    if (!isCarried || said.verb === 'auth' || (said.verb === 'hello' && words.length > 1)) {
      await write(client, record.seen(failure('ERR', `${said.verb.toUpperCase()} is not carried by this gateway`)));
      record.end('-ERR not carried by the gateway', 'error');
      continue;
    }
    try {
      // It would be taken for the answer to this command, and have its masks.
      if (replies.hasMore) throw new RespError('the target has said something that nobody asked for');
      await write(target, command(words));
      const masks = said.verb === 'exec' ? queued : undefined;
      const first =
        answer.stream || masks?.some(Boolean)
          ? await maskedReply(replies, gate, answer.stream, masks, (bytes) => write(client, record.seen(bytes)))
          : (await passReply(replies, (bytes) => write(client, record.seen(bytes)))).first;
      record.end(first, first.startsWith('-') ? 'error' : 'ok');
      queued = nextQueue(queued, said.verb, first, answer.stream);
    } catch (error) {
      record.end('the link broke before the end of the answer', 'lost');
      throw error;
    }
  }
}

/**
 * What the gate says of a command. A gate that fails is a no; a client that is gone waits for nothing.
 *
 * @param {Gate} gate
 * @param {CustomCommand} asked
 * @param {import('@sluice/contract').Waiter} waiter
 * @param {Promise<void>} closed
 * @returns {Promise<import('@sluice/contract').Answer>}
 * @throws {Closed}
 */
async function judged(gate, asked, waiter, closed) {
  const answer = (async () => gate.ask(asked, waiter))().catch(() => UNJUDGED);
  const first = await Promise.race([answer, closed.then(() => undefined)]);
  if (first) return first;
  // The record says that it may run: it says, too, that it did not.
  void answer.then((late) => late.type === 'allow' && new Record(gate, asked.id).end('the client was gone', 'lost'));
  throw new Closed();
}

/** @type {import('@sluice/contract').Deny} */
const UNJUDGED = {
  type: 'deny',
  rule: 'gateway',
  message: 'This command could not be judged, so it was not run.',
};

/**
 * What is queued after a command. An answer that is masked comes with EXEC, after the command that it is masked for.
 *
 * @param {(Stream | undefined)[] | undefined} queued
 * @param {string} verb
 * @param {string} first the first line of its answer
 * @param {Stream | undefined} stream
 */
function nextQueue(queued, verb, first, stream) {
  if (verb === 'multi' && first === '+OK') return [];
  if (verb === 'exec' || verb === 'discard') return undefined;
  if (queued && first === '+QUEUED') queued.push(stream);
  return queued;
}

/**
 * Gives an answer with its texts edited. Returns its first line.
 *
 * @param {import('./reader.js').Reader} replies
 * @param {Gate} gate
 * @param {Stream | undefined} stream of the command itself
 * @param {readonly (Stream | undefined)[] | undefined} each of the commands that an answer to EXEC is about
 * @param {(bytes: Buffer) => Promise<void>} give
 */
async function maskedReply(replies, gate, stream, each, give) {
  const edit = (/** @type {Stream | undefined} */ by) => async (/** @type {Buffer} */ text) =>
    by ? edited(by(), text) : text;
  let reply = await readReply(replies, gate.limits.message);
  if (each && 'items' in reply) {
    if (reply.items.length !== each.length) throw new RespError('EXEC has another number of answers than commands');
    const items = [];
    for (const [at, item] of reply.items.entries()) items.push(await changed(item, edit(each[at])));
    reply = { items };
  }
  const bytes = encode(await changed(reply, edit(stream)));
  await give(bytes);
  return bytes.toString('latin1', 0, bytes.indexOf('\r\n'));
}

/** What the client was given for one command, up to the limit of what is recorded. */
class Record {
  #gate;
  #command;
  #bytes = 0;

  /** @param {Gate} gate @param {number} id */
  constructor(gate, id) {
    this.#gate = gate;
    this.#command = id;
  }

  /** @param {Buffer} bytes */
  seen(bytes) {
    const room = Math.max(0, this.#gate.limits.recordedAnswer - this.#bytes);
    this.#bytes += bytes.length;
    const data = [bytes.subarray(0, room)];
    if (room > 0) this.#gate.record({ type: 'part', command: this.#command, stream: 'out', data });
    return bytes;
  }

  /** @param {string} first @param {'ok' | 'error' | 'lost'} outcome */
  end(first, outcome) {
    const rows = first.startsWith('*') ? Math.max(0, Number(first.slice(1))) : 1;
    const summary = first.slice(0, MAX_SUMMARY_CHARACTERS);
    this.#gate.record({ type: 'end', command: this.#command, outcome, summary, rows, bytes: this.#bytes, data: [] });
  }
}

/**
 * Resolves when the stream takes more.
 *
 * @param {import('node:stream').Duplex} stream
 * @param {Buffer} bytes
 */
async function write(stream, bytes) {
  if (!stream.writable) throw new Closed();
  if (stream.write(bytes)) return;
  await /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      const done = (/** @type {() => void} */ then) => () => {
        stream.off('drain', drained);
        stream.off('close', closed);
        then();
      };
      const drained = done(resolve);
      const closed = done(() => reject(new Closed()));
      stream.on('drain', drained);
      stream.on('close', closed);
    })
  );
}
