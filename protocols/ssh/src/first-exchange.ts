/**
 * What a client sends before its keys are there (RFC 4253 sections 4.2, 6 and 7), cut so that a packet that may have
 * the gateway compute waits for its turn: a wrong guess (section 7), which is thrown away, looks like the one that counts. Owns:
 * that bytes go on in order, and none behind such a packet before it. Does not: read anything else of them, which ssh2 does.
 */

const IDENT = Buffer.from('SSH-');
const LF = 10;
/** Length, padding length and type, in bytes. */
const HEADER_BYTES = 6;
/** SSH_MSG_KEXDH_INIT and SSH_MSG_KEX_ECDH_INIT. */
const KEX_INIT = 30;
const NEWKEYS = 21;
/** With padding, of which there are 255 bytes at most: a guess may be of mlkem768x25519 (1216 bytes), which is not offered. */
const MAX_KEX_INIT_BYTES = 2_048;
/** RFC 4253 section 6.1. */
const MAX_PACKET_BYTES = 35_000;

export class FirstExchange {
  readonly #deliver: (bytes: Buffer) => void;
  readonly #turn: () => Promise<void>;
  readonly #failed: (error: Error) => void;
  #state: 'ident' | 'header' | 'body' | 'costly' | 'waiting' | 'over' = 'ident';
  /** Bytes of the present part that have come: of 'ident' their number counts only, of 'costly' and 'waiting' they are kept. */
  #come = 0;
  #wanted = HEADER_BYTES;
  readonly #kept = Buffer.alloc(MAX_KEX_INIT_BYTES);
  #behind: Buffer[] = [];
  /** A packet that may have cost was delivered. */
  #hasExchanged = false;
  /** Behind the present packet all is encrypted. */
  #isLast = false;

  /**
   * `turn` resolves when a packet that costs may be delivered. `failed` is told what `receive` would throw, where that shows in
   * bytes that had to wait.
   */
  constructor(deliver: (bytes: Buffer) => void, turn: () => Promise<void>, failed: (error: Error) => void) {
    this.#deliver = deliver;
    this.#turn = turn;
    this.#failed = failed;
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
    const type = this.#kept[HEADER_BYTES - 1];
    const costs = type === KEX_INIT;
    this.#isLast = type === NEWKEYS && this.#hasExchanged;
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
    this.#state = this.#isLast ? 'over' : 'header';
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
      // A copy: the key exchange keeps views of it.
      const packet = Buffer.from(this.#kept.subarray(0, this.#come));
      const behind = this.#behind;
      this.#behind = [];
      this.#hasExchanged = true;
      this.#begin();
      try {
        this.#deliver(packet);
        for (const bytes of behind) this.receive(bytes);
      } catch (error) {
        this.#failed(error as Error);
      }
    });
  }
}
