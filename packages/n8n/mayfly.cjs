const { randomUUID } = require('node:crypto');
const { setTimeout: delay } = require('node:timers/promises');

/** @typedef {import('./settings.cjs').Settings} Settings */
/** @typedef {{ status: number, body: Record<string, unknown> }} Answer */

const ANSWER_WITHIN_MS = 5000;
const WAIT_MS = 50;

/**
 * Says that a build started or finished; throws where Mayfly does not take it.
 * @param {Settings} settings
 * @param {'started' | 'finished'} verb
 * @param {object} data
 * @param {string} eventId
 */
async function publish(settings, verb, data, eventId = randomUUID()) {
  const event = {
    specversion: '1.0',
    id: eventId,
    source: settings.source,
    type: `dev.mayfly.ci.build.${verb}`,
    time: new Date().toISOString(),
    data,
  };
  const answer = await ask(`${settings.eventsUrl}/events`, {
    method: 'POST',
    headers: { authorization: basic(settings), 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(event),
  });
  if (answer.status !== 202) throw refused(answer);
}

/**
 * Gives the way to the tokens of a build, once it is known to run.
 * @param {Settings} settings
 * @param {string} id
 * @param {number} withinMs
 * @returns {Promise<{ url: string, requestToken: string }>}
 */
async function grantOf(settings, id, withinMs) {
  const giveUpAt = Date.now() + withinMs;
  for (;;) {
    const answer = await ask(`${settings.issuerUrl}/grant`, {
      method: 'POST',
      headers: { authorization: basic(settings), 'content-type': 'application/json' },
      body: JSON.stringify({ id }),
    });
    const data = /** @type {Record<string, string> | undefined} */ (answer.body['data']);
    if (answer.status === 200 && data) {
      return { url: data['id_token_request_url'] ?? '', requestToken: data['id_token_request_token'] ?? '' };
    }
    const isPassing = answer.status === 404 || answer.status >= 500;
    if (!isPassing || Date.now() > giveUpAt) throw refused(answer);
    await delay(WAIT_MS);
  }
}

/**
 * Gives a token for an audience, as soon as Mayfly can issue one.
 * @param {{ url: string, requestToken: string }} grant
 * @param {string} audience
 * @param {number} withinMs
 * @returns {Promise<string>}
 */
async function tokenOf({ url, requestToken }, audience, withinMs) {
  const headers = { authorization: `Bearer ${requestToken}` };
  const giveUpAt = Date.now() + withinMs;
  for (;;) {
    const answer = await ask(`${url}&audience=${encodeURIComponent(audience)}`, { headers });
    const token = answer.body['value'];
    if (answer.status === 200 && typeof token === 'string') return token;
    if (answer.status < 500 || Date.now() > giveUpAt) throw refused(answer);
    await delay(WAIT_MS);
  }
}

/**
 * @param {string} url
 * @param {RequestInit} init
 * @returns {Promise<Answer>}
 */
async function ask(url, init) {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const response = await fetch(url, { ...init, redirect: 'manual', signal }).catch((cause) => {
    throw new Error(
      `Mayfly cannot be reached at ${new URL(url).origin} (${cause.cause?.code ?? cause.name})`,
    );
  });
  const body = /** @type {Record<string, unknown>} */ (await response.json().catch(() => ({})));
  return { status: response.status, body };
}

/** @param {Answer} answer */
function refused({ status, body }) {
  const { error = `status ${status}`, error_description: said } = body;
  return new Error(
    `Mayfly refused: ${String(error).slice(0, 64)}${said ? ` (${String(said).slice(0, 200)})` : ''}`,
  );
}

/** @param {Settings} settings */
function basic({ source, secret }) {
  return `Basic ${Buffer.from(`${source}:${secret}`).toString('base64')}`;
}

module.exports = { publish, grantOf, tokenOf };
