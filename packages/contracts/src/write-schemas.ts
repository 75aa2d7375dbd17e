import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaDocuments } from './schema-documents.ts';

const dir = join(import.meta.dirname, '..', 'schemas');

mkdirSync(dir, { recursive: true });
for (const [file, document] of Object.entries(schemaDocuments())) {
  writeFileSync(join(dir, file), `${JSON.stringify(document, undefined, 2)}\n`);
}
