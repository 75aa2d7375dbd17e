import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { ERRORS, ServiceError } from '@mayfly/contracts/errors';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import type { Logger } from 'pino';
import type { Tls } from './tls.ts';

/** What a listener is besides its routes. */
export type Listener = {
  /** For https. */
  tls?: Tls;
  /** Whose X-Forwarded-For is believed, as Fastify's `trustProxy` takes it; nobody's if left out. */
  trustedProxies?: string | undefined;
  /** How the target of a request is read, where that is not as it stands. */
  readTarget?(target: string): string;
};

/** Longest request body of a public listener, bytes. */
export const MAX_BODY_BYTES = 16 * 1024;
/** Seconds after which a caller may try again when we cannot know. */
export const RETRY_AFTER_SECONDS = 1;

/** How long a client may take to send its headers, and how often that is looked at, ms. */
const SLOW_CLIENTS = { headersTimeout: 3000, connectionsCheckingInterval: 1000 };
/** How long what is in hand may take once the listener closes, ms: from then on Node ends nobody who is slow. */
const CLOSING_MS = 5000;
/** How long a client may take for the handshake of TLS, ms: before it all other times do not count. */
const HANDSHAKE_MS = 3000;

/**
 * Takes a logger and what the listener is; gives an HTTP server that answers errors in the shape of RFC 6749 §5.2.
 */
export function createHttp(
  log: Logger,
  { tls = {}, trustedProxies, readTarget }: Listener = {},
): FastifyInstance {
  const https = tls.cert ? { https: { ...tls, ...SLOW_CLIENTS, handshakeTimeout: HANDSHAKE_MS } } : {};
  const http = fastify({
    ...https,
    trustProxy: trustedProxies ?? false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 10_000,
    connectionTimeout: 20_000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: 'idle',
    ...(readTarget ? { rewriteUrl: ({ url = '/' }: IncomingMessage) => readTarget(url) } : {}),
    routerOptions: { maxParamLength: 512 },
    // Node looks for clients that are too slow every 30 s unless told.
    http: SLOW_CLIENTS,
    clientErrorHandler: refuseMalformed,
    frameworkErrors: (error, request, reply) => sendError(log, error, request, reply),
  }) as FastifyInstance;
  http.setErrorHandler((error: FastifyError, request, reply) => sendError(log, error, request, reply));
  http.addHook('preClose', (done) => {
    setTimeout(() => http.server.closeAllConnections(), CLOSING_MS).unref();
    done();
  });
  http.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: 'not_found', error_description: 'there is nothing at this address' }),
  );
  return http;
}

/** Answers what is no HTTP request, before there is a route that could. */
function refuseMalformed(error: Error & { code?: string }, socket: Socket): void {
  // Whoever is not through the handshake of TLS can be told nothing.
  const isOfHttp = /^(HPE_|ERR_HTTP_)/.test(error.code ?? '');
  if (!isOfHttp || !socket.writable || socket.bytesWritten > 0) return void socket.destroy();
  const body = JSON.stringify({ error: 'invalid_request', error_description: 'the request is malformed' });
  const status = STATUS_LINES[error.code ?? ''] ?? '400 Bad Request';
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncache-control: no-store`;
  socket.end(`${head}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
}

const STATUS_LINES: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function sendError(log: Logger, error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const failure = asServiceError(error);
  const { status } = ERRORS[failure.code];
  const fields = {
    code: failure.code,
    route: request.routeOptions.url,
    err: withoutValues(failure.cause ?? error),
  };
  if (failure.code === 'server_error') log.error(fields, 'request failed');
  else log.debug(fields, 'request refused');
  if (failure.code === 'temporarily_unavailable') reply.header('retry-after', RETRY_AFTER_SECONDS);
  if (failure.code === 'invalid_token') reply.header('www-authenticate', 'Bearer error="invalid_token"');
  if (failure.code === 'invalid_client')
    reply.header('www-authenticate', 'Basic realm="mayfly", charset="UTF-8"');
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .send({ error: failure.code, error_description: failure.message });
}

function asServiceError(error: FastifyError): ServiceError {
  if (error instanceof ServiceError) return error;
  const options = { cause: error };
  if (error.statusCode === 413)
    return new ServiceError('payload_too_large', 'the body is too large', options);
  if (error.statusCode === 415)
    return new ServiceError('unsupported_media_type', 'content type is not supported', options);
  if (error.statusCode && error.statusCode >= 400 && error.statusCode < 500) {
    return new ServiceError('invalid_request', 'the request is malformed', options);
  }
  return new ServiceError('server_error', 'something went wrong on our side', options);
}

function withoutValues(error: unknown): unknown {
  return error instanceof Error
    ? { type: error.name, message: error.message, stack: error.stack }
    : undefined;
}
