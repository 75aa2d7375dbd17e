import { Transform } from 'node:stream';
import { CommandError } from './exit-codes.ts';
import type { LeakWatch } from './leak-watch.ts';
import { createMasker } from './mask.ts';
import type { SecretBook } from './secret-book.ts';

/** How long an end that may be the beginning of a secret waits, if it is too short to give anything away. */
const SHORT_WAIT_MS = 5;

/** Makes the stream between a step's output and ours; if anything goes wrong it ends with an error and shows nothing. */
export function maskStream(book: SecretBook, watch: LeakWatch): Transform {
  const masker = createMasker(book.index);
  let timer: NodeJS.Timeout | undefined;
  const guarded = (act: () => Buffer): Buffer => {
    try {
      const output = act();
      watch.see(output);
      return output;
    } catch (cause) {
      throw new CommandError('masking', 'the output cannot be masked any more: it stops here', { cause });
    }
  };
  const stream: Transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      clearTimeout(timer);
      try {
        const output = guarded(() => masker.write(chunk));
        if (masker.isWaiting()) timer = setTimeout(release, SHORT_WAIT_MS);
        done(null, output);
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      clearTimeout(timer);
      try {
        const output = guarded(masker.end);
        watch.end();
        done(null, output);
      } catch (error) {
        done(error as Error);
      }
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
  function release() {
    try {
      stream.push(guarded(masker.release));
    } catch (error) {
      stream.destroy(error as Error);
    }
  }
  return stream;
}
