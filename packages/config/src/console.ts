/**
 * Settings of the console's listener. Owns: their shape, and which address it is reached by. Does not: who may log in there
 * (issuers.ts), or serve it (packages/console-server).
 */
import { isLoopback } from '@sluice/addresses';
import { z } from 'zod';
import type { ConsoleConfig } from './config.js';
import type { ConfigSources } from './files.js';
import { addresses, isExposed, listenerTls } from './protocols/shared.js';
import { duration, port } from './values.js';

/** The origin that people have in their browser: a scheme, a host and perhaps a port, and nothing else. */
function originOf(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return undefined;
  return url.pathname === '/' && !url.search && !url.hash ? url.origin : undefined;
}

const isPlain = (origin: string): boolean => origin.startsWith('http:');
const hostOf = (origin: string): string => new URL(origin).hostname.replaceAll(/[[\]]/g, '');
const isLocal = (host: string): boolean => host === 'localhost' || isLoopback(host);

/** Where people reach the console with a browser. */
export const consoleListener = (outside: ConfigSources) =>
  z
    .strictObject({
      address: addresses,
      port: port.default(7440),
      tls: listenerTls(outside),
      external_url: z
        .string()
        .optional()
        .describe('what people have in the address line of their browser; default: the address and port, on loopback'),
      idle: duration.prefault('1h').describe('a login ends when nobody has used it for this long'),
      session: duration.prefault('8h').describe('how long a login lasts at most'),
    })
    .superRefine(({ address, tls, external_url, idle, session }, context) => {
      const mistake = (path: string, message: string, hint: string): void =>
        context.addIssue({ code: 'custom', path: [path], message, params: { hint } });
      if (tls === 'off' && isExposed(address))
        mistake('tls', 'without TLS anybody between could act as whoever logs in', 'Use off on loopback only.');
      if (idle > session) mistake('idle', 'it is longer than "session"', 'Write a shorter time.');
      if (external_url === undefined) {
        const hint = 'Write the address that people open, such as https://sluice.example.com.';
        if (isExposed(address)) mistake('external_url', 'it has to be said where others reach the console', hint);
        return;
      }
      const origin = originOf(external_url);
      if (origin === undefined)
        return mistake(
          'external_url',
          `"${external_url}" is not an address of a site`,
          'Write https://host or https://host:port.',
        );
      if (isPlain(origin) && !isLocal(hostOf(origin)))
        mistake('external_url', 'without https anybody between could act as whoever logs in', 'Write https.');
      if (isPlain(origin) && tls !== 'off')
        mistake('external_url', 'the listener speaks TLS', 'Write https, or tls: off on loopback.');
    })
    .transform(
      ({ address, port: number, tls, external_url, idle, session }): ConsoleConfig => ({
        addresses: [address].flat(),
        port: number,
        tls,
        origin: external_url === undefined ? undefined : originOf(external_url),
        idle,
        session,
      }),
    );
