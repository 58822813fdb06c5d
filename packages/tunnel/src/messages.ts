/** Payloads of frames about the tunnel itself. Owns: their schemas and cuts. */
import { z } from 'zod';
import { TunnelError } from './errors.js';

/** Versions of the frame format that this code speaks. */
export const VERSIONS = { from: 1, to: 1 } as const;

/** The payload of a hello: what the sender speaks, and what it lets the other end send. Unknown keys are of later versions. */
const Hello = z.object({
  versions: z.tuple([z.int().min(1), z.int().min(1)]),
  /** Credit that each stream starts with, in bytes. */
  window: z
    .int()
    .min(1)
    .max(2 ** 30),
  /** Most streams at a time. */
  streams: z.int().min(1),
});
export type Hello = z.infer<typeof Hello>;

/** The payload of a refusal and of a reset. `code` is for programs, `message` for people. */
const Reason = z.object({ code: z.string().max(40), message: z.string() });
export type Reason = z.infer<typeof Reason>;

/** The payload of a goaway. */
const Goaway = z.object({
  /** Milliseconds that running streams may go on for. */
  deadline: z.number().min(0),
  /** Milliseconds after which it is worth connecting again. */
  retry: z.number().min(0),
  reason: z.string(),
});
export type Goaway = z.infer<typeof Goaway>;

export const readHello = (payload: Buffer): Hello => read(Hello, payload, 'hello');
export const readReason = (payload: Buffer): Reason => read(Reason, payload, 'refusal or reset');
export const readGoaway = (payload: Buffer): Goaway => read(Goaway, payload, 'goaway');

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** A message of people's words is cut so that it fits its frame. Characters. */
export const words = (text: string): string => (text.length > 500 ? `${text.slice(0, 500)}...` : text);

/** @throws TunnelError `protocol` when the payload is not of this shape */
export function read<T>(schema: z.ZodType<T>, payload: Buffer, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString());
  } catch {
    throw new TunnelError('protocol', `a ${what} that is no JSON`);
  }
  const read = schema.safeParse(value);
  if (!read.success) throw new TunnelError('protocol', `a ${what} of the wrong shape`);
  return read.data;
}
