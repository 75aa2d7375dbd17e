const { readFileSync } = require('node:fs');

/**
 * Where Mayfly is, and as which source n8n speaks to it.
 * @typedef {{ eventsUrl: string, issuerUrl: string, source: string, secret: string }} Settings
 */

const NAMES = ['MAYFLY_EVENTS_URL', 'MAYFLY_ISSUER_URL', 'MAYFLY_SOURCE', 'MAYFLY_SOURCE_SECRET_FILE'];

/**
 * Reads the settings from an environment; throws for what is missing, all at once.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Settings}
 */
function readSettings(env) {
  const missing = NAMES.filter((name) => !env[name]);
  if (missing.length > 0) throw new Error(`Mayfly: set ${missing.join(', ')}`);
  const [eventsUrl = '', issuerUrl = '', source = '', secretFile = ''] = NAMES.map((name) => env[name]);
  const secret = readFileSync(secretFile, 'utf8').trim();
  return { eventsUrl: withoutSlash(eventsUrl), issuerUrl: withoutSlash(issuerUrl), source, secret };
}

/** @param {string} url */
const withoutSlash = (url) => url.replace(/\/+$/, '');

module.exports = { readSettings };
