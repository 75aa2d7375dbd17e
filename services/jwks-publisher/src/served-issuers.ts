import { lifeReader } from '@mayfly/build-store/life-reader';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { type Policy, publishAheadSeconds } from '@mayfly/contracts/policy';
import type { Bus } from '@mayfly/service-kit/bus';
import type { RedisLink } from '@mayfly/service-kit/redis';
import type { Logger } from 'pino';
import { discoveryDocument } from './documents.ts';
import type { ServedIssuer } from './http.ts';
import type { KeySets } from './key-sets.ts';
import type { Metrics } from './metrics.ts';
import { beginOnce, onceStore } from './once.ts';
import { runningBuildsReader } from './running-builds.ts';
import { statusListSigner } from './status-list-signer.ts';
import { tokenReader } from './token.ts';

type Urls = { baseUrl: string; requestUrl: string };
type Parts = {
  sets: KeySets;
  link: RedisLink;
  bus: Promise<Bus>;
  resources: AsyncDisposableStack;
  log: Logger;
  metrics: Metrics;
};

/** How many tokens are known again without checking their signature once more. */
const REMEMBERED_TOKENS = 20_000;

/** Takes the policy, the addresses and the connections; gives each source's issuer as it is served. */
export function servedIssuers(policy: Policy, { baseUrl, requestUrl }: Urls, parts: Parts): ServedIssuer[] {
  const { sets, link, resources, log, metrics } = parts;
  let bus: Bus | undefined;
  parts.bus
    .then((opened) => {
      bus = opened;
    })
    .catch(() => undefined);
  const builds = lifeReader(link);
  const readToken = tokenReader(REMEMBERED_TOKENS, metrics.tokens);
  const once = onceStore(link);
  const running = runningBuildsReader(link);
  const sign = statusListSigner(() => bus, metrics);
  resources.defer(markBeginning(link, log));
  const questions = new Map(Object.entries(policy.verify ?? {}));
  return Object.entries(policy.sources).map(([source, sourcePolicy]) => {
    const issuer = issuerUrl(baseUrl, source);
    const { pathname } = new URL(issuer);
    const judge = { source, issuer, keySets: sets, readToken, builds };
    return {
      ...{ source, issuer, path: pathname },
      metadataPath: `/.well-known/oauth-authorization-server${pathname}`,
      discovery: discoveryDocument({ issuer, tokenEndpoint: `${requestUrl}/token` }),
      keySet: () => sets.get(source)?.document,
      publishAhead: publishAheadSeconds(policy, source),
      introspector: { ...judge, once },
      builds: { source, policy: sourcePolicy, builds },
      lists: { source, issuer, running, sign },
      verifier: { judge, questions },
    };
  });
}

/** Marks, in each Redis process that is met, when the memory of used tokens begins; gives what stops it. */
function markBeginning(link: RedisLink, log: Logger): () => void {
  let marked: string | undefined;
  const timer = setInterval(() => {
    const runId = link.runId();
    if (!runId || runId === marked) return;
    beginOnce(link)
      .then(() => {
        marked = runId;
      })
      .catch((error: unknown) => log.warn({ err: error }, 'used tokens cannot be remembered'));
  }, 100);
  return () => clearInterval(timer);
}
