import type {
  Action,
  Command,
  Effect,
  ExecCommand,
  Facts,
  ForwardCommand,
  Resource,
  ShellCommand,
  SqlCommand,
  SubsystemCommand,
} from '@sluice/contract';

/** What a command that is not SQL would do, as far as its words alone say it. What is not said is unknown. */
export function factsOf(command: Exclude<Command, SqlCommand>): Facts {
  switch (command.type) {
    case 'exec':
      return ofExec(command);
    case 'shell':
      return ofShell(command);
    case 'subsystem':
      return ofSubsystem(command);
    case 'forward':
      return ofForward(command);
    default:
      return facts('opaque', [action(command.verb, ['unknown'], [], ['is of a protocol that has no analysis'])]);
  }
}

/** What the clients of scp, rsync and git have their host run. Nothing in these texts can mean more to a shell. */
const TRANSFERS: readonly (readonly [RegExp, 'read' | 'write'])[] = [
  [/^scp (?:-[dprvqC]+ )*-f [\w./@:=,+ ~-]+$/, 'read'],
  [/^scp (?:-[dprvqC]+ )*-t [\w./@:=,+ ~-]+$/, 'write'],
  [/^rsync --server --sender [\w./@:=,+ ~-]+$/, 'read'],
  [/^rsync --server (?!--sender)[\w./@:=,+ ~-]+$/, 'write'],
  [/^git[ -]upload-(?:pack|archive) '[\w./@:=,+ ~-]+'$/, 'read'],
  [/^git[ -]receive-pack '[\w./@:=,+ ~-]+'$/, 'write'],
];

function ofExec({ text, account }: ExecCommand): Facts {
  const [verb = ''] = text.trim().split(/\s+/);
  const program = verb.slice(0, 200);
  const resources: Resource[] = [{ type: 'program', name: program, access: 'execute' }, role(account)];
  const transfer = TRANSFERS.find(([pattern]) => pattern.test(text));
  if (transfer) return facts('parsed', [action(program, ['transfer', transfer[1]], resources, [])]);
  return facts('opaque', [
    action(program, ['execute', 'unknown'], resources, ['runs something that the gateway cannot look into']),
  ]);
}

function ofShell({ text, account }: ShellCommand): Facts {
  if (text === '') {
    const why = 'runs whatever is typed into it';
    return facts('opaque', [action('shell', ['execute', 'unknown'], [role(account)], [why])]);
  }
  const [verb = ''] = text.split(/\s+/);
  const program: Resource = { type: 'program', name: verb.slice(0, 200), access: 'execute' };
  return facts('observed', [
    action(program.name, ['execute', 'unknown'], [program, role(account)], ['was read off a screen']),
  ]);
}

function ofSubsystem({ text, account }: SubsystemCommand): Facts {
  const resources = [role(account)];
  if (text === 'sftp') return facts('exact', [action('sftp', ['transfer', 'read', 'write'], resources, [])]);
  return facts('opaque', [action(`subsystem:${text}`, ['unknown'], resources, ['is a subsystem that is not known'])]);
}

function ofForward({ kind, host, port, path, account }: ForwardCommand): Facts {
  const resources: Resource[] = [role(account)];
  if (host !== undefined) resources.push({ type: 'host', name: `${host}:${port ?? 0}`, access: 'execute' });
  if (path !== undefined && kind !== 'environment') resources.push({ type: 'file', name: path, access: 'execute' });
  if (kind === 'environment') resources.push({ type: 'setting', name: path ?? '', access: 'write' });
  return facts('exact', [action(`forward:${kind}`, [EFFECT[kind], 'unknown'], resources, [WHY[kind]])]);
}

const EFFECT: Readonly<Record<ForwardCommand['kind'], Effect>> = {
  local: 'egress',
  remote: 'egress',
  'stream-local': 'egress',
  'remote-stream-local': 'egress',
  agent: 'secret',
  x11: 'egress',
  environment: 'session',
};

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

const role = (account: string): Resource => ({ type: 'role', name: account, access: 'execute' });

const action = (
  verb: string,
  effects: readonly Effect[],
  resources: readonly Resource[],
  reasons: readonly string[],
): Action => ({ statement: 0, depth: 0, verb, effects, resources, reasons });

const facts = (confidence: Facts['confidence'], actions: readonly Action[]): Facts => ({
  confidence,
  actions,
  statements: [{ type: 'none' }],
});
