/** Why a stream or a whole tunnel failed, with a code. */

/**
 * Why a stream or a whole tunnel failed. `protocol`, `overrun`, `flood`, `version`: the peer broke the rules and was cut
 * off. `silent`, `closed`: the link is gone. `draining`, `limit`: no stream now. `refused`, `reset`: the other end said so.
 */
export type TunnelErrorCode =
  | 'protocol'
  | 'overrun'
  | 'flood'
  | 'version'
  | 'silent'
  | 'closed'
  | 'draining'
  | 'limit'
  | 'refused'
  | 'reset'
  | 'cancelled';

export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  readonly code: TunnelErrorCode;
  /** With `refused`: what the other end calls it, such as `denied`, `dns` or `timeout`. */
  readonly detail: string | undefined;

  constructor(code: TunnelErrorCode, message: string, detail?: string) {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}
