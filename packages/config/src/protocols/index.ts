/** The protocols that a configuration can name. Adding one of Sluice's own is a file beside this one and a line here. */
import { http } from './http.js';
import { mysql } from './mysql.js';
import { packaged } from './packaged.js';
import { postgres } from './postgres.js';
import type { ProtocolFile } from './protocol.js';
import { ssh } from './ssh.js';

/** Those of Sluice's own, in the order in which their ports are opened. */
export const PROTOCOLS: readonly ProtocolFile[] = [postgres, mysql, ssh, http];

export const PROTOCOL_NAMES: readonly string[] = PROTOCOLS.map(({ name }) => name);

/** What is known of a protocol by its name: one of Sluice's own, or that of a package. */
export const protocolNamed = (name: string): ReturnType<typeof packaged> =>
  PROTOCOLS.find((one) => one.name === name) ?? packaged(name);

/** Whether it is in a package of somebody else. */
export const isPackaged = (name: string): boolean => !PROTOCOL_NAMES.includes(name);
