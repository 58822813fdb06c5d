/** What a token is. Types only. */

/** `word`: a name or keyword without quotes. `name`: what can be no keyword: quoted, or behind or before a dot. */
export type TokenKind =
  | 'word'
  | 'name'
  | 'string'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'hex'
  | 'bit'
  | 'parameter'
  | 'variable'
  | 'hint'
  | 'operator'
  | 'end';
