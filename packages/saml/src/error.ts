/** Why an answer is not believed, in a sentence that quotes nothing secret. Does not: decide it (provider.ts). */

/** `message` is for the log and for whoever tried to log in. */
export class SamlError extends Error {
  override readonly name = 'SamlError';
}
