/** @file `/openapi.json` and the docs page, both made from the route table and its schemas. */
import { z } from "zod";
import { SERVICE_ERRORS } from "../errors.ts";
import { type Content, type Route, json } from "../http/route.ts";
import { errorSchema } from "../schemas.ts";
import { PAGE_POLICY } from "../security/headers.ts";

type Json = Record<string, unknown>;

const schemaOf = (schema: z.ZodType, io: "input" | "output"): Json => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any", target: "openapi-3.0" }) as Json;
  return rest;
};

const contentOf = ({ type, schema }: Content, io: "input" | "output"): Json => ({
  [type]: { schema: schema ? schemaOf(schema, io) : { type: "string", format: "binary" } },
});

/** The description of `routes`. */
export function openApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.0.3",
    info: { title: "EmoSLLM", version, description: "Emotion in speech, as a service." },
    paths,
    components: {
      schemas: { Error: schemaOf(errorSchema, "output") },
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
      responses: {
        Error: {
          description: `Codes: ${Object.keys(SERVICE_ERRORS).join(", ")}.`,
          content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
        },
      },
    },
  };
}

function operation({ method, path, access, summary, query, body, answer }: Route): Json {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = query
    ? Object.entries((schemaOf(query, "input") as { properties: Record<string, Json> }).properties).map(
        ([name, s]) => ({
          name,
          in: "query",
          ...(s["description"] === undefined ? {} : { description: s["description"] }),
          schema: s,
        }),
      )
    : [];
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w)/g, (_, c: string) => c.toUpperCase())}`,
    summary,
    ...(access === "open" ? {} : { security: [{ key: [] }] }),
    ...(inPath.length + inQuery.length > 0 ? { parameters: [...inPath, ...inQuery] } : {}),
    ...(body ? { requestBody: { content: Object.assign({}, ...body.map((b) => contentOf(b, "input"))) as Json } } : {}),
    responses: {
      200: { description: "Done.", content: contentOf(answer, "output") },
      default: { $ref: "#/components/responses/Error" },
    },
  };
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] as string);

function docsPage(routes: readonly Route[]): string {
  const section = ({ method, path, summary, access, body, answer }: Route): string => `<section>
<h2><span class="method">${method}</span> <code>${escape(path)}</code></h2>
<p>${escape(summary).replace(/`([^`]+)`/gu, "<code>$1</code>")}${access === "open" ? "" : access === "admin" ? " Needs an admin key." : " Needs a key where the server has keys."}</p>
${(body ?? []).map((b) => details(`Body: ${b.type}`, b, "input")).join("\n")}
${details(`Answer: ${answer.type}`, answer, "output")}
</section>`;
  const details = (title: string, { schema }: Content, io: "input" | "output"): string =>
    schema
      ? `<details><summary>${escape(title)}</summary><pre tabindex="0">${escape(JSON.stringify(schemaOf(schema, io), null, 2))}</pre></details>`
      : `<p>${escape(title)}</p>`;
  const errors = Object.entries(SERVICE_ERRORS)
    .map(([code, { status, type }]) => `<tr><td><code>${code}</code></td><td>${status}</td><td>${type}</td></tr>`)
    .join("\n");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>EmoSLLM: routes</title><link rel="stylesheet" href="/page/style.css"></head>
<body class="docs"><main>
<h1>Routes</h1>
<p>The same as <a href="/openapi.json">openapi.json</a>. Back to <a href="/">the page</a>.</p>
${routes.map(section).join("\n")}
<section><h2>Errors</h2>
<table><thead><tr><th>code</th><th>status</th><th>type</th></tr></thead><tbody>
${errors}
</tbody></table></section>
</main></body></html>`;
}

/** The two routes that describe `routes` (and themselves). */
export function docsRoutes(routes: readonly Route[], version: string): readonly Route[] {
  const html = { type: "text/html" };
  const own: Route[] = [
    {
      method: "GET",
      path: "/openapi.json",
      access: "open",
      summary: "This description.",
      answer: { type: "application/json" },
      handle: () => json(description),
    },
    {
      method: "GET",
      path: "/docs",
      access: "open",
      summary: "The routes as a page.",
      answer: html,
      handle: () =>
        new Response(page, {
          headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": PAGE_POLICY },
        }),
    },
  ];
  const description = openApi([...routes, ...own], version);
  const page = docsPage([...routes, ...own]);
  return own;
}
