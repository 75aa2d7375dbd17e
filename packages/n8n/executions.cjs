const { randomUUID } = require('node:crypto');
const { setTimeout: delay } = require('node:timers/promises');
const { identitiesOf } = require('./identities.cjs');
const { putMark, readMark } = require('./mark.cjs');
const { grantOf, publish, tokenOf } = require('./mayfly.cjs');

/** @typedef {import('./settings.cjs').Settings} Settings */
/** @typedef {import('./mark.cjs').WorkflowLike} WorkflowLike */
/** @typedef {WorkflowLike & { nodes?: Record<string, { type: string, disabled?: boolean }> | { type: string, disabled?: boolean }[] }} Workflow */
/** @typedef {{ status?: string, finished?: boolean, waitTill?: unknown }} Run */

const RUNS_WITHIN_MS = 10_000;
const ENDS_WITHIN_MS = 10 * 60_000;
const LONGEST_WAIT_MS = 15_000;
const KNOWN_TO_BE_OVER = 10_000;
const NODE_TYPE = /(^|\.)mayfly$/;

/**
 * The executions of this n8n, each with an identity of its own. Nothing here is shared between two of them but the way
 * to Mayfly; in process.env there is nothing of any.
 * @param {Settings} settings
 * @param {(line: string) => void} warn
 */
function executionsOf(settings, warn) {
  /** @type {Map<string, ReturnType<typeof grantOf>>} */
  const grants = new Map();
  /** @type {Set<string>} */
  const over = new Set();
  const identities = identitiesOf();

  /**
   * @param {string} id
   * @param {Run | undefined} run
   */
  const finish = async (id, run) => {
    grants.delete(id);
    over.add(id);
    // The oldest goes: Mayfly itself knows that it is over.
    if (over.size > KNOWN_TO_BE_OVER) for (const oldest of over.values().take(1)) over.delete(oldest);
    const said = { data: { id, outcome: outcomeOf(run) }, eventId: randomUUID() };
    const attempt = () => publish(settings, 'finished', said.data, said.eventId);
    await attempt().catch(() => void untilTaken(attempt, warn));
  };
  return {
    /**
     * Begins an execution: a build of our own id, that declares tokens where the workflow has a node that asks for some.
     * @param {Workflow} workflow
     * @param {string} mode
     */
    async begin(workflow, mode) {
      const id = `n8n-${randomUUID()}`;
      putMark(workflow, id, settings.secret);
      const declares = asksForTokens(workflow);
      const build = { id, workflow: { id: workflow.id, name: plain(workflow.name) }, execution: { mode } };
      try {
        await publish(settings, 'started', { build, ...(declares ? { id_tokens: {} } : {}) });
        identities.begun(id, workflow.id ?? '');
      } catch (error) {
        if (declares) throw error;
        warn(`an execution has no identity: ${messageOf(error)}`);
      }
    },

    /**
     * Ends an execution, unless it only waits; Mayfly being away does not hold n8n up.
     * @param {Run | undefined} run
     * @param {WorkflowLike} workflow
     * @param {string} execution the number that n8n gave it
     */
    async end(run, workflow, execution) {
      if (run?.waitTill || run?.status === 'waiting') return;
      const marked = readMark(workflow, settings.secret);
      const ids = identities.ended(execution, workflow.id ?? '', marked);
      await Promise.all(ids.map((id) => finish(id, run)));
    },

    /**
     * Gives a token of the execution that a workflow object is of, and of no other.
     * @param {WorkflowLike} workflow
     * @param {string} execution the number that n8n gave it
     * @param {string} audience
     * @returns {Promise<string>}
     */
    async tokenFor(workflow, execution, audience) {
      const id = readMark(workflow, settings.secret);
      if (id === undefined)
        throw new Error('Mayfly: this execution has no identity; is hooks.cjs in EXTERNAL_HOOK_FILES?');
      if (over.has(id)) throw new Error('Mayfly: this execution is over');
      const others = identities.claim(id, execution);
      if (!others) throw new Error('Mayfly: this identity is of another execution');
      for (const other of others) await finish(other, undefined);
      const grant = grants.get(id) ?? grantOf(settings, id, RUNS_WITHIN_MS);
      grants.set(id, grant);
      // A failure is not kept: the next node may find Mayfly there again.
      grant.catch(() => grants.delete(id));
      return await tokenOf(await grant, audience, RUNS_WITHIN_MS);
    },
  };
}

/**
 * @param {() => Promise<void>} attempt
 * @param {(line: string) => void} warn
 */
async function untilTaken(attempt, warn) {
  const giveUpAt = Date.now() + ENDS_WITHIN_MS;
  for (let waitMs = 500; Date.now() < giveUpAt; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    await delay(waitMs, undefined, { ref: false });
    if (
      await attempt().then(
        () => true,
        () => false,
      )
    )
      return;
  }
  warn('the end of an execution could not be told: its identity ends at the deadline of the source');
}

/** @param {Workflow} workflow */
function asksForTokens({ nodes = {} }) {
  return Object.values(nodes).some(({ type, disabled }) => !disabled && NODE_TYPE.test(type));
}

/** @param {Run | undefined} run */
function outcomeOf(run) {
  const status = run?.status ?? (run?.finished ? 'success' : 'error');
  return /^[A-Za-z_-]{1,32}$/.test(status) ? status : 'error';
}

/** @param {string | undefined} text */
function plain(text = '') {
  return text.replace(/\p{Cc}/gu, ' ').slice(0, 256);
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : 'unknown error';
}

module.exports = { executionsOf };
