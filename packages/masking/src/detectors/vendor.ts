/** Detector of keys and tokens by the prefixes of their vendors. Owns: the list of prefixes. Pure. */
import { ALNUM, BASE64URL, type ByteClass, byteClass, DIGITS, has, skip, UPPER } from './bytes.js';
import type { Finding } from './finding.js';

interface Vendor {
  readonly prefix: string;
  /** What may follow, and how much of it. */
  readonly body: ByteClass;
  readonly least: number;
  readonly most: number;
}

const vendors = (body: ByteClass, least: number, most: number, ...prefixes: readonly string[]): Vendor[] =>
  prefixes.map((prefix) => ({ prefix, body, least, most }));

/** Prefixes and lengths as the vendors document them for secret scanners. Longer prefixes come first. */
export const VENDORS: readonly Vendor[] = [
  ...vendors(byteClass(`${UPPER}${DIGITS}`), 16, 16, 'AKIA', 'ASIA'),
  ...vendors(
    byteClass('_', false).map((bit, byte) => bit | (ALNUM[byte] as number)),
    50,
    255,
    'github_pat_',
  ),
  ...vendors(ALNUM, 36, 255, 'ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'npm_'),
  ...vendors(BASE64URL, 20, 255, 'glpat-'),
  ...vendors(BASE64URL, 20, 255, 'xoxb-', 'xoxa-', 'xoxp-', 'xoxr-', 'xoxs-', 'xoxe-', 'xapp-'),
  ...vendors(ALNUM, 16, 255, 'sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'whsec_'),
  ...vendors(BASE64URL, 32, 255, 'sk-ant-', 'sk-proj-', 'sk-svcacct-', 'sk-admin-'),
  ...vendors(ALNUM, 32, 64, 'sk-'),
  ...vendors(BASE64URL, 35, 35, 'AIza'),
  ...vendors(BASE64URL, 24, 255, 'GOCSPX-'),
  ...vendors(BASE64URL, 30, 2048, 'ya29.'),
  ...vendors(
    byteClass('.', false).map((bit, byte) => bit | (BASE64URL[byte] as number)),
    60,
    70,
    'SG.',
  ),
  ...vendors(BASE64URL, 50, 255, 'pypi-'),
  ...vendors(ALNUM, 30, 64, 'hf_'),
  ...vendors(BASE64URL, 24, 255, 'hvs.', 'hvb.'),
  ...vendors(ALNUM, 64, 64, 'dop_v1_', 'doo_v1_', 'dor_v1_'),
  ...vendors(ALNUM, 32, 32, 'shpat_', 'shpca_', 'shppa_', 'shpss_'),
  ...vendors(ALNUM, 58, 58, 'AGE-SECRET-KEY-1'),
  ...vendors(
    byteClass('_', false).map((bit, byte) => bit | (ALNUM[byte] as number)),
    20,
    255,
    'sluice_',
  ),
];

/** Where in a prefix its rarest byte is, at which `apiKey` is called. */
const TRIGGERS = '_.KSz-';
const BY_TRIGGER: ({ readonly vendor: Vendor; readonly offset: number }[] | undefined)[] = Array.from({ length: 256 });
/** 1 for each trigger with a byte before it that some prefix has there: most dashes and dots of a text go no further. */
const PAIRS = new Uint8Array(0x10000);
for (const vendor of VENDORS) {
  const offset = Array.from(vendor.prefix).findIndex((one) => TRIGGERS.includes(one) && one !== 'S');
  const at = offset < 0 ? vendor.prefix.indexOf('S') : offset;
  const byte = vendor.prefix.charCodeAt(at);
  (BY_TRIGGER[byte] ??= []).push({ vendor, offset: at });
  PAIRS[(byte << 8) | vendor.prefix.charCodeAt(at - 1)] = 1;
}

/** Bytes at which `apiKey` has to be called. */
export const API_KEY_TRIGGERS: readonly number[] = [...BY_TRIGGER.keys()].filter((byte) => BY_TRIGGER[byte]);

/** API keys and tokens that vendors have given a prefix, so that they can be told from anything else. */
export function apiKey(bytes: Buffer, trigger: number, start: number, end: number): Finding | undefined {
  if (trigger === start || PAIRS[((bytes[trigger] as number) << 8) | (bytes[trigger - 1] as number)] === 0)
    return undefined;
  for (const { vendor, offset } of BY_TRIGGER[bytes[trigger] as number] ?? []) {
    const at = trigger - offset;
    if (at < start || !has(bytes, at, end, vendor.prefix)) continue;
    if (at > start && (ALNUM[bytes[at - 1] as number] === 1 || bytes[at - 1] === 0x5f)) continue;
    const body = at + vendor.prefix.length;
    let to = skip(bytes, body, Math.min(end, body + vendor.most + 2), vendor.body);
    // A sentence may end behind a key whose alphabet has the dot.
    if (to > body && bytes[to - 1] === 0x2e) to--;
    if (to - body < vendor.least || to - body > vendor.most || (to < end && ALNUM[bytes[to] as number] === 1)) continue;
    if (isVaried(bytes, body, to)) return { entity: 'API_KEY', start: at, end: to };
  }
  return undefined;
}

/** `AKIAXXXXXXXXXXXXXXXX` is a place for a key. */
function isVaried(bytes: Buffer, from: number, to: number): boolean {
  return new Set(bytes.subarray(from, to)).size >= 6;
}
