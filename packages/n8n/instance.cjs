const { executionsOf } = require('./executions.cjs');
const { readSettings } = require('./settings.cjs');

/** @type {ReturnType<typeof executionsOf> | undefined} */
let instance;

/** Gives the executions of this n8n: the hooks begin and end them, the node asks for their tokens. */
function executions() {
  instance ??= executionsOf(readSettings(environment()), warn);
  return instance;
}

function environment() {
  // biome-ignore lint/style/noProcessEnv: the settings of n8n and of its hooks are variables of its process.
  return process.env;
}

/** @param {string} line */
function warn(line) {
  process.stderr.write(`mayfly: ${line}\n`);
}

module.exports = { executions };
