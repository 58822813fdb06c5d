/** What a redirection reads or writes. Pure. */
import type { Redirection } from 'unbash';
import { isSecret, writing } from './paths.js';
import type { ActionDraft, Setting } from './setting.js';
import { valuesOf } from './words.js';

/**
 * A word that ends a here-document for every shell alike: plain, quoted or with a backslash before a letter. Nothing else: dash runs what is
 * between backquotes in it, and behind `<<-` bash knows a tab of it again before tabs are taken away.
 */
const PLAIN_DELIMITER = /^(?:[\w.:@%+,!/-]|\\\w|'[^'`$\\\n\t]*'|"[^"`$\\\n\t]*")+$/;

/** What a redirection reads or writes. A here-document is data, and nothing but its expansions does anything. */
export function redirects(redirect: Redirection, draft: ActionDraft, setting: Setting): void {
  if (redirect.type === 'HereDoc') {
    if (!PLAIN_DELIMITER.test(redirect.delimiter?.text ?? ''))
      draft.unknown('has a here-document whose end shells find in different places');
    // It goes on behind `$(...)` for bash, and to another line for dash.
    if (!redirect.closing) draft.unknown('has a here-document without a line that ends it');
  }
  if (redirect.type !== 'Redirect') return;
  const values = redirect.target ? valuesOf(redirect.target, setting.variables) : [];
  const known = values.every((value) => value.known && !value.glob && !value.many) && values.length > 0;
  const { operator } = redirect;
  for (const { text, glob } of values) {
    if ((operator === '>&' || operator === '<&') && known && /^(?:\d+-?|-)$/.test(text)) continue;
    if (operator === '<') {
      draft.effect('read').resource('file', text, 'read');
      if (/^\/dev\/(?:tcp|udp)\//.test(text)) draft.effect('egress').unknown('connects to another host');
      if (isSecret(text, glob, setting.folders)) draft.effect('secret');
    } else {
      const effects = writing(text, operator !== '>>' && operator !== '&>>', setting.folders);
      draft.effect(...effects);
      if (effects.length > 0) draft.resource('file', text, 'write');
      if (effects.includes('unknown')) draft.unknown('connects to another host');
    }
  }
  if (!known)
    draft.unknown(
      operator === '<'
        ? 'reads a file whose name is only known when it runs'
        : 'writes a file whose name is only known when it runs',
    );
}
