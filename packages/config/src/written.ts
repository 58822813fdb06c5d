/** Values as YAML has them, before anybody knows their shape. Does not: check them (schema.ts). */

/** Values as YAML has them, before anybody knows their shape. */
export const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

export const texts = (value: unknown): string[] => list(value).filter((one) => typeof one === 'string');
