/** Every way in which TCP may cut what was sent. Whatever reads it must say the same thing each time. */
export const CUTS: Readonly<Record<string, (bytes: Buffer) => Buffer[]>> = {
  whole: (bytes) => [bytes],
  'byte by byte': (bytes) => pieces(bytes, 1),
  'in sevens': (bytes) => pieces(bytes, 7),
  'in halves': (bytes) => pieces(bytes, Math.ceil(bytes.length / 2)),
  'in thousands': (bytes) => pieces(bytes, 1000),
  'at random, seed 1': (bytes) => randomPieces(bytes, 1),
  'at random, seed 2': (bytes) => randomPieces(bytes, 2),
};

/** Pieces of one size, the last one shorter. */
const pieces = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / Math.max(1, size)) }, (_, n) =>
    bytes.subarray(n * size, (n + 1) * size),
  );

/** Pieces of 1 to `longest` bytes; the same seed cuts at the same places. */
export function randomPieces(bytes: Buffer, seed: number, longest = 64): Buffer[] {
  const made: Buffer[] = [];
  const pick = random(seed);
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + pick(longest);
    made.push(bytes.subarray(at, at + size));
    at += size;
  }
  return made;
}

/** Whole numbers from 0 to below the argument, up to 65536; the same seed gives the same ones. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    // Numerical Recipes' linear congruential generator: not random enough for secrets, and for tests plenty.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % below;
  };
}

/** Has a chunk read as `connectLender` of the wire lends it: the memory is somebody else's as soon as the call is over. */
export function lent<T>(bytes: Buffer, use: (chunk: Buffer) => T): T {
  const chunk = Buffer.from(bytes);
  try {
    return use(chunk);
  } finally {
    chunk.fill(0xee);
  }
}
