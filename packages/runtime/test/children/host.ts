/** @file The ways a process may end while its worker host is busy; each must leave with its own exit code, not with an abort. */
import { input, matmul } from "@emosllm/graph";
import { openHost, zeros } from "../../src/index.ts";

const way = process.argv[2];
const host = await openHost();
const x = input("x", [1500, 1500]);
const program = await host.compile({ y: matmul(matmul(matmul(x, x), x), x) }, { threads: 1 });
const feeds = { x: zeros("f32", [1500, 1500]) };
const quick = await host.compile({ y: input("x", [1]) });
await quick.run({ x: zeros("f32", [1]) });

/** Resolves a moment after the run has begun: native code is busy then. */
const begun = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

if (way === "close") {
  const run = program.run(feeds);
  const waiting = program.run(feeds).catch((e: unknown) => (e as Error).message);
  await begun();
  await host.close();
  console.log(Object.keys(await run).join(), await waiting);
} else if (way === "exit") {
  void program.run(feeds);
  await begun();
  process.exit(7);
} else if (way === "exit at once") {
  void program.run(feeds);
  process.exit(8);
} else if (way === "throw") {
  void program.run(feeds);
  await begun();
  throw new Error("on purpose");
} else if (way === "forgotten") {
  console.log("done");
}
