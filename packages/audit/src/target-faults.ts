/**
 * What is wrong with a target, of the words in which a connection to it failed, and what whoever runs the gateway can do. Does not:
 * decide anything: a reason that nobody foresaw is passed on as it is.
 */

/** A kind of fault, for the log and for a metric. */
export type TargetFault = keyof typeof ADVICE;

const ADVICE = {
  agent: 'See "sluice agents ls": is that agent running, and does its own allow-list name the target?',
  'unknown-host': 'Look at target.host in the configuration, and whether this machine can resolve that name.',
  down: 'Is the target running, and does a firewall let the gateway through? Look at target.host and target.port.',
  slow: 'The target, or a firewall before it, takes the connection and says nothing in time.',
  'no-tls': 'Switch TLS on at the target; "tls: disable" in the target sends everything in the clear.',
  certificate:
    'Give target.ca the authority that signed the certificate of the target, and its own name as target.host.',
  'host-key': 'If the key of the host was changed on purpose, put the new one into target.host_keys.',
  login:
    'Look at the credential of the connection: its user, its password, and whether that user may log in from here.',
  database: 'Look at target.database: the target has none of this name, or this user may not use it.',
  full: 'The target has no room for another connection: raise its limit, or give the gateway one of its own.',
  other: 'The reason is what the target, or the way to it, said.',
} as const;

/** The first that fits counts. Linear: words side by side, without repetition. */
const SIGNS: readonly (readonly [TargetFault, RegExp])[] = [
  ['agent', /\bagent "/],
  ['unknown-host', /ENOTFOUND|EAI_AGAIN|cannot resolve/],
  ['down', /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENOENT|starting up|shutting down/],
  ['slow', /no answer in|did not answer|ETIMEDOUT|takes too long|took too long/],
  ['no-tls', /not speak TLS|no TLS|has no TLS|wrong version number/],
  ['host-key', /host key/i],
  ['certificate', /certificate|CERT_|self-signed|altname/i],
  ['database', /database .* does not exist|Unknown database|permission denied for database|to database/],
  ['full', /too many (?:clients|connections)|connection slots|Too many connections/i],
  [
    'login',
    /password|authentication|Access denied|pg_hba|does not accept the login|credential|role .* does not exist/i,
  ],
];

export const faultOf = (reason: string): TargetFault => SIGNS.find(([, sign]) => sign.test(reason))?.[0] ?? 'other';

/** What to do about it, in a sentence. */
export const adviceOn = (fault: TargetFault): string => ADVICE[fault];
