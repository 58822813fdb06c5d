/**
 * The terminal of an interactive program. Owns: lines that are typed, and what is asked about them. Does not: move bytes
 * elsewhere than to its program.
 */
import type { Answer, WaitEnded, ResponsePart } from '@sluice/contract';
import { SendQueue } from './send-queue.js';
import type { ClientContext } from './context.js';
import { ScreenLine } from './lines.js';
import { LINE_UNJUDGED, lineRefused, lineWaits } from './words.js';

const CR = 13;
const LF = 10;
const CTRL_C = Buffer.of(3);

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What a terminal does through the program that it belongs to. */
export interface TerminalPort {
  /** Input for the target. */
  forward(bytes: Buffer): void;
  say(text: string): void;
  record(stream: NonNullable<ResponsePart['stream']>, bytes: Buffer): void;
  readonly environment: readonly (readonly [string, string])[];
  /** Input has left, or may. */
  inputForwarded(): void;
  /** Something new runs: what is recorded of its answer is counted from here. */
  newLine(): void;
}

/**
 * The terminal of an interactive program. Input goes through unrecorded. Lines are read off the screen at Enter and asked
 * about: a refusal turns the Enter into Ctrl+C, which is advice to whoever types and stops nobody who wants to get around it.
 */
export class Terminal {
  readonly #context: ClientContext;
  readonly #port: TerminalPort;
  readonly #screen = new ScreenLine((line) => this.#echoed(line));
  readonly #kept = new SendQueue();
  #size: TerminalSize;
  #id = 0;
  #asking: AbortController | undefined;

  constructor(context: ClientContext, size: TerminalSize, port: TerminalPort) {
    this.#context = context;
    this.#size = size;
    this.#port = port;
  }

  /** Bytes of input that wait for an answer. */
  get waiting(): number {
    return this.#kept.size;
  }

  started(id: number): void {
    this.#id = id;
    this.resize(this.#size);
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    if (this.#id > 0) this.#port.record('size', Buffer.from(`${size.columns}x${size.rows}`));
  }

  output(bytes: Buffer): void {
    this.#screen.write(bytes);
  }

  input(bytes: Buffer): void {
    if (this.#asking) {
      if (bytes.includes(CTRL_C[0] as number)) this.#asking.abort('cancelled' satisfies WaitEnded);
      return this.#kept.add(bytes, 0);
    }
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== CR && bytes[at] !== LF) continue;
      if (at > from) this.#typed(bytes.subarray(from, at));
      const end = bytes.subarray(at, at + 1);
      from = at + 1;
      if (bytes.length > 1) {
        this.#screen.enterUnseen();
        this.#port.forward(end);
        continue;
      }
      const line = this.#screen.enter();
      if (line === '') this.#port.forward(end);
      else this.#enter(line, Buffer.from(end));
    }
    if (from < bytes.length) this.#typed(bytes.subarray(from));
  }

  #typed(bytes: Buffer): void {
    this.#screen.typing();
    this.#port.forward(bytes);
  }

  #enter(line: string, end: Buffer): void {
    const answer = this.#observed(line);
    if (!(answer instanceof Promise)) return this.#port.forward(answer.type === 'allow' ? end : CTRL_C);
    void answer.then((late) => {
      this.#port.forward(late.type === 'allow' ? end : CTRL_C);
      this.#goOn();
    });
  }

  /** It runs already; what is typed meanwhile waits for the answer all the same. */
  #echoed(line: string): void {
    const answer = this.#observed(line);
    if (answer instanceof Promise) void answer.then(() => this.#goOn());
  }

  /** The answer is there: what was typed meanwhile follows. */
  #goOn(): void {
    this.#asking = undefined;
    const kept = this.#kept.take();
    if (kept.length > 0) this.input(kept);
    this.#port.inputForwarded();
  }

  /** On record, and asked about. */
  #observed(line: string): Answer | Promise<Answer> {
    this.#port.newLine();
    this.#port.record('line', Buffer.from(line));
    const { gate, shell, account } = this.#context;
    const id = this.#context.nextId();
    const asking = new AbortController();
    const command = {
      type: 'shell',
      id,
      shell,
      text: line,
      account,
      environment: this.#port.environment,
      terminal: true,
    } as const;
    const answered = (answer: Answer): Answer => {
      if (answer.type === 'deny') this.#port.say(lineRefused(answer));
      else
        gate.record({
          type: 'end',
          command: id,
          outcome: 'ok',
          summary: 'seen on the screen',
          rows: 0,
          bytes: 0,
          data: [],
        });
      return answer;
    };
    const answer = gate.ask(command, {
      answersDelivered: () => Promise.resolve('idle'),
      say: (notice) => this.#port.say(lineWaits(notice)),
      signal: asking.signal,
    });
    if (!(answer instanceof Promise)) return answered(answer);
    this.#asking = asking;
    return answer.then(answered, (): Answer => LINE_UNJUDGED);
  }

  /** The client is gone. */
  stop(): void {
    this.#asking?.abort('gone' satisfies WaitEnded);
  }
}
