/**
 * Commands about prepared statements. Owns: which statements there are, and what each of these commands asks and owes. Does not: judge, or
 * know when a command may be taken up (client-half.ts).
 */
import type { Allow, MySqlDialect, Parameter, SqlCommand } from '@sluice/contract';
import { WireError } from '@sluice/wire';
import { type CommandState, commandState } from './command-state.js';
import { resetStatement } from './commands.js';
import { type Packet, unchained } from './incoming.js';
import { HEADER_BYTES, PayloadReader, framed } from './packets.js';
import { badValues, noCursor, tooManyStatements, unknownStatement } from './refusal.js';
import type { ReplyKind } from './reply.js';
import { BINARY_ROWS } from './results.js';
import type { OwedAnswer, Shared } from './shared.js';
import { type PreparedStatement, PreparedStatements, boundValues, withTypes } from './statements.js';

/** What is asked of the gate. */
export type AskedCommand = Pick<SqlCommand, 'phase' | 'text' | 'parameters'> & {
  readonly dialect?: MySqlDialect;
  /** The text as it came, where it is a part of what a packet has. */
  readonly bytes?: Buffer;
};

/** What the target owes for a packet. */
export interface Owing {
  readonly kind: ReplyKind;
  readonly command?: CommandState;
  readonly moreFollow?: boolean;
  readonly asksCursor?: boolean;
  readonly ended?: OwedAnswer['ended'];
  readonly own?: OwedAnswer['own'];
  readonly prepared?: OwedAnswer['prepared'];
}

/** What these commands need of the half that takes them up. */
export interface CommandDesk {
  /** Asks about a command; `allowed` is called once it may run, with its packet. */
  ask(
    asked: AskedCommand,
    packet: Packet | undefined,
    allowed: (allow: Allow, packet: Packet) => void,
    denied?: () => void,
  ): void;
  send(packet: Buffer, owing: Owing): void;
  /** An error in place of the answer. */
  refuse(words: Buffer): void;
  /** A statement has run. */
  ran(command: CommandState, text: string, outcome: 'ok' | 'error'): void;
  decoded(bytes: Buffer): string;
  /** Of the command that was asked about last. */
  id(): number;
}

/** A bit of the flags of COM_STMT_EXECUTE that gives it another layout, which no client was offered. */
const ATTRIBUTES_FLAG = 0x08;

export class PreparedCommands {
  readonly #shared: Shared;
  readonly #half: CommandDesk;
  readonly #statements: PreparedStatements;

  constructor(shared: Shared, half: CommandDesk) {
    this.#shared = shared;
    this.#half = half;
    this.#statements = new PreparedStatements(shared.room);
  }

  textOf(id: number): string | undefined {
    return this.#statements.get(id)?.text;
  }

  /** The connection is as at its start. */
  forget(): void {
    this.#statements.clear();
  }

  prepare(packet: Packet): void {
    const text = this.#half.decoded(packet.payload.subarray(1));
    const { dialect } = this.#shared.session;
    this.#statements.forgetLast();
    if (this.#statements.isFull(text)) return this.#half.refuse(tooManyStatements());
    this.#half.ask({ phase: 'prepare', text }, packet, (allow, { raw }) => {
      const command = commandState(this.#half.id(), 'prepare', allow);
      const prepared = (id: number, parameters: number): void =>
        this.#statements.add(id, { text, dialect, parameters });
      this.#half.send(raw, { kind: 'prepare', command, prepared });
    });
  }

  execute(packet: Packet): void {
    const { payload } = packet;
    const id = this.#statements.numberOf(new PayloadReader(payload, 1).uint(4));
    const statement = this.#statements.get(id);
    if (!statement) return this.#half.refuse(unknownStatement(id));
    const flags = payload[5] ?? ATTRIBUTES_FLAG;
    if (flags & ATTRIBUTES_FLAG) return this.#half.refuse(badValues('unknown flags'));
    const parameters = this.#valuesOf(statement, payload);
    if (!parameters) return this.#forgetLong(id, statement);
    statement.cursor = undefined;
    const { text, dialect } = statement;
    const asked = { phase: 'run', text, dialect, parameters } as const;
    this.#half.ask(
      asked,
      packet,
      (allow, { raw }) => {
        this.#statements.forgetLong(statement);
        const command = commandState(this.#half.id(), 'run', allow, 'binary');
        this.#shared.recorder.take(command, BINARY_ROWS);
        const ended: OwedAnswer['ended'] = (outcome, cursor) => {
          if (cursor) statement.cursor = command;
          if (outcome === 'ok') statement.isTyped = true;
          this.#half.ran(command, text, outcome);
        };
        const typed = withTypes(statement, unchained(raw));
        this.#half.send(numbered(typed ? framed(typed, 0) : raw, id), {
          kind: 'query',
          command,
          ended,
          asksCursor: flags !== 0,
        });
      },
      () => this.#forgetLong(id, statement),
    );
  }

  /** Undefined: they cannot be read, which the client was told. */
  #valuesOf(statement: PreparedStatement, payload: Buffer): Parameter[] | undefined {
    try {
      return boundValues(statement, payload);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#half.refuse(badValues(error.message));
      return undefined;
    }
  }

  /** The target keeps long values until they are used, or the statement is reset. */
  #forgetLong(id: number, statement: PreparedStatement): void {
    if (statement.long.size === 0) return;
    this.#statements.forgetLong(statement);
    this.#half.send(resetStatement(id), { kind: 'simple', own: () => undefined });
  }

  /** Has no answer. */
  close({ payload, raw }: Packet): void {
    this.#shared.sequence = 0;
    const id = this.#statements.numberOf(new PayloadReader(payload, 1).uint(4));
    this.#statements.close(id);
    this.#shared.wires.send('upstream', numbered(raw, id));
  }

  /** Has no answer, whatever becomes of it. */
  longData({ payload, raw }: Packet): void {
    this.#shared.sequence = 0;
    const fields = new PayloadReader(payload, 1);
    const id = this.#statements.numberOf(fields.uint(4));
    const taken = this.#statements.takeLong(id, fields.uint(2), fields.rest());
    // It has no answer, so there is no other word for it.
    if (taken === 'full') return this.#shared.fail(tooManyStatements());
    if (taken === 'taken') this.#shared.wires.send('upstream', numbered(raw, id));
  }

  fetch({ payload, raw }: Packet): void {
    const id = this.#statements.numberOf(new PayloadReader(payload, 1).uint(4));
    const statement = this.#statements.get(id);
    if (!statement) return this.#half.refuse(unknownStatement(id));
    const { cursor } = statement;
    if (!cursor) return this.#half.refuse(noCursor(id));
    const ended: OwedAnswer['ended'] = (_, more) => {
      if (!more) statement.cursor = undefined;
    };
    this.#half.send(numbered(raw, id), { kind: 'fetch', command: cursor, ended });
  }

  reset({ payload, raw }: Packet): void {
    const id = this.#statements.numberOf(new PayloadReader(payload, 1).uint(4));
    const statement = this.#statements.get(id);
    if (!statement) return this.#half.refuse(unknownStatement(id));
    this.#statements.forgetLong(statement);
    statement.cursor = undefined;
    this.#half.send(numbered(raw, id), { kind: 'simple' });
  }
}

/**
 * The packet with the number of its statement. Drivers of MariaDB may call it the last one, and what that is the target and the gateway
 * could see differently.
 */
function numbered(raw: Buffer, id: number): Buffer {
  if (raw.readUInt32LE(HEADER_BYTES + 1) === id) return raw;
  const named = Buffer.from(raw);
  named.writeUInt32LE(id, HEADER_BYTES + 1);
  return named;
}
