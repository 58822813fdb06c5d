/** ERR packets (Protocol::ERR_Packet) of statements that look at masked columns. Owns: which of their words may hold a value. */

const ERR = 0xff;
/** 0xff, the number, '#' and SQLSTATE. */
const HEAD_BYTES = 9;

/** Their texts have names and the client's own words only: unknown tables and columns, syntax, rights, locks. */
const NAMES_ONLY: ReadonlySet<number> = new Set([
  1044, 1045, 1046, 1048, 1049, 1050, 1051, 1052, 1054, 1060, 1061, 1064, 1066, 1091, 1093, 1109, 1110, 1113, 1136,
  1142, 1143, 1146, 1149, 1193, 1205, 1213, 1222, 1235, 1241, 1242, 1248, 1253, 1267, 1270, 1271, 1290, 1305, 1317,
  1318, 1327, 1364, 1365, 1370, 1451, 1452, 1701, 1792, 1836, 1969, 3024,
]);
const DUPLICATE: ReadonlySet<number> = new Set([1062, 1586]);

const HIDDEN = 'The message is not shown, because it may hold values of masked columns';

/**
 * The same with nothing in it that may be a value. Number and SQLSTATE stay.
 *
 * @param runsCode code that nobody read may have made the text, whatever its number
 */
export function withoutValues(payload: Buffer, runsCode: boolean): Buffer {
  if (payload[0] !== ERR || payload.length < HEAD_BYTES || payload[3] !== 0x23) return payload;
  const number = payload.readUInt16LE(1);
  if (!runsCode && NAMES_ONLY.has(number)) return payload;
  const key = !runsCode && DUPLICATE.has(number) ? keyOf(payload.toString('utf8', HEAD_BYTES)) : undefined;
  const words = key === undefined ? HIDDEN : `Duplicate entry for key '${key}'. ${HIDDEN}`;
  return Buffer.concat([payload.subarray(0, HEAD_BYTES), Buffer.from(words)]);
}

/** The name of the key stands last; a value before it may be written like one. */
function keyOf(message: string): string | undefined {
  const at = message.lastIndexOf("for key '");
  const name = /^for key '([\w.$-]{1,200})'$/.exec(message.slice(Math.max(at, 0)));
  return name?.[1];
}
