// What the programs of Node share: packages from CLIENT_MODULES, where to connect to, and lines to print.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { CLIENT_MODULES = '.', CLIENT_PORT, CLIENT_USER, CLIENT_PASSWORD, CLIENT_DATABASE } = process.env;

export const from = createRequire(join(CLIENT_MODULES, 'package.json'));

export const WHERE = {
  host: '127.0.0.1',
  port: Number(CLIENT_PORT),
  user: CLIENT_USER,
  password: CLIENT_PASSWORD,
  database: CLIENT_DATABASE,
};

const plain = (_, value) => {
  if (typeof value === 'bigint') return `${value}n`;
  if (value?.type === 'Buffer') return Buffer.from(value.data).toString('hex');
  return value;
};

export const show = (what, value) => process.stdout.write(`${what} ${JSON.stringify(value, plain)}\n`);

/** What an error of a server says, wherever the library has put it. */
export const failed = async (attempt) => {
  try {
    await attempt;
    return 'no error';
  } catch (error) {
    const { errno, code, cause, parent, driverError } = error;
    return errno ?? cause?.errno ?? parent?.errno ?? driverError?.errno ?? code ?? error.message;
  }
};
