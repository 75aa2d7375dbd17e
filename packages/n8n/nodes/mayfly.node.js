// What n8n loads from N8N_CUSTOM_EXTENSIONS: a node that calls an API with a token of its own execution.
const { executions } = require('../instance.cjs');

const ANSWER_WITHIN_MS = 60_000;

/** @typedef {{ workflow: import('../mark.cjs').WorkflowLike, getInputData(): unknown[], getExecutionId(): string, getNodeParameter(name: string, item: number, fallback?: unknown): unknown }} Context */

/** @type {(displayName: string, name: string, type: string, more?: object) => object} */
const property = (displayName, name, type, more = {}) => ({ displayName, name, type, default: '', ...more });

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((value) => ({ name: value, value }));

/** The node: named as its file is, which is how n8n finds it. */
class mayfly {
  description = {
    displayName: 'Mayfly',
    name: 'mayfly',
    group: ['transform'],
    version: 1,
    description: 'Calls an API as this execution, with an ID token that dies with it',
    defaults: { name: 'Mayfly' },
    inputs: ['main'],
    outputs: ['main'],
    properties: [
      property('Audience', 'audience', 'string', { required: true, description: 'Whom the token is for' }),
      property('Method', 'method', 'options', { options: METHODS, default: 'GET' }),
      property('URL', 'url', 'string', { required: true }),
      property('JSON Body', 'body', 'json', { description: 'Left out where it is empty' }),
    ],
  };

  /** @this {Context} */
  async execute() {
    const results = [];
    for (const item of this.getInputData().keys())
      results.push({ json: await call(this, item), pairedItem: item });
    return [results];
  }
}

/**
 * Calls once; gives the answer, without the token where the API sends it back, for n8n keeps what nodes give.
 * @param {Context} context
 * @param {number} item
 */
async function call(context, item) {
  const text = (/** @type {string} */ name) => String(context.getNodeParameter(name, item, '') ?? '');
  const url = new URL(text('url'));
  if (url.protocol !== 'https:' && !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname))
    throw new Error('Mayfly: a token is sent over https only');
  const token = await executions().tokenFor(context.workflow, context.getExecutionId(), text('audience'));
  const body = text('body');
  const response = await fetch(url, {
    method: text('method') || 'GET',
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body } : {}),
    redirect: 'manual',
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const answer = (await response.text()).replaceAll(token, '***');
  if (!response.ok) throw new Error(`Mayfly: the API answered ${response.status}: ${answer.slice(0, 500)}`);
  return { status: response.status, body: parsed(answer) };
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

module.exports = { mayfly };
