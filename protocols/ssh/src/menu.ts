/** The menu of machines for who named none. Owns: its screen and keys. Does not: who may reach which (the gate). */
import { MENU_PROMPT, NOT_IN_MENU, menuText } from './words.js';

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
    show(MENU_PROMPT);
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
        if (typed !== '') show(`${NOT_IN_MENU}\n`);
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
