import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export const text = (content: string): Buffer => Buffer.from(content);

export interface HubFile {
  readonly content: Buffer;
  /** Large files are in LFS: named by SHA-256, served by a redirect to another host. */
  readonly lfs?: boolean;
}

/** What a test may break; changed while the server runs. */
export interface Hub {
  readonly url: string;
  readonly requests: { path: string; range: string | undefined; authorization: string | undefined; status: number }[];
  files: Record<string, HubFile>;
  /** Ends the connection after so many bytes of an LFS body, once per entry. */
  cuts: number[];
  /** Statuses to answer LFS bodies with before they are served. */
  failures: number[];
  /** Answers everything with this status and `X-Error-Code`. */
  refuse: { status: number; code?: string } | undefined;
  /** Bytes that are served in place of an LFS file's own. */
  wrong: Buffer | undefined;
  ignoresRanges: boolean;
}

const sha = (name: string, content: Buffer): string => createHash(name).update(content).digest("hex");
export const lfsHash = (content: Buffer): string => sha("sha256", content);
export const gitHash = (content: Buffer): string =>
  sha("sha1", Buffer.concat([Buffer.from(`blob ${content.length}\0`), content]));

/** A server that behaves like the hub for one model, `org/tiny`, on two hosts: itself and, for large files, another name. */
export async function startHub(files: Record<string, HubFile>): Promise<Hub> {
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const hub: Hub = {
    url: `http://127.0.0.1:${port}`,
    requests: [],
    files,
    cuts: [],
    failures: [],
    refuse: undefined,
    wrong: undefined,
    ignoresRanges: false,
  };
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, hub.url);
    response.on("close", () =>
      hub.requests.push({
        path: url.pathname,
        range: request.headers.range,
        authorization: request.headers.authorization,
        status: response.statusCode,
      }),
    );
    const send = (status: number, headers: Record<string, string>, body: string | Buffer = ""): void => {
      response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...headers }).end(body);
    };
    if (hub.refuse)
      return send(hub.refuse.status, hub.refuse.code === undefined ? {} : { "x-error-code": hub.refuse.code });
    if (url.pathname.startsWith("/api/models/org/tiny/revision/")) {
      const revision = decodeURIComponent(url.pathname.split("/").at(-1)!);
      if (revision !== "main" && revision !== COMMIT) return send(404, { "x-error-code": "RevisionNotFound" });
      const info = { _id: "1", id: "org/tiny", sha: COMMIT, private: false, gated: false, lastModified: "2026-01-01" };
      return send(200, { "content-type": "application/json" }, JSON.stringify(info));
    }
    if (url.pathname === `/api/models/org/tiny/tree/${COMMIT}`) {
      // Two pages, as the hub does beyond its limit.
      const entries = Object.entries(hub.files).map(([path, { content, lfs }]) => ({
        type: "file",
        path,
        size: content.length,
        oid: lfs ? gitHash(text("pointer")) : gitHash(content),
        ...(lfs ? { lfs: { oid: lfsHash(content), size: content.length, pointerSize: 130 } } : {}),
      }));
      const half = Math.ceil(entries.length / 2);
      const page = url.searchParams.get("cursor") ? entries.slice(half) : entries.slice(0, half);
      const next = url.searchParams.get("cursor") ? {} : { link: `<${hub.url}${url.pathname}?cursor=2>; rel="next"` };
      return send(200, { "content-type": "application/json", ...next }, JSON.stringify(page));
    }
    const resolved = `/org/tiny/resolve/${COMMIT}/`;
    const name = decodeURIComponent(url.pathname.slice(resolved.length));
    const file = url.pathname.startsWith(resolved) ? hub.files[name] : undefined;
    if (file?.lfs)
      return send(302, {
        location: `http://localhost:${port}/cdn/${encodeURIComponent(name)}`,
        "x-linked-etag": `"${lfsHash(file.content)}"`,
        "x-linked-size": String(file.content.length),
      });
    if (file) return sendBody(request, send, file.content, gitHash(file.content));
    const cdn = url.pathname.startsWith("/cdn/") ? hub.files[decodeURIComponent(url.pathname.slice(5))] : undefined;
    if (!cdn) return send(404, { "x-error-code": "RepoNotFound" });
    if (request.headers.range === "bytes=0-0") return sendBody(request, send, cdn.content, lfsHash(cdn.content));
    const failure = hub.failures.shift();
    if (failure) return send(failure, {});
    const content = hub.wrong ?? cdn.content;
    const cut = hub.cuts.shift();
    if (cut === undefined) return sendBody(request, send, content, lfsHash(cdn.content));
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { "content-length": String(content.length - start) });
    response.write(content.subarray(start, start + cut), () => setTimeout(() => response.destroy(), 20));
  }

  function sendBody(
    request: IncomingMessage,
    send: (status: number, headers: Record<string, string>, body: Buffer) => void,
    content: Buffer,
    etag: string,
  ): void {
    const range = hub.ignoresRanges && request.headers.range !== "bytes=0-0" ? undefined : request.headers.range;
    const found = /^bytes=(\d+)-(\d+)$/.exec(range ?? "");
    if (!found) return send(200, { etag: `"${etag}"` }, content);
    const [start, end] = [Number(found[1]), Math.min(Number(found[2]), content.length - 1)];
    const part = content.subarray(start, end + 1);
    send(206, { etag: `"${etag}"`, "content-range": `bytes ${start}-${end}/${content.length}` }, part);
  }
  return hub;
}
