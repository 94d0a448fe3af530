// Sets the workspace up once (pnpm through npx, frozen lockfile), then runs a TypeScript file from its sources.
//   node tools/setup/run.mjs FILE.ts [ARG ...]
// Plain JavaScript on Node's own modules: it must run before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PNPM = "pnpm@12.21.0";
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const stampFile = join(root, "node_modules/.emosllm-setup");

function die(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  die(`Node ${process.versions.node} is too old: 20.19 or newer is needed.`);

/** What an installation depends on: the lockfile, the package lists, the platform. */
function wanted() {
  const hash = createHash("sha256").update(`${PNPM} ${process.platform} ${process.arch}`);
  for (const f of ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"]) hash.update(readFileSync(join(root, f)));
  return hash.digest("hex");
}

/** `npx -p node@24 -c "npm test"` hands its own words on in variables, which the npx below would take for its own. */
const withoutOuterNpx = (env) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^npm_config_(call|package)$/i.test(name)));

function setUp() {
  const stamp = wanted();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  process.stderr.write("Installing packages (once) ...\n");
  const result = spawnSync("npx", ["--yes", PNPM, "install", "--frozen-lockfile", "--reporter=append-only"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
    // The CPU and WebGPU binaries are inside the npm package; the install script would only fetch CUDA ones.
    env: { ...withoutOuterNpx(process.env), ONNXRUNTIME_NODE_INSTALL: "skip", CI: "true" },
  });
  if (result.error) die(`npx could not be started: ${result.error.message}. Install npm (it comes with Node.js).`);
  if (result.status !== 0) die(`Installing packages failed (exit code ${result.status}). The lines above say why.`);
  writeFileSync(stampFile, stamp);
}

setUp();
const [file, ...args] = process.argv.slice(2);
if (file) {
  const tsx = pathToFileURL(join(root, "node_modules/tsx/dist/esm/index.mjs")).href;
  const child = spawn(process.execPath, ["--conditions=@emosllm/source", "--import", tsx, join(root, file), ...args], {
    stdio: "inherit",
    env: { ...process.env, EMOSLLM_ROOT: root },
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 128 + (signal === "SIGINT" ? 2 : 15) : (code ?? 1)));
}
