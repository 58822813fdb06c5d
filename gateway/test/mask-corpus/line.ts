import type pg from 'pg';

/** A message of the server: its tag, and what follows its length. */
export interface Frame {
  readonly tag: string;
  readonly body: Buffer;
}

export interface Column {
  readonly name: string;
  readonly type: number;
  readonly format: number;
}

/** A connection as bytes, after the login. */
export interface Line {
  simple(text: string): Promise<Frame[]>;
  /** Sends messages in one write, and reads to the ReadyForQuery of the last Sync (or to the end of the connection). */
  extended(messages: readonly (readonly (string | number)[])[]): Promise<Frame[]>;
  close(): void;
}

/** Longest that one answer may take, in milliseconds: a test that hangs says which step did. */
const PATIENCE = 8_000;

/** Messages that are answered with ReadyForQuery. */
const ENDS: ReadonlySet<string | number | undefined> = new Set(['S', 'Q', 'F']);

export async function openLine(open: () => Promise<pg.Client>): Promise<Line> {
  const client = await open();
  client.on('error', () => undefined);
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadWriteStream & { destroy(): void } } })
    .connection;
  stream.removeAllListeners('data');
  let rest = Buffer.alloc(0);
  let frames: Frame[] = [];
  let due = 0;
  let finish: (() => void) | undefined;
  stream.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1);
      const frame = { tag: String.fromCharCode(rest[0] as number), body: rest.subarray(5, end) };
      rest = rest.subarray(end);
      frames.push(frame);
      if (frame.tag === 'G') stream.write(message('f', cstring('nothing to copy')));
      if (frame.tag === 'Z' && --due === 0) finish?.();
    }
  });
  stream.on('close', () => finish?.());
  stream.on('error', () => finish?.());
  const send = (bytes: Buffer, ready: number): Promise<Frame[]> => {
    frames = [];
    due = ready;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no end: ${textOf(frames)}`)), PATIENCE);
      finish = (): void => {
        clearTimeout(timer);
        resolve(frames);
      };
      stream.write(bytes);
    });
  };
  return {
    simple: (text) => send(message('Q', cstring(text)), 1),
    extended: (messages) => {
      const full = ENDS.has(messages.at(-1)?.[0]) ? messages : [...messages, ['S']];
      const ready = full.filter(([tag]) => ENDS.has(tag)).length;
      return send(Buffer.concat(full.map(encode)), ready);
    },
    close: () => stream.destroy(),
  };
}

/**
 * A message of the extended protocol, from: [P, statement, text], [B, portal, statement, "t" or "b" for each result format,
 * parameters in text...], [D, "S" or "P", name], [E, portal, rows], [C, "S" or "P", name], [F, number of a function, "t" or "b" for
 * its result, arguments in text...], [S], [H], [Q, text].
 */
function encode([tag, one = '', two = '', three = '', ...values]: readonly (string | number)[]): Buffer {
  switch (tag) {
    case 'P':
      return message('P', cstring(one), cstring(two), int16(0));
    case 'B': {
      const formats = Array.from(String(three), (format) => int16(format === 'b' ? 1 : 0));
      const parameters = values.flatMap((value) => [
        int32(Buffer.byteLength(String(value))),
        Buffer.from(String(value)),
      ]);
      const shared = [cstring(one), cstring(two), int16(0), int16(values.length), ...parameters];
      return message('B', ...shared, int16(formats.length), ...formats);
    }
    case 'D':
    case 'C':
      return message(tag, Buffer.from(String(one)), cstring(two));
    case 'E':
      return message('E', cstring(one), int32(Number(two)));
    case 'S':
    case 'H':
      return message(tag);
    case 'Q':
      return message('Q', cstring(one));
    case 'F': {
      const given = (three === '' ? values : [three, ...values]).flatMap((value) => [
        int32(Buffer.byteLength(String(value))),
        Buffer.from(String(value)),
      ]);
      return message(
        'F',
        int32(Number(one) | 0),
        int16(0),
        int16(given.length / 2),
        ...given,
        int16(two === 'b' ? 1 : 0),
      );
    }
    default:
      throw new Error(`no message ${tag}`);
  }
}

function message(tag: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(tag), int32(body.length + 4), body]);
}
const cstring = (text: string | number): Buffer => Buffer.from(`${text}\0`);
function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** The cells of a DataRow. */
export function cellsOf({ body }: Frame): (Buffer | null)[] {
  const cells: (Buffer | null)[] = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at);
    cells.push(length < 0 ? null : body.subarray(at + 4, at + 4 + length));
    at += 4 + Math.max(0, length);
  }
  return cells;
}

/** The columns of a RowDescription. */
export function columnsOf({ body }: Frame): Column[] {
  const columns: Column[] = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const end = body.indexOf(0, at);
    columns.push({
      name: body.toString('utf8', at, end),
      type: body.readUInt32BE(end + 7),
      format: body.readInt16BE(end + 17),
    });
    at = end + 19;
  }
  return columns;
}

export const textOf = (frames: readonly Frame[]): string =>
  frames.map(({ tag, body }) => `${tag} ${body.toString('latin1').replaceAll(/[^ -~]+/g, '.')}`).join('\n');
