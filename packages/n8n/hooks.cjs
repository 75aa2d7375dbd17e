// What n8n loads from EXTERNAL_HOOK_FILES: it gives each execution of a workflow its identity, and ends it.
const { executions } = require('./instance.cjs');

/** @typedef {ReturnType<typeof import('./executions.cjs').executionsOf>} Executions */

module.exports = {
  workflow: {
    preExecute: [
      /**
       * Has no execution id yet, which is why the identity goes by an id of our own.
       * @param {Parameters<Executions['begin']>[0]} workflow
       * @param {string} mode
       */
      async (workflow, mode) => {
        await executions().begin(workflow, mode);
      },
    ],
    postExecute: [
      /**
       * @param {Parameters<Executions['end']>[0]} run
       * @param {Parameters<Executions['end']>[1]} workflowData
       * @param {string} executionId
       */
      async (run, workflowData, executionId) => {
        await executions().end(run, workflowData, executionId);
      },
    ],
  },
};
