/** @file Header lines that every answer carries, and which pages may call from a browser. */
import { ServiceError } from "../errors.ts";

/** The page loads its own scripts, styles and sounds, and nothing from anywhere else. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const COMMON: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "microphone=(self), camera=(), geolocation=()",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};

/** Adds what is missing; a route's own line stays. */
export function addSecurityHeaders(headers: Headers): void {
  for (const [name, value] of Object.entries(COMMON)) if (!headers.has(name)) headers.set(name, value);
}

/**
 * Throws `origin_not_allowed` for a request that another site's page makes: without this, any page that a user of a server on
 * the same machine visits could use it.
 */
export function checkOrigin(request: Request, allowed: readonly string[]): void {
  const origin = request.headers.get("origin");
  if (origin === null || isAllowedOrigin(origin, request.headers.get("host"), allowed)) return;
  throw new ServiceError(
    "origin_not_allowed",
    `Pages of ${origin.slice(0, 200)} may not call this server (see --cors-origin).`,
  );
}

/** Whether pages of `origin` may call a server that was addressed as `host`. */
export function isAllowedOrigin(origin: string, host: string | null | undefined, allowed: readonly string[]): boolean {
  if (allowed.includes("*") || allowed.includes(origin)) return true;
  return URL.canParse(origin) && host != null && new URL(origin).host === host.toLowerCase();
}

/** What an allowed page of another origin needs to be told. */
export function addCorsHeaders(headers: Headers, origin: string | null, allowed: readonly string[]): void {
  if (allowed.length === 0) return;
  headers.append("vary", "origin");
  if (origin === null || !(allowed.includes("*") || allowed.includes(origin))) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("cross-origin-resource-policy", "cross-origin");
  headers.set("access-control-expose-headers", "x-request-id, retry-after");
}

/** The answer to a preflight request. */
export function preflight(request: Request, allowed: readonly string[]): Response {
  const headers = new Headers();
  addCorsHeaders(headers, request.headers.get("origin"), allowed);
  if (headers.has("access-control-allow-origin")) {
    headers.set("access-control-allow-methods", "GET, POST");
    headers.set("access-control-allow-headers", "authorization, content-type, x-request-id, traceparent");
    headers.set("access-control-max-age", "600");
  }
  return new Response(null, { status: 204, headers });
}
