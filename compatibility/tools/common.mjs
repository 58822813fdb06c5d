/** What the programs here share: where the database is, and how they say what they have read. */
const { PGHOST: host, PGPORT, PGUSER: user, PGPASSWORD: password, PGDATABASE: database } = process.env;

export const target = { host, port: Number(PGPORT), user, password, database };
export const url = `postgresql://${user}:${password}@${host}:${PGPORT}/${database}`;

/** One line of JSON for each thing that the program has read: it is compared with what the same program reads directly. */
export const say = (what, value) => process.stdout.write(`${JSON.stringify({ what, value })}\n`);

/** Ends the program as an operator would see it: with what the tool says on standard error, and status 1. */
export function fail(error) {
  // Some tools keep the server's words in the error below their own.
  process.stderr.write(`${error?.stack ?? error}\n${error?.parent?.message ?? ''}\n`);
  process.exit(1);
}
