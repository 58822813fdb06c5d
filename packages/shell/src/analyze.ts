/**
 * A request of an SSH client to facts. Owns: what is said of terminals, subsystems and forwardings. Does not: walk a command
 * line (walk.ts). Pure.
 */
import type { Action, ExecCommand, Facts, ForwardCommand, ShellCommand, SubsystemCommand } from '@sluice/contract';
import { ActionDraft } from './setting.js';
import { Untold } from './syntax.js';
import { SFTP_EFFECTS, SFTP_UNKNOWN } from './transfers.js';
import { suspicious } from './variables.js';
import { Walk } from './walk.js';

/**
 * What a request of an SSH client would do, as far as its text says it. Pure and bounded; never throws.
 *
 * A text that the grammar cannot follow to its end is `opaque` as a whole: one action, unknown, with the reason. Names of
 * programs are taken for what they are on a host that nobody has tampered with.
 */
export function analyzeShell(command: ExecCommand | ShellCommand | SubsystemCommand | ForwardCommand): Facts {
  switch (command.type) {
    case 'exec':
      return ofText(command, 'parsed');
    case 'shell':
      return command.text === '' ? terminal(command) : ofText(command, 'observed');
    case 'subsystem':
      return ofSubsystem(command.text);
    default:
      return ofForward(command);
  }
}

function ofText(command: ExecCommand | ShellCommand, confidence: 'parsed' | 'observed'): Facts {
  const { shell, text, environment } = command;
  if (shell === 'opaque') return opaque('is for a shell that is not declared as sh or bash, so it cannot be read');
  const walk = new Walk(environment, command.terminal);
  try {
    walk.text(text, shell);
  } catch (error) {
    return opaque(error instanceof Untold ? error.message : 'could not be analysed');
  }
  const set = environmentAction(environment);
  const actions = set ? [set, ...walk.actions] : walk.actions;
  if (actions.length === 0) actions.push(new ActionDraft('nothing').action(0, 0));
  return facts(actions, confidence, Math.max(1, walk.statements));
}

const facts = (actions: readonly Action[], confidence: Facts['confidence'], statements = 1): Facts => ({
  actions,
  confidence,
  statements: Array.from({ length: statements }, () => ({ type: 'none' as const })),
});

const opaque = (reason: string): Facts => facts([new ActionDraft('command').unknown(reason).action(0, 0)], 'opaque');

/** Variables that were set for it beforehand. */
function environmentAction(environment: readonly (readonly [name: string, value: string])[]): Action | undefined {
  const draft = new ActionDraft('environment');
  for (const [name, value] of environment) {
    const reason = suspicious(name, value);
    if (reason !== undefined) draft.unknown(reason).resource('setting', name, 'write');
  }
  return draft.empty ? undefined : draft.action(0, 0);
}

function terminal({ environment }: ShellCommand): Facts {
  const set = environmentAction(environment);
  const shell = new ActionDraft('shell')
    .effect('execute')
    .unknown('runs whatever is typed into it, which cannot be judged beforehand')
    .action(0, 0);
  return facts(set ? [set, shell] : [shell], 'observed');
}

function ofSubsystem(name: string): Facts {
  if (name === 'sftp')
    return facts(
      [
        new ActionDraft('subsystem:sftp')
          .effect(...SFTP_EFFECTS)
          .unknown(SFTP_UNKNOWN)
          .action(0, 0),
      ],
      'exact',
    );
  const draft = new ActionDraft(`subsystem:${name}`).effect('execute').resource('program', name, 'execute');
  return facts([draft.unknown('is not known here').action(0, 0)], 'exact');
}

/** What is beside the commands of a connection is off until a rule lets it through. */
function ofForward({ kind, host, port, path }: ForwardCommand): Facts {
  const draft = new ActionDraft(`forward:${kind}`);
  if (host !== undefined) draft.resource('host', port === undefined ? host : `${host}:${port}`, 'execute');
  if (kind === 'environment') {
    const name = path ?? '';
    draft.effect('session').resource('setting', name, 'write');
    if (!/^(?:LANG|LC_[A-Z]+)$/.test(name)) draft.unknown(WHY.environment);
    return facts([draft.action(0, 0)], 'exact');
  }
  if (path !== undefined) draft.resource('file', path, 'write');
  const effects = {
    local: ['egress'],
    remote: ['egress'],
    'stream-local': ['execute'],
    'remote-stream-local': ['execute'],
    agent: ['secret'],
    x11: ['execute'],
  } as const;
  return facts(
    [
      draft
        .effect(...effects[kind])
        .unknown(WHY[kind])
        .action(0, 0),
    ],
    'exact',
  );
}

/** Behind "This forward:local", with what helps those whose tools do it without being asked. */
const WHY: Readonly<Record<ForwardCommand['kind'], string>> = {
  local:
    'leads to other machines past the gateway, and needs a rule (ProxyJump, ssh -L, -D and -W, VS Code Remote use it)',
  remote: 'lets others in by the target, and needs a rule (ssh -R)',
  'stream-local': 'leads to a socket of the target, and needs a rule (ssh -L with a path)',
  'remote-stream-local': 'has the target listen at a socket, and needs a rule (ssh -R with a path)',
  agent: 'would let the target use your keys, and needs a rule (ssh -A, ForwardAgent)',
  x11: 'would let the target use your screen, and needs a rule (ssh -X, ForwardX11)',
  environment: 'sets a variable that could change what commands do, and needs a rule (SendEnv, SetEnv)',
};
