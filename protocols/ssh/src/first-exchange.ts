/**
 * What a client sends before its keys are there (RFC 4253 sections 4.2, 6 and 7), cut so that the one packet that has the
 * gateway compute waits for its turn. Owns: that bytes go on in order, and none behind that packet before it. Does not: read
 * anything else of them, which ssh2 does.
 */

const IDENT = Buffer.from('SSH-');
const LF = 10;
/** Length, padding length and type, in bytes. */
const HEADER_BYTES = 6;
/** SSH_MSG_KEXDH_INIT and SSH_MSG_KEX_ECDH_INIT. */
const KEX_INIT = 30;
/** Of the largest group that is offered a public value has 513 bytes, and padding 255 at most. */
const MAX_KEX_INIT_BYTES = 1_024;
/** RFC 4253 section 6.1. */
const MAX_PACKET_BYTES = 35_000;

export class FirstExchange {
  readonly #deliver: (bytes: Buffer) => void;
  readonly #turn: () => Promise<void>;
  #state: 'ident' | 'header' | 'body' | 'costly' | 'waiting' | 'over' = 'ident';
  /** Bytes of the present part that have come: of 'ident' their number counts only, of 'costly' and 'waiting' they are kept. */
  #come = 0;
  #wanted = HEADER_BYTES;
  readonly #kept = Buffer.alloc(MAX_KEX_INIT_BYTES);
  #behind: Buffer[] = [];

  /** `turn` resolves when the packet that costs may be delivered. */
  constructor(deliver: (bytes: Buffer) => void, turn: () => Promise<void>) {
    this.#deliver = deliver;
    this.#turn = turn;
  }

  /** Nothing more is to be read of the client for now. */
  get waiting(): boolean {
    return this.#state === 'waiting';
  }

  /** All that is to come goes on as it is. */
  get over(): boolean {
    return this.#state === 'over';
  }

  /** @throws Error when it is not SSH as a client speaks it */
  receive(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case 'ident':
          at = this.#ident(chunk, at);
          break;
        case 'header':
          at = this.#header(chunk, at);
          break;
        case 'body': {
          const end = Math.min(chunk.length, at + this.#wanted);
          this.#wanted -= end - at;
          if (this.#wanted === 0) this.#begin();
          this.#deliver(chunk.subarray(at, end));
          at = end;
          break;
        }
        case 'costly':
          at = this.#keep(chunk, at);
          if (this.#come === this.#wanted) this.#wait();
          break;
        case 'waiting':
          this.#behind.push(Buffer.from(chunk.subarray(at)));
          return;
        default:
          this.#deliver(chunk.subarray(at));
          return;
      }
    }
  }

  /** One line, and no other before it: whoever reads lines there that we take for packets would read other packets, too. */
  #ident(chunk: Buffer, at: number): number {
    const line = chunk.indexOf(LF, at);
    const end = line < 0 ? chunk.length : line + 1;
    for (let index = at; index < end && this.#come < IDENT.length; index++)
      if (chunk[index] !== IDENT[this.#come++]) throw new Error('the client does not speak SSH');
    if (line >= 0) this.#begin();
    this.#deliver(chunk.subarray(at, end));
    return end;
  }

  #header(chunk: Buffer, at: number): number {
    const end = this.#keep(chunk, at);
    if (this.#come < HEADER_BYTES) return end;
    const total = 4 + this.#kept.readUInt32BE(0);
    const costs = this.#kept[HEADER_BYTES - 1] === KEX_INIT;
    if (total < HEADER_BYTES || total > (costs ? MAX_KEX_INIT_BYTES : MAX_PACKET_BYTES))
      throw new Error('a packet before the keys has an impossible length');
    this.#state = costs ? 'costly' : 'body';
    this.#wanted = costs ? total : total - HEADER_BYTES;
    if (costs && total === HEADER_BYTES) this.#wait();
    if (costs) return end;
    if (this.#wanted === 0) this.#begin();
    this.#deliver(Buffer.from(this.#kept.subarray(0, HEADER_BYTES)));
    return end;
  }

  #begin(): void {
    this.#state = 'header';
    this.#come = 0;
    this.#wanted = HEADER_BYTES;
  }

  #keep(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#wanted - this.#come);
    this.#kept.set(chunk.subarray(at, end), this.#come);
    this.#come += end - at;
    return end;
  }

  #wait(): void {
    this.#state = 'waiting';
    void this.#turn().then(() => {
      this.#state = 'over';
      const behind = this.#behind;
      this.#behind = [];
      this.#deliver(this.#kept.subarray(0, this.#come));
      for (const bytes of behind) this.#deliver(bytes);
    });
  }
}
