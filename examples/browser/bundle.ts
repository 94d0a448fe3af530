/** @file Bundles a script for browsers; what packages import of Node.js is left empty, and none of it is reached. */
import { builtinModules } from "node:module";
import { type BuildResult, build } from "esbuild";

const BUILTIN = new RegExp(`^(node:.*|${builtinModules.join("|")})$`);

/** The bundled script, not written. */
export const bundleForPage = (
  entry: string,
  conditions: readonly string[] = [],
): Promise<BuildResult<{ write: false; metafile: true }>> =>
  build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: [...conditions],
    outdir: "out",
    logLevel: "silent",
    plugins: [
      {
        name: "nothing-of-node",
        setup(b) {
          b.onResolve({ filter: BUILTIN }, ({ path }) => ({ path, namespace: "nothing", sideEffects: false }));
          b.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "module.exports = {};" }));
        },
      },
    ],
  });
