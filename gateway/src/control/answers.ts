import { z } from 'zod';

/** `A` and `B` have the same fields, of the same types, optional in both or in neither. */
type Same<A, B> = Mutual<Settled<A>, Settled<B>> & Mutual<Whole<A>, Whole<B>>;
type Mutual<A, B> = [A] extends [B] ? ([B] extends [A] ? unknown : never) : never;
/** What may be written to does not matter, but arrays that may not be do not pass for those that may. */
type Settled<T> = T extends object ? { readonly [K in keyof T]: Settled<T[K]> } : T;
/** A type passes for one with another optional field, but not for one with another field. */
type Whole<T> = T extends object ? { readonly [K in keyof T]-?: Whole<T[K]> } : T;

/** A schema for exactly `Row`, by whose name others refer to it in the document; another does not compile. */
export const named =
  <Row>(id: string, description: string) =>
  <S extends z.ZodType<Row, Row>>(schema: S & Same<Row, z.output<S>>): z.ZodType<Row, Row> =>
    schema.meta({ id, description });

/** How the control API says no, whatever the status. */
export const Problem = named<{ readonly message: string; readonly hint?: string }>(
  'Problem',
  'Why a request was not answered, in a sentence for whoever sent it.',
)(z.strictObject({ message: z.string(), hint: z.exactOptional(z.string().describe('What to do about it.')) }));

/** Statuses that a route says no with, besides those that every route may, see `describeApi`. */
export const problems = <const S extends number>(...statuses: readonly S[]): { [K in S]: typeof Problem } =>
  Object.fromEntries(statuses.map((status) => [status, Problem])) as { [K in S]: typeof Problem };

/** What a revocation is answered with that is in effect, status 202. */
export const NOT_STORED = {
  message: 'Revoked, and in effect. It could not be stored yet, which is tried again until it succeeds.',
  hint: 'The log of the gateway says why. /readyz is not ready before it is stored.',
} as const;

/** A response of another type than JSON. It is described, and sent as it is. */
export const textOf = (description: string, ...types: readonly string[]): object => ({
  description,
  content: Object.fromEntries(types.map((type) => [type, { schema: z.string() }])),
});
