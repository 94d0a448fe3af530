/** @file The page and its files, read once: nothing else of the disk can be asked for. */
import { readFileSync, readdirSync } from "node:fs";
import { extname } from "node:path";
import { ServiceError } from "../errors.ts";
import type { Route } from "../http/route.ts";
import { PAGE_POLICY } from "../security/headers.ts";

const FOLDER = new URL("../../page/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The routes of the page. */
export function pageRoutes(): readonly Route[] {
  const files = new Map(
    readdirSync(FOLDER).flatMap((name) =>
      extname(name) in TYPES ? [[name, readFileSync(new URL(name, FOLDER))] as const] : [],
    ),
  );
  const answer = (name: string): Response => {
    const body = files.get(name);
    if (!body) throw new ServiceError("not_found", `The page has no file '${name.slice(0, 100)}'.`);
    return new Response(new Uint8Array(body), {
      headers: {
        "content-type": TYPES[extname(name)] as string,
        "content-security-policy": PAGE_POLICY,
        "cache-control": "no-cache",
      },
    });
  };
  return [
    {
      method: "GET",
      path: "/",
      access: "open",
      summary: "A page to try it: record, drop a file, listen live.",
      answer: { type: "text/html" },
      handle: () => answer("index.html"),
    },
    {
      method: "GET",
      path: "/page/:file",
      access: "open",
      summary: "The page's own files.",
      answer: { type: "text/plain" },
      handle: ({ params }) => answer(params["file"] ?? ""),
    },
  ];
}
