/** Names of schemas in the API document. Does not: the schemas (answers). */
import type { z } from 'zod';

/** What is answered is nobody's to change. */
type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** A schema that others refer to in the API document by its name; whoever has an answer of it reads it only. */
export const named =
  (id: string, description: string) =>
  <S extends z.ZodType>(schema: S): z.ZodType<DeepReadonly<z.output<S>>, DeepReadonly<z.output<S>>> =>
    schema.meta({ id, description }) as z.ZodType<DeepReadonly<z.output<S>>, DeepReadonly<z.output<S>>>;
