/** The folder that Sluice is checked out in. */
import { dirname } from 'node:path';

/** The folder that Sluice is checked out in: this file is gateway/dist/root.js in it. */
export const ROOT = dirname(dirname(import.meta.dirname));
