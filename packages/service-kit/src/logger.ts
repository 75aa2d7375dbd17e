import { type DestinationStream, type Logger, pino } from 'pino';

/** What is never logged, as a field or in one. */
const SECRET = [
  'token',
  'id_tokens',
  'id_token_request_token',
  'password',
  'authorization',
  'headers',
  'claims',
];
const CENSOR = '[redacted]';

/** Takes a service's name, the lowest level and where lines go; gives its logger: JSON lines, on standard output unless told. */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service: name },
    redact: { paths: SECRET.flatMap((path) => [path, `err.${path}`]), censor: CENSOR },
    formatters: { log: withoutSecrets },
  };
  return pino(options, destination ?? inOneWrite(pino.destination(1)));
}

/**
 * Takes where lines go; gives what sends it those of one turn of the event loop together: a service that issues a thousand
 * tokens a second would else write to its log a thousand times. What was logged last before the process exits is written too.
 */
export function inOneWrite(out: DestinationStream): DestinationStream {
  let lines = '';
  const flush = () => {
    const text = lines;
    lines = '';
    if (text !== '') out.write(text);
  };
  process.on('exit', flush);
  return {
    write(line) {
      if (lines === '') setImmediate(flush);
      lines += line;
    },
  };
}

/**
 * Censors the fields of fields. The logger does it itself for those that are named; a `*` has it look for each secret in each
 * field of each line, text or not, which takes as long as all the rest of a line.
 */
function withoutSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  let censored = fields;
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'err' || typeof value !== 'object' || value === null) continue;
    const found = SECRET.filter((secret) => Object.hasOwn(value, secret));
    if (found.length === 0) continue;
    const hidden = Object.fromEntries(found.map((secret) => [secret, CENSOR]));
    censored = { ...censored, [name]: { ...value, ...hidden } };
  }
  return censored;
}
