/** What answers are made of. Types only, and the schemas that check them. */
import { z } from 'zod';

export const text = z.string();
export const count = z.number();
export const flag = z.boolean();
export const texts = z.array(text);
export const time = z.string().describe('ISO 8601');

/** Absent, but never undefined: as the types have it. */
export const maybe = z.exactOptional;
