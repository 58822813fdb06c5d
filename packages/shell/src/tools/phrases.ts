/** Lines of programs with many commands that only read. Owns: the patterns. Pure. */
import type { Effect } from '@sluice/contract';
import { RE2JS } from 're2js';

/**
 * Programs of many commands: what of them only reads, as a whole line of literal arguments. An argument is taken for one
 * if it has no blank in it (`\S`); patterns list what may stand there, so that no option slips in that is not known.
 */
const WORDS = String.raw`(?: [\w@%+=:,./^~*{}-]+)`;
/** Names and paths, none of them an option. */
const NAMES = String.raw`(?: [\w@%+=:,./^~*{][\w@%+=:,./^~*{}-]*)`;
const OUTPUT = String.raw`(?: (?:-o|--output)(?: |=)?(?:wide|json|yaml|name|jsonpath=\S+|custom-columns=\S+|short|cat|short-iso)| -o(?:json|yaml|wide|name))`;
const SYSTEMD = String.raw`(?: (?:--no-pager|--all|-a|--failed|--full|-l|--plain|--no-legend|-q|--quiet|--user|--system|-p \w+|--property=[\w,]+|--type=\w+|-t \w+|--state=\w+|-n ?\d+|--lines=\d+|--value))`;
const KUBECTL = String.raw`(?: (?:-n|--namespace|-l|--selector|-c|--container|--context|--tail|--since|--sort-by|--field-selector)[ =][\w.,=/!:{}()\[\]-]+| (?:-A|--all-namespaces|-w|--watch|--no-headers|--show-labels|-f|--follow|--previous|-p|--timestamps|--all-containers)|${OUTPUT})`;
const DOCKER = String.raw`(?: (?:-a|--all|-q|--quiet|-s|--size|--no-trunc|-f|--follow|-t|--timestamps|--no-stream|--details)| (?:--filter|--format|-n|--tail|--since|--until|--last)[ =]\S+| -n\d+)`;
const JOURNAL = String.raw`(?: (?:--no-pager|-f|--follow|-r|--reverse|-x|-e|-k|--dmesg|-q|--quiet|-a|--all|-xe|-ex|--utc|--list-boots|--disk-usage|-b(?: ?-?\d+)?)| (?:-n|--lines|-u|--unit|-p|--priority|-S|--since|-U|--until|-g|--grep|-t|--identifier|--output|-o)[ =]?[^\s-]\S*| -u ?[\w@.-]+| -n ?\d+)`;

const READING: Readonly<Record<string, readonly RegExp[]>> = {
  systemctl: [
    /^$/,
    new RegExp(
      `^${SYSTEMD}*(?: (?:status|show|is-active|is-enabled|is-failed|list-units|list-unit-files|list-timers|list-sockets|list-dependencies|list-jobs|cat|get-default|is-system-running)(?:${SYSTEMD}|${NAMES})*)?$`,
    ),
  ],
  service: [/^ (?:--status-all|[\w@.-]+ status)$/],
  journalctl: [new RegExp(`^${JOURNAL}*$`)],
  docker: [
    new RegExp(
      `^ (?:container |image |volume |network )?(?:ps|images|ls|logs|stats|version|info|top|port|diff|history|events)(?:${DOCKER}|${NAMES})*$`,
    ),
    new RegExp(`^ compose(?: -f [\\w./-]+)?(?: -p [\\w-]+)? (?:ps|ls|logs|images|top|version)(?:${DOCKER}|${NAMES})*$`),
    new RegExp(`^ (?:system df|context ls)(?: -v)?$`),
  ],
  kubectl: [
    new RegExp(
      `^${KUBECTL}*(?: (?:get|describe|logs|top|version|api-resources|api-versions|explain|cluster-info|rollout status|rollout history|config get-contexts|config current-context)(?:${KUBECTL}|${NAMES})*)$`,
    ),
  ],
  helm: [new RegExp(`^ (?:list|ls|status|history|version)(?:${KUBECTL}|${NAMES})*$`)],
  ip: [
    /^(?: -(?:4|6|br|brief|s|o|j|d|c|color|json))*(?: (?:a|addr|address|r|ro|route|l|link|n|neigh|rule|maddr)(?: (?:show|list|ls|s)(?: (?:dev )?[\w.:/@-]+)*)?| route get [\w.:]+)$/,
  ],
  apt: [
    /^ (?:list|show|search|policy|depends|rdepends)(?: --(?:installed|upgradable|all-versions))*(?: [\w.+:*][\w.+:*-]*)*$/,
  ],
  'apt-cache': [/^ (?:policy|show|search|depends|rdepends|stats|pkgnames|madison)(?: [\w.+:*][\w.+:*-]*)*$/],
  'apt-mark': [/^ (?:showhold|showauto|showmanual)$/],
  rpm: [/^ -q[ailcdf]*(?: --(?:changelog|scripts|requires|provides))*(?: [\w.+:*/][\w.+:*/-]*)*$/],
  yum: [/^ (?:list|info|repolist|history)(?: (?:installed|available|updates))?(?: [\w.+:*][\w.+:*-]*)*$/],
  dnf: [/^ (?:list|info|repolist|history)(?: (?:installed|available|updates))?(?: [\w.+:*][\w.+:*-]*)*$/],
  snap: [/^ (?:list|info|version)(?: [\w.-]+)*$/],
  brew: [/^ (?:list|info|config|--prefix)(?: [\w.@-]+)*$/],
  pip: [/^ (?:list|freeze|show|check)(?: --(?:outdated|format=\w+))*(?: [\w.][\w.-]*)*$/],
  pip3: [/^ (?:list|freeze|show|check)(?: --(?:outdated|format=\w+))*(?: [\w.][\w.-]*)*$/],
  npm: [/^ (?:ls|list|-v|root|prefix)(?: (?:-g|--depth[= ]\d+|--all|--json))*(?: [\w.@/][\w.@/-]*)*$/],
  crontab: [/^ -l$/],
  history: [/^(?: \d+)?$/],
  ufw: [/^ status(?: verbose| numbered)?$/],
  iptables: [/^(?: -(?:n|v|nv|vn))* -(?:L|S|nL|vnL|nvL|Ln|Lnv|Lvn)(?: [A-Z]+)?(?: -(?:n|v|nv|vn)| --line-numbers)*$/],
  openssl: [
    /^ version(?: -a)?$/,
    /^ x509 -in [\w./-]+ -noout(?: -(?:text|dates|enddate|startdate|subject|issuer|fingerprint|serial))*$/,
    /^ x509(?: -(?:text|dates|enddate|subject|issuer))* -noout -in [\w./-]+$/,
  ],
  tar: [/^ -?(?:t|tf|tvf|tzf|tzvf|tjf|tJf|ztf|ztvf|tvzf)(?: [\w./@+][\w./@+-]*)+$/],
  unzip: [/^ -(?:l|v|Z1?) [\w./@+][\w./@+-]*$/],
  zipinfo: [/^ [\w./@+][\w./@+-]*$/],
  man: [/^ (?:-k|-f)(?: [\w+.:][\w+.:-]*)+$/],
  kill: [/^ -l(?: [\w]+)?$/, /^ -0 \d+$/],
  hash: [/^(?: -[lt])?(?: [\w.-]+)?$/],
  trap: [/^(?: -[lp])?$/],
  ps: [
    /^(?: (?:-?[AaxulfjdFNTwHrLMyZc1-9]+|aux\w{0,3}|-?e(?:f|l|fl|lf|o)?|axo|-eo|-o|-p|-u|-C|-U|-g|-t|--ppid|--sort|--no-headers|-[AaefFlLHwuxjTcyMZ]+|--forest|--user|[\w.,=%+:@][\w.,=%+:@-]*|--sort=[\w,+%-]+))*$/,
  ],
  set: [/^(?: [-+][eux]+| [-+][eux]*o (?:pipefail|errexit|nounset|xtrace|posix))+$/],
  busybox: [/^$/, /^ --(?:list|help)$/],
  mysqladmin: [/^ (?:ping|status|version)$/],
  pg_isready: [new RegExp(`^${WORDS}*$`)],
  terraform: [/^ (?:version|validate)$/],
  aws: [/^ --version$/],
  rabbitmqctl: [/^ (?:status|list_queues|list_connections|cluster_status)$/],
  'redis-cli': [/^ (?:ping|info(?: \w+)?|dbsize)$/i],
};

/** Whether a line of this program, its literal arguments each with a blank in front, only reads. */
export const readingPhrase = (name: string, line: string): boolean =>
  Object.hasOwn(READING, name) && (READING[name]?.some((pattern) => fits(pattern, line)) ?? false);

const linear = new Map<RegExp, RE2JS>();

/** In linear time (RE2): many of these have more than one way to read a line. */
function fits(pattern: RegExp, line: string): boolean {
  let compiled = linear.get(pattern);
  if (!compiled)
    linear.set(pattern, (compiled = RE2JS.compile(pattern.source, pattern.flags === 'i' ? RE2JS.CASE_INSENSITIVE : 0)));
  return compiled.matcher(line).find();
}

/** What else a reading line is: it shows secrets. */
export const secretPhrase = (name: string, line: string): boolean =>
  (name === 'kubectl' && /\bsecrets?\b|\bgetsecret|\/secrets/i.test(line)) ||
  (name === 'ps' && showsEnvironment(line)) ||
  (name === 'systemctl' && showsUnit(line));

/** Units have passwords in `Environment=`: `cat` prints all of a unit, and `show` too unless it is asked for certain properties. */
const showsUnit = (line: string): boolean =>
  / (?:cat|show)(?: |$)/.test(line) && (!/ (?:-p |--property=)\S/.test(line) || / cat(?: |$)|Environ/i.test(line));

/** `ps e`: an option without a dash, which is no value of the one before it. */
function showsEnvironment(line: string): boolean {
  const words = line.trim().split(' ');
  return words.some((word, at) => {
    const before = words[at - 1] ?? '';
    return /^[a-zA-Z]*e[a-zA-Z]*$/.test(word) && !/^-(?:-\w+|[a-zA-Z]*[opuCtUgGs])$|^[a-zA-Z]*o$/.test(before);
  });
}

type Changing = readonly [names: string, commands: string, effects: readonly Effect[]];

/** Commands of such programs that are known to change something; what is neither here nor above is unknown. */
const CHANGING: readonly Changing[] = [
  [
    'systemctl',
    'stop|kill|disable|mask|poweroff|reboot|halt|kexec|rescue|emergency|isolate|suspend|revert|clean',
    ['destroy', 'execute'],
  ],
  [
    'systemctl',
    'start|restart|reload|try-restart|reload-or-restart|daemon-reload|enable|unmask|reset-failed',
    ['execute'],
  ],
  [
    'docker podman',
    '(?:compose |container |image |volume |network |system )?(?:rm|rmi|prune|kill|stop|down)',
    ['destroy', 'execute'],
  ],
  ['docker podman', '(?:compose |container |image )?(?:start|restart|pull|pause|unpause)', ['execute', 'write']],
  ['kubectl', 'delete|drain|cordon|taint', ['destroy']],
  ['kubectl', 'scale|rollout (?:restart|undo)|label|annotate|autoscale|uncordon', ['write']],
  ['helm', 'uninstall|delete|rollback', ['destroy', 'execute']],
  [
    'apt apt-get yum dnf apk snap brew pip pip3 npm gem zypper',
    'remove|purge|autoremove|uninstall|erase|del|rm|clean|autoclean',
    ['destroy', 'execute'],
  ],
  [
    'apt apt-get yum dnf apk snap brew pip pip3 npm gem zypper',
    'install|upgrade|dist-upgrade|full-upgrade|update|add|reinstall|refresh|ci|i',
    ['write', 'execute', 'egress'],
  ],
  ['dpkg', '-r|-P|--remove|--purge', ['destroy', 'execute']],
  ['dpkg', '-i|--install', ['write', 'execute']],
  ['crontab', '-r', ['destroy']],
  ['iptables ip6tables nft ufw firewall-cmd', '.*', ['grant', 'destroy']],
  ['history', '-[cdwar].*', ['destroy']],
  ['redis-cli', '(?:flushall|flushdb|del|shutdown|FLUSHALL|FLUSHDB)', ['destroy']],
  ['ip', '(?:addr|address|a|link|l|route|r|rule) (?:add|del|delete|flush|set|change|replace)', ['write', 'grant']],
];

const FRONT = '^(?: (?:-y|--yes|-q|--now|--user|--no-pager|-f|--force|(?:-n|--namespace)[ =][\\w-]+))*';
const PATTERNS = CHANGING.map(
  ([names, commands, effects]) =>
    [new Set(names.split(' ')), new RegExp(`${FRONT} (?:${commands})(?: |$)`), effects] as const,
);

/** What a line of such a program changes; undefined when that is not known. */
export const changingPhrase = (name: string, line: string): readonly Effect[] | undefined =>
  PATTERNS.find(([names, pattern]) => names.has(name) && fits(pattern, line))?.[2] ??
  (name === 'service' ? SERVICE.find(([pattern]) => fits(pattern, line))?.[1] : undefined);

const SERVICE: readonly (readonly [RegExp, readonly Effect[]])[] = [
  [/^ [\w@.-]+ stop$/, ['destroy', 'execute']],
  [/^ [\w@.-]+ (?:start|restart|reload)$/, ['execute']],
];
