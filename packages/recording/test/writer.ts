/** A process that writes a journal until it is killed, and says after each commit how far it has got. */
import { writeSync } from 'node:fs';
import { Journal } from '../dist/index.js';

const [folder = '', from = '0'] = process.argv.slice(2);
const journal = new Journal({ folder, segmentBytes: 200_000, headAge: 0 });
for (let n = Number(from); ; ) {
  for (let turn = 1 + (n % 7); turn > 0; turn--, n++) {
    journal.append(`{"k":"admin","t":${Date.now()},"actor":"${n}","action":"b","detail":"c"}`, [
      Buffer.alloc((n * 37) % 3000, n),
    ]);
  }
  journal.commit();
  // What it starts goes on while this loop does not.
  if (n % 50 < 7) await journal.tend();
  writeSync(1, `${n - 1}\n`);
}
