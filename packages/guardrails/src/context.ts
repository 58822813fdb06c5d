/** Who asks, and by which connection, as rules see it. Types only. */
import type { Command, MaskedUse, Principal } from '@sluice/contract';
import type { Request } from '@sluice/http-requests';

/** Who asks, and by which connection. */
export interface PolicyContext {
  readonly principal: Principal;
  readonly connection: { readonly name: string; readonly protocol: string };
  /** What kind of command it is; absent for SQL. */
  readonly command?: { readonly type: Command['type']; readonly account?: string; readonly terminal?: boolean };
  /** Of a command by HTTP. */
  readonly request?: Request;
  /** What the command does with masked columns other than to show them; absent until that is known. */
  readonly masked?: MaskedUse;
}
