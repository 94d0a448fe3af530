// Serves a trained bundle on a free port, asks it about a file through the typed client, and stops.
//   tsx main.ts runs/own/best turn.wav
import { readFile } from "node:fs/promises";
import { createServer, listen } from "@emosllm/serving";
import { createClient } from "@emosllm/serving/client";

const [bundle, file] = process.argv.slice(2);
if (bundle === undefined || file === undefined) throw new Error("usage: tsx main.ts BUNDLE FILE");

const server = await createServer({ bundles: [{ id: "mine", folder: bundle }] });
const { url, stop } = await listen(server, { port: 0 });
try {
  const client = createClient({ url });
  const { label, emotions } = await client.emotions(await readFile(file));
  console.log(label, emotions);
} finally {
  await stop(); // answers what was accepted, then ends
}
