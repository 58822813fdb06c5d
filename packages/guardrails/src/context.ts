/** Who asks, and by which connection, as rules see it. Types only. */
import type { Command, MaskedUse, Principal } from '@sluice/contract';
import type { Request } from '@sluice/http-requests';
import type { ModelCall, ModelSettings } from '@sluice/language-models';

/** Who asks, and by which connection. */
export interface PolicyContext {
  readonly principal: Principal;
  readonly connection: { readonly name: string; readonly protocol: string };
  /** What kind of command it is; absent for SQL. */
  readonly command?: { readonly type: Command['type']; readonly account?: string; readonly terminal?: boolean };
  /** Of a command by HTTP. */
  readonly request?: Request;
  /** What detectors find in it, by the names that rules use. @throws BodyUnread, BodyUnreadable */
  readonly found?: () => readonly string[];
  /** Of a request to a language model, and what its connection says of those. */
  readonly model?: { readonly call: ModelCall; readonly settings: ModelSettings };
  /** Names that mean tables of the session's own where they stand without a schema; only for the first statement of a text. */
  readonly ownTables?: ReadonlySet<string> | undefined;
  /** Functions that the operator trusts, as the facts name them, beside those that are trusted by that very name. */
  readonly trusted?: ReadonlySet<string>;
  /** What the command does with masked columns other than to show them; absent until that is known. */
  readonly masked?: MaskedUse;
}
