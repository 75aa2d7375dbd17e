const { createHmac, timingSafeEqual } = require('node:crypto');

/**
 * What n8n calls a workflow, as far as an identity needs it.
 * @typedef {{ id?: string, name?: string, settings?: Record<string, unknown> }} WorkflowLike
 */

/** The name in a workflow's settings under which our id goes with an execution. */
const MARK = 'mayflyExecution';

/**
 * Puts our own id on a workflow. It is no secret: it says which execution this is, to this n8n, for this workflow. The
 * settings become others, and those that were there stay as they are: n8n starts all executions of a trigger from one object.
 * @param {WorkflowLike} workflow
 * @param {string} id
 * @param {string} secret
 */
function putMark(workflow, id, secret) {
  workflow.settings = { ...workflow.settings, [MARK]: `${id}.${tagOf(id, workflow.id, secret)}` };
}

/**
 * Gives our id of the execution that a workflow object is of; undefined where it has none, or one of another workflow.
 * @param {WorkflowLike | undefined} workflow
 * @param {string} secret
 * @returns {string | undefined}
 */
function readMark(workflow, secret) {
  const mark = workflow?.settings?.[MARK];
  const [id = '', tag = ''] = typeof mark === 'string' ? mark.split('.') : [];
  const [shown, wanted] = [Buffer.from(tag), Buffer.from(tagOf(id, workflow?.id, secret))];
  return shown.length === wanted.length && timingSafeEqual(shown, wanted) ? id : undefined;
}

/**
 * @param {string} id
 * @param {string | undefined} workflowId
 * @param {string} secret
 */
function tagOf(id, workflowId, secret) {
  return createHmac('sha256', secret)
    .update(`mayfly n8n mark\n${id}\n${workflowId ?? ''}`)
    .digest('base64url');
}

module.exports = { putMark, readMark };
