/** The table of programs that only read, with the options that keep them so. Pure. */
import { type OptionTable, optionsOf } from '../options.js';

/** A program that only reads, with the options that keep it so. */
export interface ToolReader {
  /** Absent: none of its options can do more than read. */
  readonly options?: OptionTable;
  /** 'contents': it prints what is in the files that it is given. 'names': no more than what there is about them. */
  readonly shows: 'contents' | 'names';
  /** More operands than this would be something else, such as a file to write. */
  readonly operands?: number;
  /** What each operand has to be. */
  readonly operand?: RegExp;
}

const READERS = new Map<string, ToolReader>();
const add = (names: string, reader: ToolReader): void => {
  for (const name of names.split(' ')) READERS.set(name, reader);
};
const options = optionsOf;

export const reader = (name: string): ToolReader | undefined => READERS.get(name);

// Of these no option writes, runs or connects (coreutils 9, util-linux 2.38, procps 4, busybox 1.36).
add('cat head tail nl tac rev cut fold expand unexpand fmt paste join comm od hexdump hd cmp diff', {
  shows: 'contents',
});
add('grep egrep fgrep', { shows: 'contents' });
add('base64 base32 md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum tsort', {
  shows: 'contents',
});
add('ls dir vdir stat df du readlink realpath basename dirname pathchk wc echo true false : sleep seq expr', {
  shows: 'names',
});
add('id whoami groups users who w uptime uname arch nproc free vmstat pidof pstree tty logname hostid locale', {
  shows: 'names',
});
add('which whereis type lsblk lscpu lsmod findmnt factor numfmt cal pwd cd pushd popd dirs netstat pgrep last', {
  shows: 'names',
});
add('tr', { shows: 'names' });
add('wait', { shows: 'names', options: options('n') });
add('jobs', { shows: 'names', operands: 0, options: options('lnprs') });
add('exit return break continue times logout', { shows: 'names' });

// Those with options that write or run something, and what is left without them.
add('sort', {
  shows: 'contents',
  options: options(
    'bdfghiMnRrVcCmk:t:uzsS: --reverse --numeric-sort --human-numeric-sort --unique --key= --field-separator= --stable --version-sort --general-numeric-sort --ignore-case --month-sort --check --zero-terminated',
  ),
});
add('uniq', {
  shows: 'contents',
  operands: 1,
  options: options('cdDif:s:uw:z --count --repeated --unique --ignore-case'),
});
add('column', { shows: 'contents', options: options('tes:o:c:xnN:R:H:JL --table --separator= --output-separator=') });
add('xxd', { shows: 'contents', operands: 1, options: options('bpuaeEic:g:l:s:') });
add('strings', { shows: 'contents', options: options('an:t:e:f --bytes= --radix= --all') });
add('file', { shows: 'names', options: options('bikLhNrs0 --brief --mime --mime-type --mime-encoding --dereference') });
add('tree', { shows: 'names', options: options('adfilphsugDFxL:P:I: --dirsfirst --noreport --du --si -J') });
add('date', {
  shows: 'names',
  operand: /^\+/,
  options: options('ud:r:RI:: --utc --date= --iso-8601 --rfc-3339= --reference= --universal --rfc-email'),
});
add('hostname', {
  shows: 'names',
  operands: 0,
  options: options('fsidIyA --fqdn --short --ip-address --all-ip-addresses --domain --long'),
});
add('shuf', { shows: 'contents', options: options('en:i:rz --head-count= --input-range= --echo') });
add('zcat bzcat xzcat zstdcat', { shows: 'contents', options: options('cd') });
add('lsof', { shows: 'names', options: options('i::nPp:u:c:at+ltd:') });
add('ss', {
  shows: 'names',
  options: options(
    'nltuapeomisxwr460H --numeric --listening --tcp --udp --all --processes --summary --extended --ipv4 --ipv6 --no-header --unix',
  ),
});
add('top', { shows: 'names', options: options('bn:d:p:u:o:ciHw::1E:e:S') });
add('iostat mpstat pidstat', { shows: 'names', operand: /^\d+$/, options: options('xdkmtzhycuprP:N') });
add('dmesg', {
  shows: 'names',
  operands: 0,
  options: options(
    'THkLxlf:wWtLr --human --ctime --level= --facility= --kernel --follow --notime --decode --nopager --color=',
  ),
});
add('lspci', { shows: 'names', options: options('vnktmD') });
add('lsusb', { shows: 'names', options: options('vt') });
add('getconf', { shows: 'names', options: options('a') });
add('umask', { shows: 'names', operands: 0, options: options('S') });
add('ulimit', { shows: 'names', operands: 0, options: options('aSHcdefilmnpqrstuvx') });
add('mount', { shows: 'names', operands: 0, options: options('l') });
add('ifconfig', { shows: 'names', operands: 1, operand: /^[a-z][\w.:]*$/, options: options('as') });
add('arp', { shows: 'names', operands: 0, options: options('anev') });
add('route', { shows: 'names', operands: 0, options: options('nev') });
add('sysctl', { shows: 'names', operand: /^[^=]*$/, options: options('aneN --all') });
add('getent', { shows: 'contents', operand: /^(?!.*shadow)/, options: options('') });
add('hostnamectl timedatectl loginctl localectl', {
  shows: 'names',
  operand: /^(?:status|list-\w+|show)$/,
  options: options(' --no-pager'),
});
add('nginx apachectl httpd', { shows: 'names', operands: 0, options: options('vV') });
add('nvidia-smi', { shows: 'names', operands: 0, options: options('Lq') });
add('tput', { shows: 'names', operand: /^(?:cols|lines|bold|sgr0|setaf|\d+)$/, options: options('') });
add('dpkg', {
  shows: 'names',
  options: options('lLsS --list --status --listfiles --search --get-selections --print-architecture'),
});
add('dpkg-query', { shows: 'names', options: options('WlLsSf: --show --list --showformat=') });

/** Programs of which only the version may be asked. */
const VERSIONED = new Set(
  'python python3 python2 node npm npx yarn pnpm java javac ruby gem perl php go rustc cargo gcc g++ clang make cmake docker kubectl helm terraform ansible psql mysql redis-cli redis-server postgres nginx curl wget tar rsync ssh vim nano bash sh zsh dash gawk mawk awk sed jq yq openssl systemctl podman aws gcloud az'.split(
    ' ',
  ),
);

/** `python3 --version`, and nothing beside it. */
export const asksVersion = (name: string, values: readonly string[]): boolean =>
  values.length === 1 &&
  VERSIONED.has(name) &&
  (VERSION.has(values[0] as string) || VERSION_BY_NAME.get(name) === values[0]) &&
  !(values[0] === '-V' && name === 'wget');
const VERSION = new Set(['--version', '-V']);
/** Those that ask in words of their own. */
const VERSION_BY_NAME = new Map([
  ['node', '-v'],
  ['npm', '-v'],
  ['java', '-version'],
  ['javac', '-version'],
  ['perl', '-v'],
  ['php', '-v'],
  ['ruby', '-v'],
  ['go', 'version'],
]);
