/**
 * The two logins: of the client at the gateway, by AUTH with the name of a connection and a token, and of the gateway at the target.
 * Does not: know whether a token is good, which is the gate's.
 */
import { Closed, Reader } from './reader.js';
import { OK, RespError, command, failure, passReply, readCommand } from './resp.js';

/** @typedef {import('node:stream').Duplex} Duplex */
/** @typedef {import('@sluice/contract').Gate} Gate */
/** @typedef {import('@sluice/contract').Admission} Admission */
/** @typedef {import('@sluice/contract').Refusal} Refusal */
/** @typedef {{ client: Duplex, reader: Reader }} Wire the client, inside TLS where it came by that */
/** @typedef {{ stream: Duplex, replies: Reader }} Target */

/** Who has proven nothing is read no more than Redis itself reads of them. */
const MAX_STRANGER_BYTES = 16 * 1024;
const MAX_WRONG_PROOFS = 5;
/** The first byte of TLS (RFC 8446 section 5.1, a handshake record). */
const TLS_HANDSHAKE = 0x16;

const KINDS = /** @type {const} */ ({
  credentials: 'WRONGPASS',
  connection: 'WRONGPASS',
  access: 'NOPERM',
  limit: 'ERR',
  unavailable: 'ERR',
});

/**
 * Undefined: the client came in a way that is not taken, and was told so where that is possible.
 *
 * @param {Duplex} accepted
 * @param {Gate} gate
 * @returns {Promise<Wire | undefined>}
 */
export async function openWire(accepted, gate) {
  const cut = () => accepted.destroy();
  gate.signal.addEventListener('abort', cut, { once: true });
  try {
    const isTls = (await firstByte(accepted)) === TLS_HANDSHAKE;
    if (isTls && !gate.tls) return void accepted.end();
    const client = isTls ? (await gate.secure(accepted, 'client')).stream : accepted;
    client.on('error', () => undefined);
    if (isTls || (gate.loopback && !gate.requireTls)) return { client, reader: new Reader(client) };
    return void client.end(failure('ERR', 'this gateway takes tokens over TLS only'));
  } catch {
    // Gone, or no TLS after all.
    return void accepted.destroy();
  } finally {
    gate.signal.removeEventListener('abort', cut);
  }
}

/**
 * Resolves when the target is ready; undefined: the client was told why not, and nothing more is to be done.
 *
 * @param {Wire} wire
 * @param {Gate} gate
 * @returns {Promise<Target | undefined>}
 */
export async function logIn({ client, reader }, gate) {
  const admitted = await admission(client, reader, gate);
  if (!admitted) return undefined;
  const { release, target } = admitted.admission;
  const gone = new AbortController();
  void reader.closed.then(() => gone.abort('gone'));
  // There is no place for words while people are asked: it is refused with the number of the request, and asked for again.
  const unreleased = release && (await release(undefined, gone.signal));
  if (unreleased) return refuse(client, gate, unreleased);
  try {
    const opened = await openTarget(gate, target);
    const greeting = await admitted.greeting(opened);
    gate.opened();
    client.write(greeting);
    return opened;
  } catch (error) {
    gate.broke(`the target cannot be logged in to: ${String(error)}`);
    const why = error instanceof Error ? error.message : 'for a reason that it does not say';
    client.write(failure('ERR', `the target cannot be reached, or does not take the login of the gateway: ${why}`));
    return undefined;
  }
}

/** @param {Duplex} client @param {Gate} gate @param {Refusal} refusal */
function refuse(client, gate, { reason }) {
  const { kind, message, hint } = gate.words.refusal(reason);
  client.write(failure(KINDS[kind], [message, hint].filter(Boolean).join('. ')));
  return undefined;
}

/**
 * @param {Duplex} client
 * @param {Reader} reader
 * @param {Gate} gate
 */
async function admission(client, reader, gate) {
  for (let wrong = 0; wrong < MAX_WRONG_PROOFS; ) {
    const words = await readCommand(reader, MAX_STRANGER_BYTES);
    const [verb = '', ...rest] = words.map((word) => word.toString());
    const wish = wishOf(verb.toLowerCase(), rest);
    if (verb.toLowerCase() === 'quit') return void client.write(OK);
    if ('fault' in wish) {
      client.write(wish.fault);
      continue;
    }
    const [connection, token] = wish.proof;
    const proven = await gate.login('', connection).password(token);
    if (proven.type === 'admission') return { admission: proven, greeting: wish.greeting };
    refuse(client, gate, proven);
    wrong++;
  }
  return undefined;
}

/** @typedef {(target: Target) => Promise<Buffer>} Greeting what a client is told once the target is ready */

/**
 * What somebody who has proven nothing may say: AUTH CONNECTION TOKEN, or HELLO 2 AUTH CONNECTION TOKEN.
 *
 * @param {string} verb
 * @param {readonly string[]} rest
 * @returns {{ fault: Buffer } | { proof: readonly [string, string], greeting: Greeting }}
 */
function wishOf(verb, rest) {
  if (verb === 'auth') {
    const [connection, token] = rest;
    if (connection === undefined || token === undefined || rest.length > 2)
      return { fault: failure('WRONGPASS', 'write AUTH CONNECTION TOKEN: the user name is that of a connection') };
    return { proof: [connection, token], greeting: async () => OK };
  }
  if (verb !== 'hello') return { fault: failure('NOAUTH', 'Authentication required.') };
  const [version = '2', auth = '', connection, token] = rest;
  if (version !== '2') return { fault: failure('NOPROTO', 'this gateway speaks RESP2 only') };
  if (auth.toLowerCase() !== 'auth' || connection === undefined || token === undefined)
    return { fault: failure('NOAUTH', 'HELLO must be called with AUTH CONNECTION TOKEN here') };
  return {
    proof: [connection, token],
    greeting: async ({ stream, replies }) => {
      /** @type {Buffer[]} */
      const parts = [];
      stream.write(command(['HELLO', '2'].map((word) => Buffer.from(word))));
      await passReply(replies, (bytes) => void parts.push(bytes));
      return Buffer.concat(parts);
    },
  };
}

/**
 * @param {Gate} gate
 * @param {Admission['target']} login
 * @returns {Promise<Target>}
 */
async function openTarget(gate, login) {
  let stream = await gate.dial();
  const cut = () => void stream.destroy();
  const late = setTimeout(cut, gate.limits.upstreamLogin);
  gate.signal.addEventListener('abort', cut);
  try {
    if (login.tls !== 'disable') stream = (await gate.secure(stream, 'upstream')).stream;
    stream.on('error', () => undefined);
    const replies = new Reader(stream);
    const { password, user, options = {} } = login;
    if (password !== undefined) await tell(stream, replies, ['AUTH', ...(user === '' ? [] : [user]), password]);
    const database = options['database'];
    if (database !== undefined) await tell(stream, replies, ['SELECT', String(database)]);
    return { stream, replies };
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    clearTimeout(late);
    gate.signal.removeEventListener('abort', cut);
  }
}

/** @param {Duplex} stream @param {Reader} replies @param {readonly string[]} words */
async function tell(stream, replies, words) {
  stream.write(command(words.map((word) => Buffer.from(word))));
  const { first } = await passReply(replies, () => undefined);
  if (first !== '+OK') throw new RespError(`${words[0]}: ${first}`);
}

/** The first byte, which stays there. @param {Duplex} stream */
async function firstByte(stream) {
  for (;;) {
    const bytes = /** @type {Buffer | null} */ (stream.read(1));
    if (bytes) {
      stream.unshift(bytes);
      return bytes[0];
    }
    if (stream.readableEnded || stream.destroyed) throw new Closed();
    await /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        const on = () => {
          for (const event of ['readable', 'end', 'close', 'error']) stream.off(event, on);
          resolve();
        };
        for (const event of ['readable', 'end', 'close', 'error']) stream.on(event, on);
      })
    );
  }
}
