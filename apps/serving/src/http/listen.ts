/** @file A server on a socket: time limits against slow callers, one error shape for broken requests, an end without a lost answer. */
import { type IncomingMessage, createServer as createHttpServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { ServiceError, errorBody } from "../errors.ts";
import { type RealtimeOptions, realtimeSockets } from "../realtime/sockets.ts";
import type { Server } from "../server.ts";

/** Options of {@link listen}. */
export interface ListenOptions {
  /** Default 127.0.0.1: only this machine. */
  readonly host?: string;
  /** Default 8080; 0 takes a free one. */
  readonly port?: number;
  /** Open connections. Default 1024. */
  readonly maxConnections?: number;
  /** Milliseconds for the header lines of a request. Default 10000. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds for a whole request. Default 60000. */
  readonly requestTimeoutMs?: number;
  readonly realtime?: RealtimeOptions;
}

/** A listening server. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  /**
   * Tells balancers (readyz) and callers (`connection: close`) that the end is near, and after `delayMs` (250) takes no new
   * connection, answers what was sent on the open ones, then ends the server. Connections that are still open after
   * `graceMs` (30000) are cut.
   */
  stop(options?: { readonly delayMs?: number; readonly graceMs?: number }): Promise<void>;
}

/** Opens a socket for `server`. Rejects with what the system says, e.g. EADDRINUSE. */
export async function listen(server: Server, options: ListenOptions = {}): Promise<Listening> {
  const { host = "127.0.0.1", port = 8080, maxConnections = 1024 } = options;
  const { headersTimeoutMs = 10_000, requestTimeoutMs = 60_000 } = options;
  const http = createHttpServer(
    {
      maxHeaderSize: server.service.options.limits.headerBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 65_000,
    },
    getRequestListener(server.fetch, { overrideGlobalObjects: false }),
  );
  http.maxConnections = maxConnections;
  http.on("clientError", refuseBroken);
  const sockets = realtimeSockets(server.service, options.realtime);
  http.on("upgrade", (request, socket, head) => sockets.upgrade(request, socket, head));
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject);
    http.listen(port, host, resolve);
  });
  const address = http.address() as AddressInfo;
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}`,
    port: address.port,
    async stop({ delayMs = 250, graceMs = 30_000 } = {}) {
      server.service.stopping = true;
      // Requests may be on their way in connections that look idle.
      await sleep(delayMs);
      await sockets.close();
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      const cut = setTimeout(() => http.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(cut);
      await server.drain();
      await server.close();
    },
  };
}

const BROKEN: Readonly<Record<string, ServiceError>> = {
  HPE_HEADER_OVERFLOW: new ServiceError("payload_too_large", "The header lines are too long."),
  ERR_HTTP_REQUEST_TIMEOUT: new ServiceError("request_timeout", "The request did not arrive in time."),
};

/** What Node refuses before it is a request. */
function refuseBroken(error: Error & { code?: string }, socket: Socket & { _httpMessage?: IncomingMessage }): void {
  // An answer is under way: nothing may be written into it.
  if (!socket.writable || socket._httpMessage) return void socket.destroy();
  const refusal =
    BROKEN[error.code ?? ""] ?? new ServiceError("invalid_request", "This is not a well-formed HTTP request.");
  const body = JSON.stringify(errorBody(refusal, "none"));
  socket.end(
    `HTTP/1.1 ${refusal.status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
