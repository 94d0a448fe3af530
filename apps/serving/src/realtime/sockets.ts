/** @file Realtime sessions over WebSockets: who may open one, silence, slow readers, sockets that break and come back. */
import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { ServiceError, errorBody, toServiceError } from "../errors.ts";
import { gatekeeper, requestId } from "../http/app.ts";
import { parseJson, validate } from "../http/body.ts";
import { isAllowedOrigin } from "../security/headers.ts";
import { bearer } from "../security/keys.ts";
import { rateLimiter } from "../security/rate-limit.ts";
import { type Service, chooseModel } from "../service.ts";
import { type ServerMessage, type StartMessage, clientMessageSchema } from "./messages.ts";
import { type Session, openSession } from "./session.ts";

/** Where sessions are opened. */
export const REALTIME_PATH = "/v1/realtime/emotions";
/** The subprotocol; a browser, which cannot send headers, adds its key as `bearer.KEY`. */
export const SUBPROTOCOL = "emosllm.v1";

/** Options of {@link realtimeSockets}. */
export interface RealtimeOptions {
  /** Milliseconds without a message after which a socket is closed. Default 30000. */
  readonly idleMs?: number;
  /** Milliseconds that a session waits for its socket to come back. Default 30000. */
  readonly resumeMs?: number;
  /** Open sessions, also those that wait. Default 64. */
  readonly maxSessions?: number;
  /** Bytes of one message. Default 1 MiB. */
  readonly maxMessageBytes?: number;
}

/** Close codes of our own (4000 to 4999 are an application's). */
export const CLOSE = { idle: 4000, refused: 4001, slow: 4002, goingAway: 1001, done: 1000 } as const;

/** Bytes that may wait for a slow reader. */
const MOST_UNSENT = 2 ** 20;

/** The sockets of one server. */
export interface RealtimeSockets {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends every session with what it still has to say. */
  close(): Promise<void>;
}

interface Held {
  readonly session: Session;
  readonly owner: string;
  socket: WebSocket | undefined;
  forget: NodeJS.Timeout | undefined;
}

/** Opens sessions for `service`. */
export function realtimeSockets(service: Service, options: RealtimeOptions = {}): RealtimeSockets {
  const { idleMs = 30_000, resumeMs = 30_000, maxSessions = 64, maxMessageBytes = 2 ** 20 } = options;
  const { options: settings, metrics } = service;
  const admit = gatekeeper(settings.keys);
  const limit = rateLimiter(settings.requestsPerMinute);
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const sessions = new Map<string, Held>();

  /** Throws what an HTTP request would be refused with. */
  function owner(request: IncomingMessage): string {
    if (new URL(request.url ?? "/", "http://localhost").pathname !== REALTIME_PATH)
      throw new ServiceError("not_found", `Sockets are opened at ${REALTIME_PATH}.`);
    const { origin, host, authorization } = request.headers;
    if (origin !== undefined && !isAllowedOrigin(origin, host, settings.corsOrigins))
      throw new ServiceError("origin_not_allowed", "Pages of this origin may not call this server.");
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((p) => p.trim());
    const key = admit("key", bearer(authorization) ?? offered.find((p) => p.startsWith("bearer."))?.slice(7));
    const caller = key?.sha256 ?? request.socket.remoteAddress ?? "local";
    const rate = limit(caller);
    if (rate && !rate.allowed)
      throw new ServiceError("rate_limited", `More than ${rate.limit} sessions in a minute.`, {
        retryAfter: rate.retryAfter,
      });
    if (service.stopping) throw new ServiceError("shutting_down", "The server is shutting down.", { retryAfter: 1 });
    return caller;
  }

  function attach(socket: WebSocket, caller: string, id: string): void {
    let held: Held | undefined;
    let work: Promise<void> = Promise.resolve();
    let idle: NodeJS.Timeout | undefined;
    const alive = (): void => {
      clearTimeout(idle);
      idle = setTimeout(() => socket.close(CLOSE.idle, "nothing arrived for too long"), idleMs);
    };
    const send = (message: ServerMessage): void => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > MOST_UNSENT) return socket.close(CLOSE.slow, "messages are not read fast enough");
      socket.send(JSON.stringify(message));
    };
    const refuse = (error: unknown): void => {
      const { code, message } = toServiceError(error);
      send({ type: "error", error: { code, message, request_id: id } });
      if (held) drop(held);
      socket.close(CLOSE.refused, code);
    };

    async function control(text: Uint8Array): Promise<void> {
      const message = validate(clientMessageSchema, parseJson(text, 8));
      if (message.type === "start") {
        if (held) throw new ServiceError("invalid_request", "The session has started already.");
        held = begin(message, caller);
        held.socket = socket;
        const { session } = held;
        send({
          type: "started",
          session: session.id,
          model: session.model.id,
          labels: [...session.model.labels],
          received_samples: session.received,
        });
        session.listen(message.resume?.last ?? 0, send);
        return;
      }
      if (!held) throw new ServiceError("invalid_request", "The first message must be of type 'start'.");
      await held.session.stop();
      drop(held);
      socket.close(CLOSE.done, "done");
    }

    async function sound(bytes: Uint8Array): Promise<void> {
      if (!held) throw new ServiceError("invalid_request", "The first message must be of type 'start'.");
      await held.session.push(bytes);
    }

    alive();
    socket.on("message", (data: RawData, isBinary) => {
      alive();
      const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[]);
      // What arrives while the session is busy stays in the network.
      socket.pause();
      work = work
        .then(() => (isBinary ? sound(bytes) : control(bytes)))
        .catch(refuse)
        .finally(() => socket.resume());
    });
    socket.on("error", () => undefined); // `close` follows
    socket.on("close", (code) => {
      clearTimeout(idle);
      const mine = held;
      if (!mine || mine.socket !== socket || !sessions.has(mine.session.id)) return;
      mine.session.mute();
      mine.socket = undefined;
      // A socket that said goodbye will not come back.
      if (code === CLOSE.done || code === CLOSE.idle || code === CLOSE.slow) drop(mine);
      else mine.forget = setTimeout(() => drop(mine), resumeMs);
    });
  }

  function begin(start: StartMessage, caller: string): Held {
    if (start.resume) {
      const held = sessions.get(start.resume.session);
      if (!held || held.owner !== caller)
        throw new ServiceError("not_found", "This session has ended, or never was; start a new one.", {
          param: "resume",
        });
      clearTimeout(held.forget);
      held.socket?.close(CLOSE.done, "resumed elsewhere");
      return held;
    }
    if (sessions.size >= maxSessions)
      throw new ServiceError("queue_full", `${maxSessions} sessions are open already; try again later.`, {
        retryAfter: 5,
      });
    const held: Held = {
      session: openSession(service, chooseModel(service, start.model), start),
      owner: caller,
      socket: undefined,
      forget: undefined,
    };
    sessions.set(held.session.id, held);
    metrics.realtime(1);
    return held;
  }

  function drop(held: Held): void {
    clearTimeout(held.forget);
    held.session.mute();
    if (sessions.delete(held.session.id)) metrics.realtime(-1);
  }

  return {
    upgrade(request, socket, head) {
      const id = requestId({ headers: new Headers({ "x-request-id": String(request.headers["x-request-id"] ?? "") }) });
      socket.on("error", () => socket.destroy());
      try {
        const caller = owner(request);
        wss.handleUpgrade(request, socket, head, (ws) => attach(ws, caller, id));
      } catch (error) {
        const refusal = toServiceError(error);
        const body = JSON.stringify(errorBody(refusal, id));
        socket.end(
          `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? "Refused"}\r\ncontent-type: application/json\r\nx-request-id: ${id}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
        );
      }
    },
    async close() {
      await Promise.all(
        [...sessions.values()].map(async (held) => {
          await held.session.stop();
          const { socket } = held;
          drop(held);
          socket?.close(CLOSE.goingAway, "the server is shutting down");
        }),
      );
      wss.close();
    },
  };
}
