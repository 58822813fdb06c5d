/** Every way in which TCP may cut what was sent. Whatever reads it must say the same thing each time. */
export const CUTS: Readonly<Record<string, (bytes: Buffer) => Buffer[]>> = {
  whole: (bytes) => [bytes],
  'byte by byte': (bytes) => pieces(bytes, 1),
  'in sevens': (bytes) => pieces(bytes, 7),
  'in halves': (bytes) => pieces(bytes, Math.ceil(bytes.length / 2)),
  'in thousands': (bytes) => pieces(bytes, 1000),
};

export const pieces = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / Math.max(1, size)) }, (_, n) =>
    bytes.subarray(n * size, (n + 1) * size),
  );
