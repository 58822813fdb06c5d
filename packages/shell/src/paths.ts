/** Which paths are secret, and what writing to one grants. Owns: the lists. Pure. */
import type { Effect } from '@sluice/contract';

/** What the name of a file says about it, wherever it is: `/etc/x/../shadow` and `shadow` behind a `cd` are the same one. */

/** Files whose contents let one in somewhere, by their last part. */
const SECRET_NAMES =
  /^(?:g?shadow-?|sudoers|master\.passwd|[^/]*id_(?:rsa|dsa|ecdsa|ed25519)[^/]*|identity|[^/]*\.env(?:\.[\w.-]+)?|wg[\w-]*\.conf|\.?credentials(?:\.\w+)?|\.netrc|_netrc|\.pgpass|\.my\.cnf|\.git-credentials|\.htpasswd|\.dockercfg|\.npmrc|\.pypirc|\.vault-token|kubeconfig|admin\.conf|kubelet\.conf|environ|kcore|k?mem|[^/]*_history|secrets?(?:\.\w+)?|[^/]*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|ovpn|asc)|krb5\.keytab|[^/]*\.keytab|authorized_keys2?|ssh_host_\w+_key|wp-config\.php|\.?s3cfg|\.boto|terraform\.tfstate|.*\.tfvars|opasswd)$/i;
/** Folders of which that holds. */
const SECRET_FOLDERS =
  /(?:^|\/)(?:\.ssh|\.gnupg|\.aws|\.azure|\.kube|\.docker|\.password-store|\.config\/(?:gcloud|gh|rclone|op)|sudoers\.d|wireguard|run\/secrets|private|secrets?)(?:\/|$)/i;
/** Not secret although they look like it. */
const PUBLIC =
  /(?:\.pub|known_hosts(?:\.old)?|\.ssh\/config|secrets?\.(?:md|py|ts|js|go|rs|java)|\.env\.(?:example|sample|template|dist)|(?:example|sample|template|process|meta|deno)\.env)$/i;
/** Names to try a pattern on. */
const EXAMPLES = [
  'shadow',
  'gshadow',
  'sudoers',
  'id_rsa',
  'id_ed25519',
  'id_ecdsa',
  'id_dsa',
  '.env',
  'prod.env',
  'wg0.conf',
  '.netrc',
  '.pgpass',
  '.npmrc',
  'credentials',
  '.git-credentials',
  '.bash_history',
  'environ',
  'server.key',
  'key.pem',
  'authorized_keys',
  '.vault-token',
  'secrets',
  'kubeconfig',
];
const FOLDER_EXAMPLES = ['.ssh', '.gnupg', '.aws', '.kube', '.docker', 'secrets', 'private'];

/** Whether a path, or a pattern of paths, names something secret. Folders that were changed to are tried in front of it. */
export function isSecret(path: string, glob: boolean, folders: readonly string[] = []): boolean {
  const clean = path.replaceAll(/\/+/g, '/').replaceAll(/\/(?:\.\/)+/g, '/');
  if (!clean.startsWith('/') && !clean.startsWith('~') && folders.some((folder) => SECRET_FOLDERS.test(folder)))
    return !PUBLIC.test(clean);
  if (PUBLIC.test(clean)) return false;
  const parts = clean.replace(/\/$/, '').split('/');
  const last = parts.at(-1) ?? '';
  if (!glob) return SECRET_NAMES.test(last) || SECRET_FOLDERS.test(clean);
  if (SECRET_FOLDERS.test(clean)) return true;
  if (parts.slice(0, -1).some((part) => hasWildcard(part) && FOLDER_EXAMPLES.some((name) => fits(part, name))))
    return true;
  // A pattern that fits everything is not about these; one with something of a name in it may be.
  if (/^\*?(?:\.\*)?$/.test(last) && !/^\/etc\/?$/.test(parts.slice(0, -1).join('/'))) return false;
  return EXAMPLES.some((name) => fits(last, name)) && !/^\*\.(?:log|txt|json|ya?ml|conf|md|gz)\*?$/.test(last);
}

const hasWildcard = (part: string): boolean => /[*?[]/.test(part);

/** Whether a pattern of a shell can stand for a name (POSIX section 2.13; brackets are taken for any character). */
function fits(pattern: string, name: string): boolean {
  if (pattern.length > 100) return true;
  // `*` does not reach over a leading dot.
  if (name.startsWith('.') && /^[*?[]/.test(pattern)) return false;
  const tokens = pattern.match(/\*+|\[[^\]]*\]|./gs) ?? [];
  let places = new Set([0]);
  for (const token of tokens) {
    const next = new Set<number>();
    for (const at of places) {
      if (token.startsWith('*')) for (let to = at; to <= name.length; to++) next.add(to);
      else if (at < name.length && (token === '?' || token.startsWith('[') || token === name[at])) next.add(at + 1);
    }
    places = next;
  }
  return places.has(name.length);
}

/**
 * Folders of which all that is in them, read file by file, is certain to show something secret. Where a login starts, in the home
 * of its account, it does; `folders` are those that the text changes to first.
 */
export function holdsSecrets(path: string, folders: readonly string[] = []): boolean {
  const clean = withoutEnd(path.replace(/(?:^|\/)\*$/, ''));
  if (/^(?:|\.|\.\/?|\*)$/.test(clean) && !path.startsWith('/'))
    return folders.every((folder) => folder !== path && holdsSecrets(folder));
  return /^(?:\/|\/etc|\/root|\/home(?:\/[^/]+)?|\/proc(?:\/[^/]+)?|\/var\/run|\/run|\/var|\/Users(?:\/[^/]+)?|~[^/]*|\.\.(?:\/\.\.)*)?$/.test(
    clean,
  );
}

/** Without slashes, and dots that name the same folder, at its end. By hand: a pattern would begin anew at each slash of a long run. */
function withoutEnd(path: string): string {
  let end = path.length;
  for (;;) {
    if (path[end - 1] === '/') end--;
    else if (path[end - 1] === '.' && path[end - 2] === '/') end -= 2;
    else break;
  }
  return end === 0 && path !== '' ? '/' : path.slice(0, end);
}

/** The argument itself, what stands behind its `=`, and behind an option's letter; behind a colon, as git has it. */
export const pathsIn = (text: string): string[] => [
  text,
  ...(text.includes('=') ? [text.slice(text.indexOf('=') + 1)] : []),
  ...(/^-[^-]./.test(text) ? [text.slice(2)] : []),
  ...(/^[^/]*:/.test(text) ? [text.slice(text.indexOf(':') + 1)] : []),
];

const GRANTING =
  /(?:^|\/)(?:authorized_keys2?|sudoers|sudoers\.d\/.*|passwd|group|g?shadow|sshd_config|sshd_config\.d\/.*|\.rhosts|\.shosts|hosts\.equiv|pam\.d\/.*|\.k5login|polkit-1\/.*)$/;
const RUNNING =
  /(?:^|\/)(?:\.(?:bash|zsh|k?sh|mksh)?(?:rc|profile|_profile|env|_login|_logout|_aliases)|\.(?:z|bash_)(?:login|logout)|\.vimrc|\.exrc|\.gitconfig|\.inputrc|\.tmux\.conf|\.screenrc|\.gdbinit|\.forward|\.procmailrc|\.xinitrc|\.xsession|\.ssh\/(?:rc|config|environment)|profile|bash\.bashrc|environment|crontab|rc\.local|ld\.so\.(?:preload|conf)|inittab)$|(?:^|\/)(?:profile\.d|cron\.[\w]+|cron|anacron|init\.d|systemd|autostart|hooks|ld\.so\.conf\.d|update-motd\.d|bin|sbin|\.local\/bin|\.git|modprobe\.d|udev|dbus-1)(?:\/|$)/;
const DEVICE = /^\/(?:dev|proc|sys|boot)\//;
/** Where writing changes nothing. */
const HARMLESS = /^\/dev\/(?:null|zero|full|stdout|stderr|tty|fd\/\d+)$/;

/** What it is to write to a file of that name. `over`: what was there is lost. */
export function writing(path: string, over: boolean, folders: readonly string[] = []): readonly Effect[] {
  if (HARMLESS.test(path)) return [];
  if (/^\/dev\/(?:tcp|udp)\//.test(path)) return ['egress', 'unknown'];
  const names =
    path.startsWith('/') || path.startsWith('~') ? [path] : [path, ...folders.map((one) => `${one}/${path}`)];
  const effects = new Set<Effect>(['write']);
  if (over || names.some((name) => DEVICE.test(name))) effects.add('destroy');
  if (names.some((name) => GRANTING.test(name))) effects.add('grant');
  if (names.some((name) => RUNNING.test(name))) effects.add('execute');
  return [...effects];
}
