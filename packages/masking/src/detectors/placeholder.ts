/** Texts that stand where a secret goes and are none. Pure. */

/** A text that stands where a secret goes: a variable, a template, asterisks, a word of a manual. */
export function isPlaceholder(text: string): boolean {
  return /^(?:[*xX.\u2022-]+|[$%{<[(].*|.*[>}\]]|your[-_ ].*|.*[-_]here)$/.test(text) || WORDS.has(text.toLowerCase());
}

const WORDS = new Set(
  (
    'password passwd pwd pass secret token key apikey api_key changeme change_me example sample dummy test testing placeholder ' +
    'redacted masked hidden required optional none null nil undefined true false string number boolean object unknown default ' +
    'empty missing invalid expired incorrect wrong'
  ).split(' '),
);
