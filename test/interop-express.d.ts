// What the tests use of Express, which has no types of its own.
declare module 'express' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

  export type Request = IncomingMessage & { auth?: { payload: Record<string, unknown> } };
  export type Handler = (
    request: Request,
    response: ServerResponse,
    next: (error?: unknown) => void,
  ) => unknown;
  type App = RequestListener & {
    use(...handlers: unknown[]): unknown;
    get(path: string, handler: Handler): unknown;
  };
  // biome-ignore lint/style/noDefaultExport: it is what Express exports
  export default function express(): App;
}
