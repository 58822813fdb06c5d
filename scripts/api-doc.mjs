// pnpm api-doc: writes docs/openapi.json, the document that a running gateway answers under /v1/openapi.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiDocument } from '../packages/control/dist/document.js';

const FILE = join(import.meta.dirname, '..', 'docs', 'openapi.json');

writeFileSync(FILE, await apiDocument());
