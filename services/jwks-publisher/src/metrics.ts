import { ServiceError } from '@mayfly/contracts/errors';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What came of each thing that is counted, by what is counted. */
const OUTCOMES = {
  introspections: ['active', 'inactive', 'not_ours', 'refused', 'unknown'],
  verifications: ['allowed', 'claims', 'refused', 'unknown'],
  tokens: ['good', 'remembered', 'shapeless', 'unknown_key', 'forged'],
  callers: ['known', 'unknown', 'slowed_down', 'forging'],
  documents: ['metadata', 'key_set', 'status_list', 'status_lists'],
  lists: ['signed', 'failed'],
  feeds: ['opened', 'unknown', 'full', 'sent_away', 'too_slow'],
} as const;

const HELP = {
  introspections: ['mayfly_introspections_total', 'Questions about a token, by what was answered.'],
  verifications: ['mayfly_verifications_total', 'Questions of proxies, by what was answered.'],
  tokens: ['mayfly_tokens_read_total', 'Tokens that were shown, by what the signing keys said of them.'],
  callers: ['mayfly_callers_total', 'Callers by their credentials.'],
  documents: ['mayfly_documents_served_total', 'Public documents given out.'],
  lists: ['mayfly_status_lists_signed_total', 'Status lists asked of key-manager.'],
  feeds: ['mayfly_feeds_total', 'Those who came to hear a feed, and those who had to go.'],
} as const;

type Counted = keyof typeof OUTCOMES;
type Outcome<C extends Counted> = (typeof OUTCOMES)[C][number];

/** Counts what the public face is asked and answers. */
export type Metrics = { [C in Counted]: (outcome: Outcome<C>) => void } & {
  /** Notes how long an answer to introspection took, ms. */
  introspectionTook(ms: number): void;
  /** Shows how many hear a feed now. */
  hearing(count: () => number): void;
  /** Shows how many sources have a key set that is not confirmed now. */
  unconfirmed(count: () => number): void;
};

const LATENCIES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/** Takes a registry; gives what counts in it, every series from zero. */
export function publisherMetrics(registry: Registry): Metrics {
  const registers = [registry];
  const counterOf = <C extends Counted>(counted: C) => {
    const [name, help] = HELP[counted];
    const counter = new Counter({ name, help, labelNames: ['outcome'], registers });
    for (const outcome of OUTCOMES[counted]) counter.inc({ outcome }, 0);
    return (outcome: Outcome<C>) => counter.inc({ outcome });
  };
  const show = (name: string, help: string, count: () => number) => {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(count());
      },
    });
  };
  const latency = new Histogram({
    name: 'mayfly_introspection_seconds',
    help: 'How long an answer to introspection took, without the network.',
    buckets: LATENCIES,
    registers,
  });
  return {
    introspections: counterOf('introspections'),
    verifications: counterOf('verifications'),
    tokens: counterOf('tokens'),
    callers: counterOf('callers'),
    documents: counterOf('documents'),
    lists: counterOf('lists'),
    feeds: counterOf('feeds'),
    introspectionTook: (ms) => latency.observe(ms / 1000),
    hearing: (count) => show('mayfly_feed_listeners', 'Relying parties that hear a feed now.', count),
    unconfirmed: (count) =>
      show('mayfly_key_sets_unconfirmed', 'Sources of which nobody confirms the key set now.', count),
  };
}

/** Says what a failure to answer counts as. */
export function failureOf(error: unknown): 'unknown' | 'refused' {
  const isUnknown = error instanceof ServiceError && error.code === 'temporarily_unavailable';
  return isUnknown ? 'unknown' : 'refused';
}
