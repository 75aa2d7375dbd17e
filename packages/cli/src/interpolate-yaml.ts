import { readFileSync } from 'node:fs';
import { Document, LineCounter, parseAllDocuments } from 'yaml';
import { CommandError } from './exit-codes.ts';

/** A map of a YAML file, as plain data. */
export type YamlMap = Record<string, unknown>;

const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Reads a YAML file of one document. Throws in one line, with the line of the file where it is no YAML. */
export function readYamlFile(file: string): Document {
  const [first, ...more] = readYamlDocuments(file);
  if (more.length > 0)
    throw new CommandError(
      'configuration',
      `${file} holds ${more.length + 1} YAML documents, of which only the first would be read: leave one in it`,
    );
  return first ?? new Document();
}

/** Reads every document of a YAML file; throws as readYamlFile does. */
export function readYamlDocuments(file: string): Document[] {
  const lineCounter = new LineCounter();
  const options = {
    lineCounter,
    prettyErrors: false,
    uniqueKeys: true,
    merge: true,
    logLevel: 'silent',
  } as const;
  const documents: Document[] = [...parseAllDocuments(textOf(file), options)];
  const [fault] = documents.flatMap(({ errors }) => errors);
  if (fault) {
    const { line } = lineCounter.linePos(fault.pos[0]);
    // The message may go on with the text of the file.
    throw new CommandError(
      'configuration',
      `${file} is no YAML (line ${line}: ${fault.message.split('\n')[0]})`,
    );
  }
  return documents;
}

/** Gives what a document holds as plain data; throws where it is no map, or grows without end. */
export function mapOf(document: Document, file: string): YamlMap {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 1000 });
  } catch {
    throw new CommandError(
      'configuration',
      `${file} is no YAML that can be read: its aliases do not resolve`,
    );
  }
  if (!isMap(value))
    throw new CommandError('configuration', `${file} is not what it should be: a map at its top`);
  return value;
}

/** Says whether a value of a YAML file is a map. */
export function isMap(value: unknown): value is YamlMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(file: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > MAX_FILE_BYTES)
      throw new CommandError('configuration', `${file} is longer than 4 MiB`);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw new CommandError('configuration', `${file} cannot be read (${code ?? 'no UTF-8'}): check its name`);
  }
}
