/** What there is to choose from, and how to name it. */
export function menuText(message: string, connections: readonly string[]): string {
  const said = message === '' ? '' : `${message}\n`;
  if (connections.length === 0) return `${said}There is no machine that you may reach here.`;
  const list = connections.map((connection, at) => `  ${at + 1}  ${connection}`).join('\n');
  return `${said}Machines that you may reach:\n${list}\nName one: ssh ${connections[0]}@gateway, or ssh account+${connections[0]}@gateway.`;
}

/** Lets somebody at a terminal choose by number or name. Resolves with undefined when they give up. */
export function chooseFrom(
  connections: readonly string[],
  message: string,
  show: (text: string) => void,
  keys: (take: (bytes: Buffer) => void) => void,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  show(`${menuText(message, connections)}\n`);
  if (connections.length === 0) {
    resolve(undefined);
    return promise;
  }
  let typed = '';
  const ask = (): void => {
    typed = '';
    show('Number or name (Ctrl+C to leave): ');
  };
  ask();
  keys((bytes) => {
    for (const key of bytes.toString('latin1')) {
      if (key === '\x03' || key === '\x04') {
        show('\n');
        return resolve(undefined);
      }
      if (key === '\r' || key === '\n') {
        show('\n');
        const chosen = connections[Number(typed) - 1] ?? connections.find((one) => one === typed.trim());
        if (chosen !== undefined) return resolve(chosen);
        if (typed !== '') show('That is none of them.\n');
        ask();
      } else if (key === '\x7f' || key === '\b') {
        if (typed !== '') show('\b \b');
        typed = typed.slice(0, -1);
      } else if (/[\w.@-]/.test(key) && typed.length < 64) {
        typed += key;
        show(key);
      }
    }
  });
  return promise;
}
