/** What a record changes in the index of sessions. Pure. */
import type { RecordHeader, JournalPosition } from '@sluice/recording';
import type { IndexChange } from '@sluice/store';

/**
 * What a record changes in the index of sessions; undefined: nothing.
 *
 * @param start where the record begins, or a place before that
 * @param end where it ends, or a place behind that
 */
export function changeOf(header: RecordHeader, start: JournalPosition, end: JournalPosition): IndexChange | undefined {
  switch (header.k) {
    case 'opened': {
      const { s: id, principal, issuer, subject, connection, protocol, client, t: started, claims } = header;
      const known = {
        ...(issuer !== undefined && { issuer }),
        ...(subject !== undefined && { subject }),
        ...(claims && { claims }),
      };
      return { type: 'opened', id, principal, ...known, connection, protocol, client, started, from: start };
    }
    case 'closed': {
      const { s: id, t: ended, reason, commands, denied } = header;
      return { type: 'closed', id, ended, reason, commands, denied, to: end };
    }
    case 'approval':
      return { type: 'extended', id: header.s, to: end };
    default:
      return undefined;
  }
}
