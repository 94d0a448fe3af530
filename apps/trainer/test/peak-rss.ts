/** Runs the command line and says its peak memory on stderr. */
import { runCli } from "../src/cli.ts";

process.exitCode = await runCli(process.argv.slice(2));
process.stderr.write(`peak rss ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB\n`);
