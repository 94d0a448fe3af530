/** @file The server of a soak run, a process of its own: `soak-server.ts FOLDER`; says its address on standard output. */
import { createServer, listen } from "../src/index.ts";

const folder = process.argv[2] as string;
const server = await createServer({
  bundles: [{ id: "demo", folder }],
  threads: 1,
  limits: { bodyBytes: 4 * 2 ** 20 },
});
const listening = await listen(server, { port: 0, headersTimeoutMs: 2000, requestTimeoutMs: 5000 });
process.stdout.write(`${listening.url}\n`);
process.once("SIGTERM", () => void listening.stop().then(() => process.exit(0)));
