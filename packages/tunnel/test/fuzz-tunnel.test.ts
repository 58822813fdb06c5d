/**
 * Two ends of a tunnel with a link between them that damages what passes: bytes flipped, frames dropped, doubled, reordered,
 * cut, lengths that lie, frames of any type for any stream. Whatever comes, nothing is thrown out of an end, no end keeps
 * more than windows and the backlog allow, and when the link is over every stream and every request is over too.
 *
 * `pnpm fuzz tunnel [--seconds N] [--seed S]` runs it for longer.
 */
import { random } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { FRAME, type FrameName, frame } from '../src/frame.js';
import { type StreamOpening, Tunnel, type TunnelStream } from '../src/index.js';
import { End } from './pair.js';

const SECONDS = Number(process.env['SLUICE_FUZZ_SECONDS'] ?? 2);
const FIXED = 20_261;
const FRESH = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const FIXED_RUNS = 100;

const WINDOW_BYTES = 16 * 1024;
const MAX_STREAMS = 8;
/** What one end may have given to its transport: the limit in flight, a frame beyond it, and answers that nobody reads. */
const MAX_PENDING_BYTES = (512 + 72 + 1024 + 64) * 1024;

type Pick = (below: number) => number;

const NAMES = Object.keys(FRAME) as FrameName[];
const TEXTS = [
  '{}',
  '[]',
  '"',
  '{"code":"x","message":"y"}',
  '{"versions":[1,1],"window":16384,"streams":8}',
  '\0\0\0\0',
];
const NUMBERS = [0, 1, 2, 3, 7, 8, 9, 0x7fff_ffff, 0xffff_ffff];

function randomFrame(pick: Pick): Buffer {
  const name = NAMES[pick(NAMES.length)] as FrameName;
  const payload =
    pick(2) === 0 ? Buffer.from(TEXTS[pick(TEXTS.length)] as string) : Buffer.alloc(pick(70_000), pick(256));
  return frame(name, NUMBERS[pick(NUMBERS.length)] as number, payload);
}

/** A link that does something to one message in `rarity`. */
function damage(pick: Pick, rarity: number): (bytes: Buffer) => Buffer[] {
  let late: Buffer[] = [];
  return (bytes) => {
    const before = late;
    late = [];
    if (pick(rarity) !== 0 || bytes.length === 0) return [bytes, ...before];
    const place = pick(bytes.length);
    const changed = Buffer.from(bytes);
    switch (pick(8)) {
      case 0:
        changed[place] = pick(256);
        return [changed, ...before];
      case 1:
        return [bytes.subarray(0, place), ...before];
      case 2:
        return [bytes, bytes, ...before];
      case 3:
        late = [bytes];
        return before;
      case 4:
        return [bytes.subarray(0, place), bytes.subarray(place), ...before];
      case 5:
        if (changed.length >= 4) changed.writeUIntBE([0, 0xff_ffff, 0x01_0001, pick(2 ** 24)][pick(4)] as number, 1, 3);
        return [changed, ...before];
      case 6:
        return [...Array.from(bytes.subarray(0, 200), (byte) => Buffer.from([byte])), bytes.subarray(200), ...before];
      default:
        return [randomFrame(pick), bytes, ...before];
    }
  };
}

/** One link and what went on at it. */
class Run {
  readonly thrown: unknown[] = [];
  readonly streams: TunnelStream[] = [];
  readonly openings: StreamOpening[] = [];
  readonly unanswered: StreamOpening[] = [];
  readonly closes: [number, number] = [0, 0];
  /** Of each request: whether it was answered, refused or given up. */
  readonly requests: { over: boolean }[] = [];
  readonly ends = [new End(), new End()] as const;
  readonly tunnels: readonly [Tunnel, Tunnel];
  readonly #pick: Pick;

  constructor(pick: Pick) {
    this.#pick = pick;
    const [near, far] = this.ends;
    [near.peer, far.peer] = [far, near];
    for (const end of this.ends) {
      end.cut = damage(pick, 2 + pick(40));
      const receive = end.receive.bind(end);
      end.receive = (bytes) => {
        try {
          receive(bytes);
        } catch (error) {
          this.thrown.push(error);
        }
      };
    }
    const common = { window: WINDOW_BYTES, streams: MAX_STREAMS };
    this.tunnels = [
      new Tunnel({ ...common, transport: near, peer: 'far', onClose: () => this.closes[0]++ }),
      new Tunnel({
        ...common,
        transport: far,
        peer: 'near',
        onOpen: (opening) => this.#answer(opening),
        onClose: () => this.closes[1]++,
      }),
    ];
  }

  /** Something that a user of the tunnel does. */
  act(): void {
    const pick = this.#pick;
    const stream = this.streams[pick(Math.max(1, this.streams.length))];
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        return this.#open();
      case 3:
        return void stream?.end();
      case 4:
        return void stream?.destroy(pick(2) === 0 ? new Error('it broke') : undefined);
      case 5:
        if (stream && !stream.destroyed) stream.sendControl(Buffer.alloc(pick(65_537)));
        return;
      case 6:
        if (pick(20) === 0) void this.tunnels[pick(2)]?.drain({ deadline: 5, retry: 1, reason: 'a restart' });
        return;
      case 7:
        this.ends[pick(2)]!.held = pick(4) === 0;
        return;
      default:
        if (stream?.writable) stream.write(Buffer.alloc(pick(100_000), pick(256)));
    }
  }

  #open(): void {
    const wish = new AbortController();
    const request = { over: false };
    this.requests.push(request);
    this.tunnels[0]
      .open(Buffer.alloc(this.#pick(300)), wish.signal)
      .then(({ stream }) => this.#use(stream))
      .catch(() => undefined)
      .finally(() => (request.over = true));
    if (this.#pick(5) === 0) setImmediate(() => wish.abort());
  }

  #answer(opening: StreamOpening): void {
    this.openings.push(opening);
    if (this.#pick(5) === 0) return opening.refuse({ code: 'denied', message: 'x'.repeat(this.#pick(2000)) });
    if (this.#pick(8) === 0) return void this.unanswered.push(opening);
    const stream = opening.accept(Buffer.alloc(this.#pick(2000)));
    if (stream) this.#use(stream);
  }

  /** Some are read, some are not. */
  #use(stream: TunnelStream): void {
    this.streams.push(stream);
    if (this.#pick(2) === 0) stream.onControl = () => undefined;
    if (this.#pick(3) > 0) stream.resume();
  }

  /** What the ends keep for each other must not be more than they agreed on. */
  checkBounds(): void {
    for (const end of this.ends) expect(end.pending).toBeLessThan(MAX_PENDING_BYTES);
    for (const tunnel of this.tunnels) expect(tunnel.streams).toBeLessThanOrEqual(MAX_STREAMS);
    for (const stream of this.streams)
      if (stream.readableFlowing === null) expect(stream.bytesReceived).toBeLessThanOrEqual(WINDOW_BYTES);
  }

  async finish(): Promise<void> {
    for (const end of this.ends) end.held = false;
    for (const tunnel of this.tunnels) tunnel.close('the run is over');
    for (let n = 0; n < 5; n++) await turn();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test.each([
  ['fixed', FIXED],
  ['fresh', FRESH],
])(
  'damaged links, %s seed %i',
  async (_, seed) => {
    const pick = random(seed);
    const until = Date.now() + (SECONDS * 1000) / 2;
    // The fixed seed runs a fixed number, so that what it finds it finds everywhere.
    for (let n = 0; seed === FIXED ? n < FIXED_RUNS : Date.now() < until; n++) {
      const run = new Run(pick);
      for (let left = 5 + pick(60); left > 0; left--) {
        run.act();
        if (pick(2) === 0) await turn();
        run.checkBounds();
      }
      await run.finish();
      const name = `run ${n} of seed ${seed}`;
      expect(run.thrown, name).toEqual([]);
      expect(run.closes, name).toEqual([1, 1]);
      expect(
        run.requests.filter(({ over }) => !over),
        name,
      ).toEqual([]);
      expect(
        run.streams.filter((stream) => !stream.destroyed),
        name,
      ).toEqual([]);
      for (const tunnel of run.tunnels) expect(tunnel.streams, name).toBe(0);
      for (const { accept } of run.openings) expect(accept(Buffer.alloc(0)), name).toBeUndefined();
      for (const { abandoned } of run.unanswered) expect(abandoned.aborted, name).toBe(true);
      const sent = run.ends.map((end) => end.sent.length);
      await turn();
      expect(
        run.ends.map((end) => end.sent.length),
        name,
      ).toEqual(sent);
    }
  },
  SECONDS * 1000 + 120_000,
);
