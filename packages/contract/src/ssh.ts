/** What clients of SSH ask for. Types only. */

/** A command line for the target's login shell (RFC 4254 section 6.5, "exec"). */
export interface ExecCommand {
  readonly type: 'exec';
  readonly id: number;
  /** What reads it there: a grammar that the gateway knows, or one that it does not. */
  readonly shell: 'sh' | 'bash' | 'opaque';
  /** As it was sent, byte for byte where it is UTF-8. */
  readonly text: string;
  /** The account on the target that it runs as. */
  readonly account: string;
  /** Variables that the client set before, in order. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly terminal: boolean;
}

/** An interactive shell, before it starts; and each line that was seen in it, which is advice and no proof. */
export interface ShellCommand {
  readonly type: 'shell';
  readonly id: number;
  readonly shell: ExecCommand['shell'];
  /** Empty for the shell itself, else the line as it stood on the screen when Enter was pressed. */
  readonly text: string;
  readonly account: string;
  readonly environment: ExecCommand['environment'];
  readonly terminal: boolean;
}

/** A subsystem of the target (RFC 4254 section 6.5): `sftp`. `text` is its name. */
export interface SubsystemCommand {
  readonly type: 'subsystem';
  readonly id: number;
  readonly text: string;
  readonly account: string;
}

/** Something beside the commands of an SSH connection that the client asks for. `text` says it in words. */
export interface ForwardCommand {
  readonly type: 'forward';
  readonly id: number;
  readonly kind: 'local' | 'remote' | 'stream-local' | 'remote-stream-local' | 'agent' | 'x11' | 'environment';
  readonly text: string;
  readonly account: string;
  /** Where to, for local and remote forwarding. */
  readonly host?: string;
  readonly port?: number;
  /** The socket, for the stream-local kinds; the variable, for the environment. */
  readonly path?: string;
}
