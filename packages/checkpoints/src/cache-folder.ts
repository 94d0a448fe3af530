/** @file Where derived files are kept: `EMOSLLM_CACHE`, else the system's folder for caches. */
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder for files that can be made again, e.g. `~/.cache/emosllm`; nothing is created. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env["EMOSLLM_CACHE"]) return env["EMOSLLM_CACHE"];
  if (process.platform === "win32") return join(env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"), "emosllm");
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "emosllm");
}
