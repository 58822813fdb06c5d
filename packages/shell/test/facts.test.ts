import type { ExecCommand, Facts, ForwardCommand } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { analyzeShell } from '../src/index.js';

const exec = (text: string, more: Partial<ExecCommand> = {}): Facts =>
  analyzeShell({
    type: 'exec',
    id: 1,
    shell: 'bash',
    text,
    account: 'operator',
    environment: [],
    terminal: false,
    ...more,
  });
const verbs = (text: string): string[] => exec(text).actions.map(({ verb, depth }) => `${depth} ${verb}`);
const effects = (facts: Facts): string[] => [...new Set(facts.actions.flatMap((action) => action.effects))].sort();

describe('actions', () => {
  test('one for each simple command, in the order of the text, with its depth', () => {
    expect(verbs('ls; cat a | grep b && (df; free)')).toEqual(['0 ls', '0 cat', '0 grep', '0 df', '0 free']);
    expect(verbs('echo $(date; ls `pwd`)')).toEqual(['0 echo', '1 date', '1 ls', '2 pwd']);
    expect(verbs("timeout 5 sh -c 'ls | wc -l'")).toEqual(['0 timeout', '1 sh', '2 ls', '2 wc']);
    expect(verbs('find . -exec grep x {} +')).toEqual(['0 find', '1 grep']);
    expect(verbs('git status')).toEqual(['0 git status']);
    expect(verbs('/usr/bin/ls')).toEqual(['0 ls']);
    expect(verbs('# only a comment')).toEqual(['0 nothing']);
  });

  test('statements are those of the top', () => {
    const { actions, statements } = exec('ls; cat $(pwd)\ndf');
    expect(statements).toHaveLength(3);
    expect(actions.map(({ statement }) => statement)).toEqual([0, 1, 1, 2]);
  });

  test('files are named with what happens to them', () => {
    const [action] = exec('rm -rf /srv/a "b c"').actions;
    expect(action?.resources).toEqual([
      { type: 'program', name: 'rm', access: 'execute' },
      { type: 'file', name: '/srv/a', access: 'destroy' },
      { type: 'file', name: 'b c', access: 'destroy' },
    ]);
    expect(exec('echo x >> log 2> /dev/null').actions[0]?.resources).toContainEqual({
      type: 'file',
      name: 'log',
      access: 'write',
    });
    expect(exec('curl -s https://api.example:8443/x').actions[0]?.resources).toContainEqual({
      type: 'host',
      name: 'api.example',
      access: 'execute',
    });
  });

  test.each<[string, string[]]>([
    ['ls', ['read']],
    ['mkdir a', ['write']],
    ['rm a', ['destroy']],
    ['cp a b', ['destroy', 'write']],
    ['cp -n a b', ['write']],
    ['chmod 777 a', ['grant']],
    ['echo x >> ~/.ssh/authorized_keys', ['grant', 'read', 'write']],
    ['echo x >> ~/.bashrc', ['execute', 'read', 'write']],
    ['cat /etc/shadow', ['read', 'secret']],
    ['sudo ls', ['execute', 'read']],
    ['dig example.com', ['egress']],
    ['scp -t /tmp', ['destroy', 'transfer', 'write']],
    ['scp -t .ssh/authorized_keys', ['destroy', 'grant', 'secret', 'transfer', 'write']],
    ['scp -t .ssh', ['destroy', 'execute', 'grant', 'secret', 'transfer', 'write']],
    ['scp -t .', ['destroy', 'execute', 'grant', 'transfer', 'write']],
    ['scp -t .bashrc', ['destroy', 'execute', 'transfer', 'write']],
    ['scp -t /dev/sda', ['destroy', 'transfer', 'write']],
    ['scp -f /srv/app.log', ['read', 'transfer']],
    ['scp -f .env', ['read', 'secret', 'transfer']],
    ['scp -r -f .', ['read', 'secret', 'transfer']],
    ['scp -f ~/.ssh/id_*', ['read', 'secret', 'transfer']],
    ['cd .ssh && scp -f config.bak', ['read', 'secret', 'transfer']],
    ['rsync --server --sender -logDtpre.iLsfxC . /srv', ['read', 'transfer']],
    ['rsync --server --sender -logDtpre.iLsfxC . /etc/shadow', ['read', 'secret', 'transfer']],
    ['rsync --server --sender -logDtpre.iLsfxC . /etc', ['read', 'secret', 'transfer']],
    ['rsync --server --sender -logDtpre.iLsfxC . .', ['read', 'secret', 'transfer']],
    ['rsync --server --sender -logDtpre.iLsfxC .', ['read', 'transfer', 'unknown']],
    ['rsync --server --sender -slogDtpre.iLsfxC . /srv', ['read', 'transfer', 'unknown']],
    ['rsync --server -logDtpre.iLsfxC . .', ['destroy', 'execute', 'grant', 'transfer', 'write']],
    ['rsync --server -s', ['destroy', 'transfer', 'unknown', 'write']],
    ['rsync --server -logDtpre.iLsfxC . /srv', ['destroy', 'transfer', 'write']],
    ['rsync --server -logDtpre.iLsfxC . /etc/cron.d/', ['destroy', 'execute', 'transfer', 'write']],
    ['rsync --server -logDtpre.iLsfxC --backup-dir=/etc/cron.d . /srv', ['destroy', 'execute', 'transfer', 'write']],
    [
      'rsync --server -logDtpre.iLsfxC --size-only --copy-dest /srv/secrets . /srv',
      ['destroy', 'secret', 'transfer', 'write'],
    ],
    ['rsync --server -logDtpre.iLsfxC --temp-dir /srv/tmp . /srv', ['destroy', 'transfer', 'write']],
    ['rsync --server -logDtpre.iLsfxC --temp-dir /srv/tmp .', ['destroy', 'transfer', 'unknown', 'write']],
    ['rsync --server -logDtpre.iLsfxC --link-dest=.ssh . /srv', ['destroy', 'secret', 'transfer', 'write']],
    ['rsync --server -logDtpre.iLsfxC --link-dest=/etc . /srv', ['destroy', 'secret', 'transfer', 'write']],
    ['rsync --server -logDtpre.iLsfxC --link-dest=/srv/a . /srv', ['destroy', 'transfer', 'write']],
    ['rsync --server -logDtpre.iLsfxC --delete . /srv', ['destroy', 'transfer', 'write']],
    ["git-upload-pack '/srv/repo.git'", ['read', 'transfer']],
    ["git receive-pack '/srv/repo.git'", ['destroy', 'transfer', 'write']],
    ["git-receive-pack '/srv/repo.git'", ['destroy', 'transfer', 'write']],
    ['/usr/lib/openssh/sftp-server', ['execute', 'unknown']],
    ['sftp-server', ['destroy', 'read', 'secret', 'transfer', 'unknown', 'write']],
    ['rsync -a --delete a/ b/', ['destroy', 'egress', 'transfer', 'unknown', 'write']],
    ['rsync -a a/ host:b/', ['egress', 'transfer', 'unknown']],
    ['scp host:x .bashrc', ['destroy', 'egress', 'execute', 'transfer', 'unknown', 'write']],
    ['git push', ['egress', 'transfer']],
    ['git push -u origin main', ['egress', 'transfer']],
    ['git push --force origin main', ['destroy', 'egress', 'transfer']],
    ['git push -qf origin main', ['destroy', 'egress', 'transfer']],
    ['git push origin +main', ['destroy', 'egress', 'transfer']],
    ['git push origin :main', ['destroy', 'egress', 'transfer']],
    ['git push origin --delete main', ['destroy', 'egress', 'transfer']],
    ['git push --mirror', ['destroy', 'egress', 'transfer']],
    ['git push --prune origin', ['destroy', 'egress', 'transfer']],
    ['curl -o f http://x', ['destroy', 'egress', 'unknown', 'write']],
    ['curl -sSLo f http://x', ['destroy', 'egress', 'unknown', 'write']],
    ['curl -fsSLO http://x/f', ['destroy', 'egress', 'unknown', 'write']],
    ['curl --output .bashrc http://x', ['destroy', 'egress', 'execute', 'unknown', 'write']],
    ['curl -c jar http://x', ['destroy', 'egress', 'unknown', 'write']],
    ['curl -so /dev/null http://x', ['egress', 'unknown']],
    ['curl http://x', ['egress', 'unknown']],
    ['wget http://x/f', ['egress', 'unknown', 'write']],
    ['wget -q http://x/f -o log', ['destroy', 'egress', 'unknown', 'write']],
    ['wget -O f http://x', ['destroy', 'egress', 'unknown', 'write']],
    ['wget -qO- http://x', ['egress', 'unknown']],
    ['wget -qO - http://x', ['egress', 'unknown']],
    ['wget --spider http://x', ['egress', 'unknown']],
    ['wget -r http://x', ['destroy', 'egress', 'unknown', 'write']],
    ['cat /etc/wireguard/wg0.conf', ['read', 'secret']],
    ['cat wg0.conf', ['read', 'secret']],
    ['cat config/prod.env', ['read', 'secret']],
    ['cat example.env', ['read']],
    ['grep -n process.env server.js', ['read']],
    ['git config --get-all http.extraheader', ['read', 'secret']],
    ['git -C /srv config --list', ['read', 'secret']],
    ['git config --get user.name', ['read']],
    ['systemctl show nginx', ['read', 'secret']],
    ['systemctl show nginx -p Environment', ['read', 'secret']],
    ['systemctl show nginx -p MainPID', ['read']],
    ['systemctl cat nginx', ['read', 'secret']],
    ['node -v', ['read']],
    ['java -version', ['read']],
    ['perl -v', ['read']],
    ['php -v', ['read']],
    ['go version', ['read']],
    ['bash --version', ['read']],
    ['man -k passwd', ['read']],
    ['systemctl stop nginx', ['destroy', 'execute']],
    ['frobnicate', ['execute', 'unknown']],
  ])('%s: %j', (text, expected) => {
    expect(effects(exec(text))).toEqual(expected);
  });
});

describe('what cannot be followed', () => {
  test.each([
    ['a shell that is not known', exec('ls', { shell: 'opaque' })],
    ['a text that does not parse', exec('if true; then')],
    ['a zero byte', exec('ls\0rm x')],
    ['a carriage return', exec('ls\r')],
    ['bytes that are no text', exec('ls \ufffd')],
  ])('%s is opaque', (_, facts) => {
    expect(facts.confidence).toBe('opaque');
    expect(facts.actions).toHaveLength(1);
    expect(facts.actions[0]).toMatchObject({ effects: ['unknown'] });
    expect(facts.actions[0]?.reasons[0]).not.toBe('');
  });

  test('sh reads what bash reads otherwise', () => {
    for (const text of [
      'ls {a,b}',
      "ls $'a'",
      'cat <<< x',
      'diff <(ls) x',
      '[[ -f x ]]',
      'ls &> x',
      'echo ${x/a/b}',
      'a=(1 2)',
      'time ls | cat',
    ]) {
      expect(effects(exec(text, { shell: 'sh' })), text).toContain('unknown');
    }
  });

  test('a terminal lets pagers take orders', () => {
    for (const text of ['less x', 'git log', 'systemctl status', 'journalctl -u x', 'top']) {
      expect(effects(exec(text)), text).toEqual(['read']);
      expect(effects(exec(text, { terminal: true })), text).toContain('unknown');
    }
    expect(effects(exec('git log | cat', { terminal: true }))).toEqual(['read']);
    expect(effects(exec('git --no-pager log', { terminal: true }))).toEqual(['read']);
  });

  test('variables that were set beforehand count', () => {
    const set = (name: string, value = 'x'): string[] => effects(exec('ls', { environment: [[name, value]] }));
    for (const name of [
      'LD_PRELOAD',
      'BASH_ENV',
      'ENV',
      'PATH',
      'IFS',
      'PS4',
      'PAGER',
      'GIT_SSH_COMMAND',
      'http_proxy',
      'FOO',
    ])
      expect(set(name), name).toContain('unknown');
    expect(set('LANG', 'de_DE.UTF-8')).toEqual(['read']);
    expect(set('LC_ALL', 'C')).toEqual(['read']);
    expect(set('LC_ALL', '/tmp/evil')).toContain('unknown');
  });
});

describe('the rest of a connection', () => {
  const forward = (more: Partial<ForwardCommand>): Facts =>
    analyzeShell({ type: 'forward', id: 1, kind: 'local', text: 'x', account: 'operator', ...more });

  test('sftp can do anything to files; other subsystems are unknown', () => {
    expect(effects(analyzeShell({ type: 'subsystem', id: 1, text: 'sftp', account: 'a' }))).toEqual([
      'destroy',
      'read',
      'secret',
      'transfer',
      'unknown',
      'write',
    ]);
    expect(effects(analyzeShell({ type: 'subsystem', id: 1, text: 'netconf', account: 'a' }))).toEqual([
      'execute',
      'unknown',
    ]);
  });

  test('a shell is unknown until a rule says otherwise, and a line in it is observed', () => {
    const shell = { type: 'shell', id: 1, shell: 'bash', account: 'a', environment: [], terminal: true } as const;
    const opened = analyzeShell({ ...shell, text: '' });
    expect(opened).toMatchObject({
      confidence: 'observed',
      actions: [{ verb: 'shell', effects: ['execute', 'unknown'] }],
    });
    const line = analyzeShell({ ...shell, text: 'rm x' });
    expect(line).toMatchObject({ confidence: 'observed', actions: [{ verb: 'rm', effects: ['destroy'] }] });
  });

  test.each<[Partial<ForwardCommand>, string, string[]]>([
    [{ kind: 'local', host: 'db', port: 5432 }, 'forward:local', ['egress', 'unknown']],
    [{ kind: 'remote', host: '', port: 8080 }, 'forward:remote', ['egress', 'unknown']],
    [{ kind: 'stream-local', path: '/var/run/docker.sock' }, 'forward:stream-local', ['execute', 'unknown']],
    [{ kind: 'agent' }, 'forward:agent', ['secret', 'unknown']],
    [{ kind: 'x11' }, 'forward:x11', ['execute', 'unknown']],
    [{ kind: 'environment', path: 'LD_PRELOAD' }, 'forward:environment', ['session', 'unknown']],
    [{ kind: 'environment', path: 'LC_ALL' }, 'forward:environment', ['session']],
  ])('%j', (more, verb, expected) => {
    const facts = forward(more);
    expect(facts.actions[0]?.verb).toBe(verb);
    expect(effects(facts)).toEqual(expected);
  });

  test('where a forwarding leads is a resource', () => {
    expect(forward({ host: 'db', port: 5432 }).actions[0]?.resources).toEqual([
      { type: 'host', name: 'db:5432', access: 'execute' },
    ]);
    expect(forward({ kind: 'stream-local', path: '/run/x' }).actions[0]?.resources).toEqual([
      { type: 'file', name: '/run/x', access: 'write' },
    ]);
  });
});
