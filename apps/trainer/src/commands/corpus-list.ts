/** @file `emosllm corpus list`: what corpora, schemes and protocols there are. */
import { CORPORA, PROTOCOLS, SCHEMES } from "@emosllm/datasets";
import { defineCommand } from "citty";
import type { AnyCommand } from "./_command.ts";

const list = defineCommand({
  meta: { name: "list", description: "The corpora, schemes and protocols there are." },
  args: { json: { type: "boolean", default: false, description: "print one JSON object per line" } },
  run({ args }) {
    const rows = [
      ...Object.entries(CORPORA).map(([name, c]) => ({
        kind: "corpus",
        name,
        about: c.scheme ? `scheme ${c.scheme}` : "",
      })),
      ...Object.values(SCHEMES).map((s) => ({ kind: "scheme", name: s.name, about: s.labels.join(", ") })),
      ...Object.values(PROTOCOLS).map((p) => ({ kind: "protocol", name: p.name, about: p.description })),
    ];
    for (const row of rows)
      process.stdout.write(
        args.json ? `${JSON.stringify(row)}\n` : `${row.kind.padEnd(9)} ${row.name.padEnd(26)} ${row.about}\n`,
      );
  },
});

export default list as AnyCommand;
