/** Fields of the SSH protocol (RFC 4251 section 5), read and written. Owns: that no read goes past the end. Pure. */

/** Fields of the SSH protocol (RFC 4251 section 5), read from one complete message or blob. Throws `KeyError` at its end. */
export class SshFields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** How many bytes have been read. */
  get position(): number {
    return this.#at;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8));
  }

  /** A view, not a copy. */
  string(): Buffer {
    return this.bytes(this.uint32());
  }

  /** A string that has to be UTF-8: a replaced byte would make two texts look like one. */
  text(): string {
    const bytes = this.string();
    const text = bytes.toString('utf8');
    if (Buffer.byteLength(text) !== bytes.length || !Buffer.from(text).equals(bytes)) {
      throw new KeyError('a text is not UTF-8');
    }
    return text;
  }

  /** Strings packed into one. */
  strings(): Buffer[] {
    const inside = new SshFields(this.string());
    const list: Buffer[] = [];
    while (inside.left > 0) list.push(inside.string());
    return list;
  }

  bytes(size: number): Buffer {
    const start = this.#take(size);
    return this.#bytes.subarray(start, start + size);
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }

  #take(size: number): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) throw new KeyError('a field is longer than what it is in');
    this.#at += size;
    return start;
  }
}

/** What was read is no key, certificate or message of the kind that was expected. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}

export type SshField = string | Uint8Array | number | bigint | boolean | { readonly raw: Uint8Array };

/** Strings for texts and bytes, uint32 for numbers, uint64 for bigints, a byte for booleans; `raw` as it is. */
export function pack(...fields: readonly SshField[]): Buffer {
  return Buffer.concat(fields.map(packed));
}

function packed(field: SshField): Uint8Array {
  if (typeof field === 'string') return packed(Buffer.from(field));
  if (typeof field === 'boolean') return Buffer.from([field ? 1 : 0]);
  if (typeof field === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(field);
    return bytes;
  }
  if (typeof field === 'bigint') {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(field);
    return bytes;
  }
  if ('raw' in field) return field.raw;
  return Buffer.concat([packed(field.length), field]);
}

/** A number of any size as RFC 4251 writes one, from its bytes, most significant first. */
export function mpint(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start++;
  const digits = Buffer.from(bytes.subarray(start));
  return (digits[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), digits]) : digits;
}

/** The bytes of an mpint, made `size` long in front. Throws `KeyError` for a negative one or one that does not fit. */
export function unsigned(bytes: Uint8Array, size?: number): Buffer {
  if ((bytes[0] ?? 0) > 127) throw new KeyError('a number is negative');
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start++;
  const digits = Buffer.from(bytes.subarray(start));
  if (size === undefined) return digits;
  if (digits.length > size) throw new KeyError('a number is too long');
  return Buffer.concat([Buffer.alloc(size - digits.length), digits]);
}
