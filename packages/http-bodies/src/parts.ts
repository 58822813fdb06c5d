/** What rules mask in bodies of every kind. Types only. */
import type { JsonParts } from './json.js';
import type { Unread } from './media.js';

/** Compiled once for any number of bodies. */
export interface BodyParts extends JsonParts {
  readonly unread: Unread;
}
