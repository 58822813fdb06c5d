/**
 * Why there is no tunnel, in words for whoever starts the agent: the address, what answered there, and the option that helps. Does not:
 * decide whether to try again.
 */
import { X509Certificate } from 'node:crypto';

/** Characters of an answer that are shown. */
const MAX_SHOWN = 40;

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

const WRONG_PORT = 'listeners.agents in the configuration of the gateway has the port for agents';

/** @param hasCa whether an authority was given, in place of the public ones */
export function inWords(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, { host }: URL, hasCa: boolean): string {
  const { code = '', message } = error;
  if (UNTRUSTED.has(code)) {
    if (hasCa) return `the certificate of ${host} is none of the authority in --ca: is that file from this gateway?`;
    return `the certificate of ${host} is signed by no public authority: give its authority, or the certificate itself (gateway.crt in the data folder of the gateway), with --ca`;
  }
  if (code === 'CERT_HAS_EXPIRED')
    return `the certificate of ${host} has expired, or the clock of this machine is wrong`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the certificate of ${host} is for other names: use one of them in --gateway (${message.slice(0, 200)})`;
  if (code.startsWith('HPE_'))
    return `what answers at ${host} is no gateway for agents${shown(error.rawPacket)}: ${WRONG_PORT}`;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return `what answers at ${host} speaks no TLS: ${WRONG_PORT}`;
  const status = /^Unexpected server response: (\d+)/.exec(message)?.[1];
  if (status !== undefined)
    return `what answers at ${host} is no gateway for agents (HTTP status ${status}): ${WRONG_PORT}`;
  if (code === 'ECONNREFUSED') return `nothing listens at ${host}: is the gateway running? ${WRONG_PORT}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name in ${host} cannot be resolved here`;
  return `${host}: ${message}`;
}

function shown(packet: Buffer | undefined): string {
  const text = packet
    ?.toString('latin1')
    .replaceAll(/[^ -~]+/g, ' ')
    .trim()
    .slice(0, MAX_SHOWN);
  return text ? ` (it says "${text}")` : '';
}

/**
 * The text of a file for --ca.
 *
 * @throws Error when there is no certificate in it
 */
export function checkedCa(text: string, file: string): string {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0)
    throw new Error(
      `${file} (--ca) has no certificate in it: PEM is expected, which begins with -----BEGIN CERTIFICATE-----.`,
    );
  for (const block of blocks) {
    try {
      void new X509Certificate(block);
    } catch {
      throw new Error(`${file} (--ca) has a block that is no certificate.`);
    }
  }
  return text;
}
